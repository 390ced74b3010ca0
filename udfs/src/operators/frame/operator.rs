//! The trait of relation operators.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Schema};
use datafusion::common::{Result, internal_datafusion_err, internal_err, plan_err};
use datafusion::execution::SendableRecordBatchStream;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::Work;

/// Name of the compared column, which the plan below an operator computes.
pub const COMPARED_COLUMN: &str = "__limpid_compared";

/// A relational operator. The value holds the parameters of one call, except for the relations, their columns and the order
/// of their rows, which the frame keeps.
///
/// serde serializes the parameters, both for a cluster and for EXPLAIN.
pub trait RelationOperator: Serialize + DeserializeOwned + Clone + fmt::Debug + Send + Sync + 'static {
    /// The name in SQL, EXPLAIN and errors.
    const NAME: &'static str;

    /// Determines the columns of the result.
    ///
    /// # Errors
    /// A column has a type that the operator does not accept.
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output>;

    /// Determines which rows of the first input a task must see.
    fn stage(&self) -> Stage {
        Stage::Whole
    }

    /// Computes the result of one task.
    fn run(self, work: Work) -> impl Future<Output = Result<SendableRecordBatchStream>> + Send;
}

/// How the first input is distributed over tasks. Every task can read all rows of the other inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Each partition is a task. The result for a row depends on that row alone.
    EachPartition,
    /// All rows with equal values in the columns of these roles are in one task.
    ByKey(Vec<usize>),
    /// One task sees all rows.
    Whole,
}

/// An input during planning.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Its schema.
    pub schema: &'a Schema,
    /// The columns that the operator works on: the index in the schema for each role, in the order that the operator defines.
    pub columns: &'a [usize],
}

impl Input<'_> {
    /// The fields of the operator's columns, by role.
    pub fn fields(&self) -> Vec<FieldRef> {
        self.columns.iter().map(|column| Arc::clone(&self.schema.fields()[*column])).collect()
    }

    /// The field of the column with that role.
    ///
    /// # Errors
    /// There is no such role.
    pub fn field(&self, role: usize) -> Result<&Field> {
        match self.columns.get(role) {
            Some(column) => Ok(self.schema.field(*column)),
            None => internal_err!("an operator misses column {role} of its input"),
        }
    }

    /// The indices of all columns except those called `name`.
    pub fn without(&self, name: &str) -> Vec<usize> {
        (0..self.schema.fields().len()).filter(|column| self.schema.field(*column).name() != name).collect()
    }

    /// The indices of all columns.
    pub fn all(&self) -> Vec<usize> {
        (0..self.schema.fields().len()).collect()
    }
}

/// The only input, for an operator that takes exactly one.
///
/// # Errors
/// There is no input, or more than one.
pub fn only<'a, 'b>(op: &str, inputs: &'b [Input<'a>]) -> Result<&'b Input<'a>> {
    match inputs {
        [input] => Ok(input),
        _ => internal_err!("{op} takes one relation, not {}", inputs.len()),
    }
}

/// The columns of a result.
#[derive(Debug)]
pub struct Output {
    /// Columns of the first input that are passed through. If there are any, each row of that input produces one row of the
    /// result.
    pub passed: Vec<usize>,
    /// New columns.
    pub added: Vec<Field>,
}

impl Output {
    /// A result that passes no columns through.
    pub fn own(added: impl IntoIterator<Item = Field>) -> Self {
        Self { passed: vec![], added: added.into_iter().collect() }
    }

    /// The schema as the physical plan has it.
    pub(super) fn schema(&self, first: &Schema) -> Schema {
        let passed = self.passed.iter().map(|&column| Arc::clone(&first.fields()[column]));
        let fields: Vec<FieldRef> = passed.chain(self.added.iter().cloned().map(Arc::new)).collect();
        Schema::new_with_metadata(fields, self.metadata(first))
    }

    /// The metadata of the result: those of the first input, if its columns are passed through.
    pub(super) fn metadata(&self, first: &Schema) -> HashMap<String, String> {
        if self.passed.is_empty() { HashMap::new() } else { first.metadata().clone() }
    }

    /// Returns an error if a new column has the name of one that is passed through.
    pub(super) fn check_names(&self, op: &str, first: &Schema) -> Result<()> {
        let is_passed = |new: &&Field| self.passed.iter().any(|&column| first.field(column).name() == new.name());
        match self.added.iter().find(is_passed).map(Field::name) {
            Some(taken) => plan_err!(
                "{op}: the input already has a column `{taken}`; drop or rename it, as in SELECT * EXCEPT ({taken})"
            ),
            None => Ok(()),
        }
    }
}

/// An operator of any type, with its parameters. Two are equal if their names and parameters are.
#[derive(Clone)]
pub struct AnyOperator {
    operator: Arc<dyn Erased>,
    /// The parameters as serde writes them.
    parameters: Arc<str>,
}

impl AnyOperator {
    /// Wraps an operator.
    ///
    /// # Errors
    /// serde cannot serialize its parameters.
    pub fn new<T: RelationOperator>(operator: T) -> Result<Self> {
        let parameters = serde_json::to_string(&operator).map_err(|e| internal_datafusion_err!("{}: {e}", T::NAME))?;
        Ok(Self { operator: Arc::new(operator), parameters: parameters.into() })
    }

    /// Decodes an operator from parameters as returned by [`AnyOperator::parameters`].
    ///
    /// # Errors
    /// Another version of the operator wrote the parameters.
    pub fn read<T: RelationOperator>(parameters: &str) -> Result<Self> {
        let read = serde_json::from_str::<T>(parameters).map_err(|e| internal_datafusion_err!("{}: {e}", T::NAME));
        let read = Self::new(read?)?;
        match *read.parameters == *parameters {
            true => Ok(read),
            false => internal_err!("{}: `{parameters}` was written by another version", T::NAME),
        }
    }

    /// The name.
    pub fn name(&self) -> &'static str {
        self.operator.name()
    }

    /// The serialized parameters.
    pub fn parameters(&self) -> &str {
        &self.parameters
    }

    pub(super) fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        self.operator.output(inputs)
    }

    pub(super) fn stage(&self) -> Stage {
        self.operator.stage()
    }

    pub(super) fn run(&self, work: Work) -> BoxFuture<'static, Result<SendableRecordBatchStream>> {
        self.operator.run(work)
    }
}

impl fmt::Debug for AnyOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.parameters)
    }
}

impl PartialEq for AnyOperator {
    fn eq(&self, other: &Self) -> bool {
        (self.name(), &self.parameters) == (other.name(), &other.parameters)
    }
}

impl Eq for AnyOperator {}

impl Hash for AnyOperator {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.name(), &self.parameters).hash(state);
    }
}

/// [`RelationOperator`] with its type erased.
trait Erased: Send + Sync {
    fn name(&self) -> &'static str;
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output>;
    fn stage(&self) -> Stage;
    fn run(&self, work: Work) -> BoxFuture<'static, Result<SendableRecordBatchStream>>;
}

impl<T: RelationOperator> Erased for T {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        RelationOperator::output(self, inputs)
    }

    fn stage(&self) -> Stage {
        RelationOperator::stage(self)
    }

    fn run(&self, work: Work) -> BoxFuture<'static, Result<SendableRecordBatchStream>> {
        RelationOperator::run(self.clone(), work).boxed()
    }
}
