//! The logical node.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use datafusion::common::{Column, DFSchema, DFSchemaRef, Result, internal_err, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan, SortExpr, UserDefinedLogicalNodeCore};

use super::{Call, Output};

/// A call of an operator with its relations.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallNode {
    /// What is done.
    pub call: Call,
    /// The relations.
    pub inputs: Vec<LogicalPlan>,
    /// The columns of each relation that are worked on, in the order the operator knows.
    pub columns: Vec<Vec<Column>>,
    /// Order of the rows of the first relation; the id decides ties.
    pub order_by: Vec<SortExpr>,
    /// Columns of the first relation that are passed on.
    pub(crate) passed: Vec<usize>,
    pub(crate) schema: DFSchemaRef,
}

impl CallNode {
    /// Checks the columns and derives the schema.
    pub fn try_new(
        call: Call,
        inputs: Vec<LogicalPlan>,
        columns: Vec<Vec<Column>>,
        order_by: Vec<SortExpr>,
    ) -> Result<Self> {
        let Some(first) = inputs.first().map(|input| Arc::clone(input.schema())) else {
            return internal_err!("{} needs a relation", call.name());
        };
        let places: Vec<Vec<usize>> = inputs
            .iter()
            .zip(&columns)
            .map(|(input, columns)| columns.iter().map(|column| input.schema().index_of_column(column)).collect())
            .collect::<Result<_>>()?;
        let schemas: Vec<_> = inputs.iter().map(|input| input.schema().inner().as_ref()).collect();
        let Output { passed, added } = call.output(&schemas, &places)?;
        let name = call.name();
        let taken = added.iter().find(|new| passed.iter().any(|&column| first.field(column).name() == new.name()));
        if let Some(taken) = taken {
            let taken = taken.name();
            return plan_err!(
                "{name}: the input already has a column `{taken}`; drop or rename it, as in SELECT * EXCEPT ({taken})"
            );
        }
        let fields = passed.iter().map(|&column| first.qualified_field(column));
        let fields = fields
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)))
            .chain(added.into_iter().map(|field| (None, Arc::new(field))))
            .collect();
        let schema = Arc::new(DFSchema::new_with_metadata(fields, first.inner().metadata().clone())?);
        Ok(Self { call, inputs, columns, order_by, passed, schema })
    }
}

impl PartialOrd for CallNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal).or_else(|| self.inputs.partial_cmp(&other.inputs))
    }
}

impl UserDefinedLogicalNodeCore for CallNode {
    fn name(&self) -> &str {
        "Call"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        let columns = self.columns.iter().flatten().cloned().map(Expr::Column);
        columns.chain(self.order_by.iter().map(|sort| sort.expr.clone())).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.call)?;
        if !self.order_by.is_empty() {
            let list: Vec<String> = self.order_by.iter().map(ToString::to_string).collect();
            write!(f, ", order_by=[{}]", list.join(", "))?;
        }
        Ok(())
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let mut exprs = exprs.into_iter();
        let mut columns = Vec::with_capacity(self.columns.len());
        for list in &self.columns {
            let mut found = vec![];
            for _ in list {
                let Some(Expr::Column(column)) = exprs.next() else {
                    return internal_err!("{} works on columns only", self.call.name());
                };
                found.push(column);
            }
            columns.push(found);
        }
        let order_by = exprs.zip(&self.order_by).map(|(expr, sort)| expr.sort(sort.asc, sort.nulls_first)).collect();
        Self::try_new(self.call.clone(), inputs, columns, order_by)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let mut needed = vec![vec![]; self.inputs.len()];
        needed[0] = output_columns.iter().filter_map(|&column| self.passed.get(column).copied()).collect();
        Some(needed)
    }
}
