//! Determines from its plan how a step treats its input rows. The rows of a step that treats each row separately need not be
//! written before the next step reads them.

use datafusion::common::DFSchema;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use limpid_udfs::operators::frame::RelationOperator;
use limpid_udfs::operators::minhash_dedup::stage::MinhashSketch;
use limpid_udfs::operators::{exact_dedup, minhash_dedup, semantic_dedup};

use crate::session::inputs;

/// Nodes that add columns to each row and keep all rows.
const DEDUPLICATORS: [&str; 4] = [exact_dedup::NAME, minhash_dedup::NAME, MinhashSketch::NAME, semantic_dedup::NAME];

/// How a step treats its input rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flow {
    /// Each input row is read once and occurs once in the result, with the same key.
    pub whole: bool,
    /// In addition, each row is treated separately, so rows can be passed on one by one.
    pub alone: bool,
}

impl Flow {
    /// The flow of `plan`, which calls `input` its input; `id` is the key.
    pub fn of(plan: &LogicalPlan, input: &str, id: &str) -> Self {
        let Some(rows) = Rows::of(plan, input, id) else { return Self::default() };
        let key = position(plan.schema(), id);
        let whole = rows.scans == 1 && key.is_some_and(|key| rows.keys.contains(&key));
        Self { whole, alone: whole && rows.alone }
    }
}

/// The rows that a part of a plan yields.
struct Rows {
    /// How often it reads the input.
    scans: usize,
    /// Its columns that are the input's key.
    keys: Vec<usize>,
    /// Whether rows are looked at alone.
    alone: bool,
}

impl Rows {
    /// Analyses a part of a plan; `None` if input rows may be missing or duplicated.
    fn of(plan: &LogicalPlan, input: &str, id: &str) -> Option<Self> {
        match plan {
            // What is read there is looked at by `reads`, and may be the input once more.
            LogicalPlan::TableScan(scan) if inputs::is_input(scan) => None,
            LogicalPlan::TableScan(scan) if scan.filters.is_empty() && scan.fetch.is_none() => {
                let name = scan.table_name.table();
                let is_input = name == "input" || name == input;
                let key = position(&scan.projected_schema, id).filter(|_| is_input);
                Some(Self { scans: usize::from(is_input), keys: key.into_iter().collect(), alone: true })
            }
            LogicalPlan::SubqueryAlias(alias) => Self::of(&alias.input, input, id),
            LogicalPlan::Projection(projection) if projection.expr.iter().all(is_of_one_row) => {
                let below = Self::of(&projection.input, input, id)?;
                let schema = projection.input.schema();
                let is_key = |at: &usize| is_key(&projection.expr[*at], schema, &below.keys);
                let keys = (0..projection.expr.len()).filter(is_key).collect();
                Some(Self { keys, ..below })
            }
            LogicalPlan::Union(union) => {
                let mut all = Self { scans: 0, keys: Vec::new(), alone: true };
                for branch in &union.inputs {
                    let branch = Self::of(branch, input, id)?;
                    all.scans += branch.scans;
                    all.keys.extend(branch.keys);
                    all.alone &= branch.alone;
                }
                Some(all)
            }
            // A deduplicator adds its decision to every row.
            LogicalPlan::Extension(extension) if DEDUPLICATORS.contains(&extension.node.name()) => {
                let [below] = extension.node.inputs()[..] else { return None };
                let rows = Self::of(below, input, id)?;
                let schema = extension.node.schema();
                let passed = |at: &usize| schema.index_of_column(&below.schema().columns()[*at]).ok();
                Some(Self { keys: rows.keys.iter().filter_map(passed).collect(), alone: false, ..rows })
            }
            _ => None,
        }
    }
}

fn position(schema: &DFSchema, name: &str) -> Option<usize> {
    schema.fields().iter().position(|field| field.name() == name)
}

/// Whether a value depends on one row alone and is always the same. Encoders do not qualify: they count unreadable texts for
/// the whole step.
fn is_of_one_row(expr: &Expr) -> bool {
    let other = expr.exists(|expr| {
        Ok(expr.is_volatile_node()
            || match expr {
                Expr::ScalarFunction(call) => call.func.name().starts_with("embed_"),
                Expr::AggregateFunction(_)
                | Expr::WindowFunction(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
                | Expr::ScalarSubquery(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::Unnest(_) => true,
                _ => false,
            })
    });
    other.is_ok_and(|other| !other)
}

/// Whether `expr` is one of the columns `keys` of `below`, possibly cast to text from text or an integer.
fn is_key(expr: &Expr, below: &DFSchema, keys: &[usize]) -> bool {
    match expr {
        Expr::Alias(alias) => is_key(&alias.expr, below, keys),
        Expr::Column(column) => below.index_of_column(column).is_ok_and(|at| keys.contains(&at)),
        Expr::Cast(cast) if cast.field.data_type().is_string() => {
            let kind = cast.expr.get_type(below);
            kind.is_ok_and(|kind| kind.is_string() || kind.is_integer()) && is_key(&cast.expr, below, keys)
        }
        _ => false,
    }
}
