//! What an operator is.

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

/// Name of the column, made by the plan below an operator, that the operator compares rows by.
pub const COMPARED_COLUMN: &str = "__limpid_compared";

/// A relation in, a relation out. The value holds the parameters of one call: everything but its relations, their columns and the order
/// of their rows, which the frame keeps.
///
/// The parameters travel over a cluster and stand in EXPLAIN as serde writes them.
pub trait RelationOperator: Serialize + DeserializeOwned + Clone + fmt::Debug + Send + Sync + 'static {
    /// The name, in SQL, EXPLAIN and errors.
    const NAME: &'static str;

    /// The columns of the result.
    ///
    /// # Errors
    /// Columns of types that the operator does not take.
    fn output(&self, inputs: &[Input<'_>]) -> Result<Output>;

    /// Which rows of the first input one task must see.
    fn stage(&self) -> Stage {
        Stage::Whole
    }

    /// Computes the rows of one task.
    fn run(self, work: Work) -> impl Future<Output = Result<SendableRecordBatchStream>> + Send;
}

/// How the first input is spread over tasks. Every task can read the other inputs as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Each partition is a task: the result of a row depends on that row alone.
    EachPartition,
    /// All rows with equal values in the columns of these roles meet in one task.
    ByKey(Vec<usize>),
    /// One task sees all rows.
    Whole,
}

/// An input while a call is planned.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Its schema.
    pub schema: &'a Schema,
    /// The columns that the operator works on: the place in the schema for each role, in the order that the operator knows.
    pub columns: &'a [usize],
}

impl Input<'_> {
    /// The fields of the columns, by role.
    pub fn fields(&self) -> Vec<FieldRef> {
        self.columns.iter().map(|column| Arc::clone(&self.schema.fields()[*column])).collect()
    }

    /// The field of the column in that role.
    ///
    /// # Errors
    /// There is no such role.
    pub fn field(&self, role: usize) -> Result<&Field> {
        match self.columns.get(role) {
            Some(column) => Ok(self.schema.field(*column)),
            None => internal_err!("an operator misses column {role} of its input"),
        }
    }

    /// All columns but those called `name`.
    pub fn without(&self, name: &str) -> Vec<usize> {
        (0..self.schema.fields().len()).filter(|column| self.schema.field(*column).name() != name).collect()
    }

    /// All columns.
    pub fn all(&self) -> Vec<usize> {
        (0..self.schema.fields().len()).collect()
    }
}

/// The only input of an operator that takes one.
///
/// # Errors
/// There are none or several.
pub fn only<'a, 'b>(op: &str, inputs: &'b [Input<'a>]) -> Result<&'b Input<'a>> {
    match inputs {
        [input] => Ok(input),
        _ => internal_err!("{op} takes one relation, not {}", inputs.len()),
    }
}

/// The columns of a result.
#[derive(Debug)]
pub struct Output {
    /// Columns of the first input that are passed on. Where there are any, each row of that input makes one row of the result.
    pub passed: Vec<usize>,
    /// New columns.
    pub added: Vec<Field>,
}

impl Output {
    /// Rows of the operator's own.
    pub fn own(added: impl IntoIterator<Item = Field>) -> Self {
        Self { passed: vec![], added: added.into_iter().collect() }
    }

    /// All fields, as the physical plan has them.
    pub(super) fn schema(&self, first: &Schema) -> Schema {
        let passed = self.passed.iter().map(|&column| Arc::clone(&first.fields()[column]));
        let fields: Vec<FieldRef> = passed.chain(self.added.iter().cloned().map(Arc::new)).collect();
        let metadata = if self.passed.is_empty() { Default::default() } else { first.metadata().clone() };
        Schema::new_with_metadata(fields, metadata)
    }

    /// That no new column is called as one that is passed on.
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

/// Any operator with its parameters. Two are equal where their names and parameters are.
#[derive(Clone)]
pub struct AnyOperator {
    operator: Arc<dyn Erased>,
    /// As serde writes them.
    parameters: Arc<str>,
}

impl AnyOperator {
    /// This operator.
    ///
    /// # Errors
    /// serde cannot write its parameters.
    pub fn new<T: RelationOperator>(operator: T) -> Result<Self> {
        let parameters = serde_json::to_string(&operator).map_err(|e| internal_datafusion_err!("{}: {e}", T::NAME))?;
        Ok(Self { operator: Arc::new(operator), parameters: parameters.into() })
    }

    /// The operator of these parameters, as [`AnyOperator::parameters`] gives them.
    ///
    /// # Errors
    /// They were written by another version of the operator.
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

    /// The parameters, to send.
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

/// [`RelationOperator`] without its type.
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
