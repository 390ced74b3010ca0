//! The narrow plan, which finds the first rows without the columns that do not decide.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};

use super::types::{Expr, Plan};

/// What has become of a column of the original plan.
#[derive(Debug, Clone)]
enum Place {
    /// This column of the narrow plan.
    Early(usize),
    /// This expression over the late columns, followed by [`Narrow::carried`].
    Late(Expr),
}

/// A plan with the deciding columns and the two location columns.
pub(super) struct Narrow {
    plan: Plan,
    /// The columns of the original plan.
    places: Vec<Place>,
    /// Number of late columns.
    late: usize,
    /// Columns of the narrow plan that late expressions use too.
    carried: Vec<usize>,
    /// The columns of the narrow plan with file and row number.
    location: [usize; 2],
}

impl Narrow {
    /// Starts with a scan of the columns `early` of `schema` and of row locations.
    pub(super) fn new(plan: Plan, schema: &Schema, early: &[usize], late: &[usize]) -> Self {
        let place = |column: usize| match early.iter().position(|&other| other == column) {
            Some(at) => Place::Early(at),
            None => {
                let at = late.iter().position(|&other| other == column).unwrap_or_default();
                Place::Late(Arc::new(Column::new(schema.field(column).name(), at)))
            }
        };
        let places = (0..schema.fields().len()).map(place).collect();
        Self { plan, places, late: late.len(), carried: Vec::new(), location: [early.len(), early.len() + 1] }
    }

    /// Adds the equivalent of `node` on top.
    pub(super) fn put(&mut self, node: &Plan) -> Result<()> {
        if let Some(filter) = node.downcast_ref::<FilterExec>() {
            return self.filter(filter);
        }
        if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
            return self.project(projection.expr());
        }
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.plan = Arc::clone(node).replace_children(vec![Arc::clone(&self.plan)], options)?;
        Ok(())
    }

    fn filter(&mut self, filter: &FilterExec) -> Result<()> {
        let predicate = self.early(filter.predicate())?;
        let filtered = FilterExecBuilder::new(predicate, Arc::clone(&self.plan))
            .with_default_selectivity(filter.default_selectivity())
            .with_batch_size(filter.batch_size())
            .build()?;
        self.plan = Arc::new(filtered);
        if let Some(projection) = filter.projection() {
            self.places = projection.iter().map(|&column| self.place(column).cloned()).collect::<Result<_>>()?;
        }
        Ok(())
    }

    fn project(&mut self, exprs: &[ProjectionExpr]) -> Result<()> {
        let (mut places, mut early) = (Vec::new(), Vec::new());
        for expr in exprs {
            let mut is_early = true;
            for column in collect_columns(&expr.expr) {
                is_early &= matches!(self.place(column.index())?, Place::Early(_));
            }
            places.push(if is_early {
                early.push(ProjectionExpr::new(self.early(&expr.expr)?, expr.alias.clone()));
                Place::Early(early.len() - 1)
            } else {
                Place::Late(self.late(&expr.expr)?)
            });
        }
        let schema = self.plan.schema();
        let mut pass = |column: &mut usize| {
            let name = schema.field(*column).name();
            early.push(ProjectionExpr::new(Arc::new(Column::new(name, *column)), name.clone()));
            *column = early.len() - 1;
        };
        self.carried.iter_mut().for_each(&mut pass);
        self.location.iter_mut().for_each(&mut pass);
        self.plan = Arc::new(ProjectionExec::try_new(early, Arc::clone(&self.plan))?);
        self.places = places;
        Ok(())
    }

    /// Adds the sort, and the merge above it; `None` if not all of its keys are in the narrow plan.
    pub(super) fn sort(&mut self, sort: &SortExec, merge: Option<&SortPreservingMergeExec>) -> Result<Option<Plan>> {
        let keys = sort.expr().iter().map(|key| Ok(PhysicalSortExpr::new(self.early(&key.expr)?, key.options)));
        let Some(ordering) = LexOrdering::new(keys.collect::<Result<Vec<_>>>()?) else { return Ok(None) };
        let sorted = SortExec::new(ordering.clone(), Arc::clone(&self.plan))
            .with_preserve_partitioning(sort.preserve_partitioning())
            .with_fetch(sort.fetch());
        let sorted: Plan = Arc::new(sorted);
        Ok(Some(match merge {
            Some(merge) => Arc::new(SortPreservingMergeExec::new(ordering, sorted).with_fetch(merge.fetch())),
            None => sorted,
        }))
    }

    /// The columns of the original plan, over the late columns followed by those of the narrow plan, including the two
    /// location columns.
    pub(super) fn outputs(&self) -> Result<super::exec::Outputs> {
        let schema = self.plan.schema();
        let column = |at: usize| -> Expr { Arc::new(Column::new(schema.field(at).name(), self.late + at)) };
        let exprs = self.places.iter().map(|place| match place {
            Place::Early(at) => Ok(column(*at)),
            Place::Late(expr) => replace(expr, &mut |read| match read.index().checked_sub(self.late) {
                Some(slot) => self.carried.get(slot).map(|&at| column(at)).ok_or_else(|| unknown(slot)),
                None => Ok(Arc::new(read.clone())),
            }),
        });
        Ok(super::exec::Outputs { exprs: exprs.collect::<Result<_>>()?, location: self.location })
    }

    fn place(&self, column: usize) -> Result<&Place> {
        self.places.get(column).ok_or_else(|| unknown(column))
    }

    /// Rewrites an expression of early columns over the narrow plan.
    fn early(&self, expr: &Expr) -> Result<Expr> {
        replace(expr, &mut |column| match self.place(column.index())? {
            Place::Early(at) => Ok(Arc::new(Column::new(column.name(), *at))),
            Place::Late(_) => Err(unknown(column.index())),
        })
    }

    /// Rewrites an expression over late columns and over early ones, which are carried from now on.
    fn late(&mut self, expr: &Expr) -> Result<Expr> {
        let Self { places, late, carried, .. } = self;
        replace(expr, &mut |column| match places.get(column.index()) {
            Some(Place::Late(expr)) => Ok(Arc::clone(expr)),
            Some(Place::Early(at)) => {
                let slot = carried.iter().position(|other| other == at).unwrap_or_else(|| {
                    carried.push(*at);
                    carried.len() - 1
                });
                Ok(Arc::new(Column::new(column.name(), *late + slot)))
            }
            None => Err(unknown(column.index())),
        })
    }
}

fn unknown(column: usize) -> datafusion::common::DataFusionError {
    internal_datafusion_err!("column {column} has no place among early and late ones")
}

/// Replaces the columns of an expression. Replacements are not examined again.
fn replace(expr: &Expr, with: &mut dyn FnMut(&Column) -> Result<Expr>) -> Result<Expr> {
    Arc::clone(expr)
        .transform_up(|node| match node.downcast_ref::<Column>() {
            Some(column) => with(column).map(Transformed::yes),
            None => Ok(Transformed::no(node)),
        })
        .data()
}
