//! The entries of the list of operators.

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;

use super::args::Args;
use super::argument::Argument;
use super::documentation::Reference;
use super::operator::{AnyOperator, RelationOperator};

/// A relation that SQL calls: `FROM op(relation, name => value, ...)`.
pub trait SqlOperator {
    /// The SQL name.
    const NAME: &'static str;

    /// The arguments after the relation.
    const ARGUMENTS: &'static [Argument];

    /// The plan of a call.
    ///
    /// # Errors
    /// Arguments that are missing or of no use, in the words of the caller.
    fn plan(args: Args) -> Result<LogicalPlan>;

    /// The entry in the reference.
    const REFERENCE: Reference;
}

/// An operator in the list.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// How SQL calls it; `None` for a stage of other operators.
    pub sql: Option<Sql>,
    /// How its nodes are read from messages; `None` where it plans nodes of others.
    pub node: Option<Node>,
}

/// How SQL calls an operator.
#[derive(Debug, Clone, Copy)]
pub struct Sql {
    /// [`SqlOperator::NAME`].
    pub name: &'static str,
    /// [`SqlOperator::ARGUMENTS`].
    pub arguments: &'static [Argument],
    /// [`SqlOperator::plan`].
    pub plan: fn(Args) -> Result<LogicalPlan>,
    /// [`SqlOperator::REFERENCE`].
    pub reference: Reference,
}

/// How the nodes of an operator are read from messages.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// [`RelationOperator::NAME`].
    pub name: &'static str,
    /// [`AnyOperator::read`].
    pub read: fn(&str) -> Result<AnyOperator>,
}

impl Entry {
    /// An operator that SQL calls.
    pub const fn operator<T: SqlOperator + RelationOperator>() -> Self {
        Self { sql: Some(Sql::of::<T>()), node: Some(Node::of::<T>()) }
    }

    /// A stage that other operators are made of.
    pub const fn stage<T: RelationOperator>() -> Self {
        Self { sql: None, node: Some(Node::of::<T>()) }
    }

    /// What SQL calls and the frame itself carries out.
    pub const fn planned<T: SqlOperator>() -> Self {
        Self { sql: Some(Sql::of::<T>()), node: None }
    }
}

impl Sql {
    const fn of<T: SqlOperator>() -> Self {
        Self { name: T::NAME, arguments: T::ARGUMENTS, plan: T::plan, reference: T::REFERENCE }
    }
}

impl Node {
    const fn of<T: RelationOperator>() -> Self {
        Self { name: T::NAME, read: AnyOperator::read::<T> }
    }
}

/// All operators.
pub type Operators = &'static [Entry];

/// How SQL calls the operator of that name.
pub fn sql(operators: Operators, name: &str) -> Option<Sql> {
    operators.iter().filter_map(|entry| entry.sql).find(|sql| sql.name == name)
}

/// How the nodes of that name are read.
pub fn node(operators: Operators, name: &str) -> Option<Node> {
    operators.iter().filter_map(|entry| entry.node).find(|node| node.name == name)
}
