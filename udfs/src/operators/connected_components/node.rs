//! The logical node.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::{Column, DFSchema, DFSchemaRef, ExprSchema, Result, internal_err, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

/// Name of the added column.
pub const COMPONENT: &str = "component";

/// Keeps every edge, adds the smallest id of its connected component.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ComponentsNode {
    /// The edges.
    pub input: LogicalPlan,
    /// One end.
    pub source: Column,
    /// The other end.
    pub target: Column,
    pub(crate) schema: DFSchemaRef,
}

impl ComponentsNode {
    /// Checks the columns and derives the schema.
    pub fn try_new(input: LogicalPlan, source: Column, target: Column) -> Result<Self> {
        let below = input.schema();
        let (from, to) = (below.field_from_column(&source)?, below.field_from_column(&target)?);
        if from.data_type() != to.data_type() {
            return plan_err!(
                "connected_components: `{}` is {} and `{}` is {}; both ends must have one type",
                source.name,
                from.data_type(),
                target.name,
                to.data_type()
            );
        }
        if below.has_column_with_unqualified_name(COMPONENT) {
            return plan_err!(
                "connected_components: the input already has a column `{COMPONENT}`; drop or rename it, \
                 as in SELECT * EXCEPT ({COMPONENT})"
            );
        }
        let added = Field::new(COMPONENT, from.data_type().clone(), false);
        let fields = below
            .iter()
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)))
            .chain([(None, Arc::new(added))])
            .collect();
        let schema = Arc::new(DFSchema::new_with_metadata(fields, below.inner().metadata().clone())?);
        Ok(Self { input, source, target, schema })
    }
}

impl PartialOrd for ComponentsNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal).or_else(|| self.input.partial_cmp(&other.input))
    }
}

impl UserDefinedLogicalNodeCore for ComponentsNode {
    fn name(&self) -> &str {
        "ConnectedComponents"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![Expr::Column(self.source.clone()), Expr::Column(self.target.clone())]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "ConnectedComponents: source={}, target={}", self.source.name, self.target.name)
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        match (exprs.as_slice(), inputs.pop(), inputs.is_empty()) {
            ([Expr::Column(source), Expr::Column(target)], Some(input), true) => {
                Self::try_new(input, source.clone(), target.clone())
            }
            _ => internal_err!("ConnectedComponents takes one input and two columns"),
        }
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let width = self.input.schema().fields().len();
        Some(vec![output_columns.iter().copied().filter(|&i| i < width).collect()])
    }
}
