//! The entries of the list of operators.

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;

use super::args::Args;
use super::argument::Argument;
use super::documentation::Reference;
use super::operator::{AnyOperator, RelationOperator};

/// A relation operator that can be called from SQL: `FROM op(relation, name => value, ...)`.
pub trait SqlOperator {
    /// The SQL name.
    const NAME: &'static str;

    /// The arguments after the relation.
    const ARGUMENTS: &'static [Argument];

    /// Plans a call.
    ///
    /// # Errors
    /// An argument is missing or invalid; the message uses the caller's terms.
    fn plan(args: Args) -> Result<LogicalPlan>;

    /// The entry in the SQL reference.
    const REFERENCE: Reference;
}

/// An operator in the list.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The SQL interface; `None` for a stage used by other operators.
    pub sql: Option<Sql>,
    /// How its nodes are decoded; `None` if it plans nodes of other operators only.
    pub node: Option<Node>,
}

/// The SQL interface of an operator.
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

/// How the nodes of an operator are decoded.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// [`RelationOperator::NAME`].
    pub name: &'static str,
    /// [`AnyOperator::read`].
    pub read: fn(&str) -> Result<AnyOperator>,
}

impl Entry {
    /// An operator that SQL can call.
    pub const fn operator<T: SqlOperator + RelationOperator>() -> Self {
        Self { sql: Some(Sql::of::<T>()), node: Some(Node::of::<T>()) }
    }

    /// A stage used by other operators.
    pub const fn stage<T: RelationOperator>() -> Self {
        Self { sql: None, node: Some(Node::of::<T>()) }
    }

    /// An operator that SQL can call and that plans nodes of other operators or of the frame itself.
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

/// The SQL interface of the operator `name`.
pub fn sql(operators: Operators, name: &str) -> Option<Sql> {
    operators.iter().filter_map(|entry| entry.sql).find(|sql| sql.name == name)
}

/// The decoder of nodes called `name`.
pub fn node(operators: Operators, name: &str) -> Option<Node> {
    operators.iter().filter_map(|entry| entry.node).find(|node| node.name == name)
}
