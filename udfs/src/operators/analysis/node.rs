//! The logical node.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use datafusion::common::{Column, DFSchema, DFSchemaRef, ExprSchema, Result, internal_err};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use super::Analysis;

/// A relation from some columns of another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AnalysisNode {
    /// The rows.
    pub input: LogicalPlan,
    /// What is computed.
    pub analysis: Analysis,
    /// The columns it is computed from, each in its role.
    pub columns: Vec<Column>,
    pub(crate) schema: DFSchemaRef,
}

impl AnalysisNode {
    /// Checks the columns and derives the schema.
    pub fn try_new(input: LogicalPlan, analysis: Analysis, columns: Vec<Column>) -> Result<Self> {
        let fields = columns.iter().map(|column| Ok(Arc::clone(input.schema().field_from_column(column)?)));
        let output = analysis.output(&fields.collect::<Result<Vec<_>>>()?)?;
        let schema = Arc::new(DFSchema::from_unqualified_fields(output, Default::default())?);
        Ok(Self { input, analysis, columns, schema })
    }
}

impl PartialOrd for AnalysisNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal).or_else(|| self.input.partial_cmp(&other.input))
    }
}

impl UserDefinedLogicalNodeCore for AnalysisNode {
    fn name(&self) -> &str {
        self.analysis.name()
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.columns.iter().cloned().map(Expr::Column).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.analysis.name())?;
        self.analysis.explain(&self.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), f)
    }

    /// Which rows are there decides about all the others.
    fn prevent_predicate_push_down_columns(&self) -> std::collections::HashSet<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let columns = exprs.into_iter().map(|expr| match expr {
            Expr::Column(column) => Ok(column),
            other => internal_err!("{} takes columns, not `{other}`", self.analysis.name()),
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        match (inputs.pop(), inputs.is_empty()) {
            (Some(input), true) => Self::try_new(input, self.analysis.clone(), columns),
            _ => internal_err!("{} takes one input", self.analysis.name()),
        }
    }

    fn necessary_children_exprs(&self, _: &[usize]) -> Option<Vec<Vec<usize>>> {
        let schema = self.input.schema();
        let mut needed: Vec<usize> = self.columns.iter().filter_map(|c| schema.maybe_index_of_column(c)).collect();
        needed.sort_unstable();
        needed.dedup();
        Some(vec![needed])
    }
}
