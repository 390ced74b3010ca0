//! The logical node.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use datafusion::common::{Column, DFSchema, DFSchemaRef, Result, internal_err};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, SortExpr, UserDefinedLogicalNodeCore};

use super::explain::explain;
use super::operator::{AnyOperator, Input, RelationOperator};

/// A call of an operator with its input relations.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OperatorNode {
    /// The operator with its parameters.
    pub operator: AnyOperator,
    /// The input relations.
    pub inputs: Vec<LogicalPlan>,
    /// The columns of each relation that the operator works on, by role.
    pub columns: Vec<Vec<Column>>,
    /// Order of the rows of the first relation; ties are broken by id.
    pub order_by: Vec<SortExpr>,
    /// Columns of the first relation that appear in the result.
    passed: Vec<usize>,
    schema: DFSchemaRef,
}

/// Plans a call over one relation.
///
/// # Errors
/// The operator does not accept a column, or a column has the name of one that the operator adds.
pub fn call(operator: impl RelationOperator, input: LogicalPlan, columns: Vec<Column>) -> Result<LogicalPlan> {
    call_ordered(operator, input, columns, vec![])
}

/// Plans a call over one relation whose rows have an order.
///
/// # Errors
/// Those of [`call`].
pub fn call_ordered(
    operator: impl RelationOperator,
    input: LogicalPlan,
    columns: Vec<Column>,
    order_by: Vec<SortExpr>,
) -> Result<LogicalPlan> {
    OperatorNode::plan(AnyOperator::new(operator)?, vec![input], vec![columns], order_by)
}

/// Plans a call over several relations, each with its columns.
///
/// # Errors
/// Those of [`call`].
pub fn call_several(
    operator: impl RelationOperator,
    relations: impl IntoIterator<Item = (LogicalPlan, Vec<Column>)>,
) -> Result<LogicalPlan> {
    let (inputs, columns) = relations.into_iter().unzip();
    OperatorNode::plan(AnyOperator::new(operator)?, inputs, columns, vec![])
}

impl OperatorNode {
    fn plan(
        operator: AnyOperator,
        inputs: Vec<LogicalPlan>,
        columns: Vec<Vec<Column>>,
        order_by: Vec<SortExpr>,
    ) -> Result<LogicalPlan> {
        let node = Self::try_new(operator, inputs, columns, order_by)?;
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
    }

    /// Checks the columns and derives the schema.
    pub fn try_new(
        operator: AnyOperator,
        inputs: Vec<LogicalPlan>,
        columns: Vec<Vec<Column>>,
        order_by: Vec<SortExpr>,
    ) -> Result<Self> {
        let name = operator.name();
        let (Some(first), true) = (inputs.first().map(LogicalPlan::schema), inputs.len() == columns.len()) else {
            return internal_err!("{name} has {} relations and {} lists of columns", inputs.len(), columns.len());
        };
        let mut places = Vec::with_capacity(columns.len());
        for (input, columns) in inputs.iter().zip(&columns) {
            let schema = input.schema();
            places.push(columns.iter().map(|c| schema.index_of_column(c)).collect::<Result<Vec<_>>>()?);
        }
        let seen = inputs.iter().zip(&places);
        let seen: Vec<_> = seen.map(|(input, columns)| Input { schema: input.schema().as_arrow(), columns }).collect();
        let output = operator.output(&seen)?;
        output.check_names(name, first.as_arrow())?;
        let passed = output.passed.iter().map(|&column| first.qualified_field(column));
        let fields = passed
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)))
            .chain(output.added.iter().map(|field| (None, Arc::new(field.clone()))))
            .collect();
        let schema = Arc::new(DFSchema::new_with_metadata(fields, output.metadata(first.as_arrow()))?);
        Ok(Self { passed: output.passed, operator, inputs, columns, order_by, schema })
    }
}

impl PartialOrd for OperatorNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal).or_else(|| self.inputs.partial_cmp(&other.inputs))
    }
}

impl UserDefinedLogicalNodeCore for OperatorNode {
    fn name(&self) -> &str {
        self.operator.name()
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
        let columns: Vec<_> = self.columns.iter().flatten().map(|column| column.name.as_str()).collect();
        let order_by: Vec<_> = self.order_by.iter().map(ToString::to_string).collect();
        explain(&self.operator, &columns, &order_by, f)
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let mut exprs = exprs.into_iter();
        let mut columns = Vec::with_capacity(self.columns.len());
        for list in &self.columns {
            let found = exprs.by_ref().take(list.len()).map(|expr| match expr {
                Expr::Column(column) => Ok(column),
                other => internal_err!("{} works on columns, not on `{other}`", self.operator.name()),
            });
            columns.push(found.collect::<Result<_>>()?);
        }
        let order_by = exprs.zip(&self.order_by).map(|(expr, sort)| expr.sort(sort.asc, sort.nulls_first)).collect();
        Self::try_new(self.operator.clone(), inputs, columns, order_by)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let mut needed = vec![vec![]; self.inputs.len()];
        needed[0] = output_columns.iter().filter_map(|&column| self.passed.get(column).copied()).collect();
        Some(needed)
    }
}
