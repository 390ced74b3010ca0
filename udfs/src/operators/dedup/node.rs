//! The logical node of the deduplicators.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, DFSchema, DFSchemaRef, ExprSchema, Result, internal_err, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan, SortExpr, UserDefinedLogicalNodeCore};

use super::{Rule, SKETCH, Similar};

/// `exact_dedup`, `minhash_dedup` and `semantic_dedup`: keeps every row, adds the decision.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DedupNode {
    /// The operator's SQL name.
    pub name: String,
    /// Columns of the user's relation and [`SKETCH`].
    pub input: LogicalPlan,
    /// When a row goes.
    pub rule: Rule,
    /// The row key.
    pub id: Column,
    /// Who comes first survives; the id decides ties.
    pub order_by: Vec<SortExpr>,
    pub(crate) schema: DFSchemaRef,
}

/// The added columns, for the field `id`.
pub(super) fn added(id: &Field) -> [Field; 4] {
    [
        Field::new("keep", DataType::Boolean, false),
        Field::new("duplicate_of", id.data_type().clone(), true),
        Field::new("similarity", DataType::Float64, true),
        Field::new("cluster_id", id.data_type().clone(), false),
    ]
}

impl DedupNode {
    /// Checks the columns and derives the schema.
    pub fn try_new(name: &str, input: LogicalPlan, rule: Rule, id: Column, order_by: Vec<SortExpr>) -> Result<Self> {
        let below = input.schema();
        let id_field = below.field_from_column(&id)?;
        let added = added(id_field);
        if let Some(taken) = added.iter().find(|new| below.has_column_with_unqualified_name(new.name())) {
            let taken = taken.name();
            return plan_err!(
                "{name}: the input already has a column `{taken}`; drop or rename it, as in SELECT * EXCEPT ({taken})"
            );
        }
        let passed = below.iter().filter(|(_, field)| field.name() != SKETCH);
        let fields = passed
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)))
            .chain(added.into_iter().map(|field| (None, Arc::new(field))))
            .collect();
        let schema = Arc::new(DFSchema::new_with_metadata(fields, below.inner().metadata().clone())?);
        Ok(Self { name: name.to_owned(), input, rule, id, order_by, schema })
    }
}

impl PartialOrd for DedupNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal).or_else(|| self.input.partial_cmp(&other.input))
    }
}

impl UserDefinedLogicalNodeCore for DedupNode {
    fn name(&self) -> &str {
        "Dedup"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        let own = [Expr::Column(self.id.clone()), Expr::Column(Column::new_unqualified(SKETCH))];
        own.into_iter().chain(self.order_by.iter().map(|sort| sort.expr.clone())).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Dedup: {}, id={}, {}", self.name, self.id.name, self.rule)?;
        if !self.order_by.is_empty() {
            let list: Vec<String> = self.order_by.iter().map(ToString::to_string).collect();
            write!(f, ", order_by=[{}]", list.join(", "))?;
        }
        Ok(())
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let [input] = <[LogicalPlan; 1]>::try_from(inputs)
            .or_else(|found| internal_err!("Dedup takes one input, not {}", found.len()))?;
        let mut exprs = exprs.into_iter();
        let (Some(Expr::Column(id)), Some(_)) = (exprs.next(), exprs.next()) else {
            return internal_err!("Dedup works on columns only");
        };
        let order_by = exprs.zip(&self.order_by).map(|(expr, sort)| expr.sort(sort.asc, sort.nulls_first)).collect();
        Self::try_new(&self.name, input, self.rule, id, order_by)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let below = self.input.schema();
        let passed: Vec<usize> = (0..below.fields().len()).filter(|&i| below.field(i).name() != SKETCH).collect();
        Some(vec![output_columns.iter().filter_map(|&i| passed.get(i).copied()).collect()])
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Exact => write!(f, "equal text"),
            Self::Similar(s) => {
                let Similar { sketch, threshold_bits: _, linkage, bucket_limit } = s;
                write!(f, "jaccard >= {}, {sketch}, linkage={linkage:?}, bucket_limit={bucket_limit}", s.threshold())
            }
            Self::Semantic(s) => {
                let (threshold, recall) = (s.threshold(), s.recall());
                write!(f, "cosine >= {threshold}, mode={:?}, recall={recall}, cells={}", s.mode, s.cells)
            }
        }
    }
}
