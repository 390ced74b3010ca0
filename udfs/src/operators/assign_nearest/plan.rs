//! Parses `assign_nearest(relation, centroids => (...), ...)` into a plan node.

use datafusion::common::{Column, ExprSchema, Result, internal_err, plan_datafusion_err, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::{AssignNearest, NAME, reference};
use crate::functions::vector::embeddings;
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::call_several;
use crate::operators::vectors::plan;

impl SqlOperator for AssignNearest {
    const NAME: &'static str = NAME;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::REFERENCE;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let Some(centroids) = args.relation("centroids")? else { return internal_err!("{NAME} requires `centroids`") };
        let vec = args.column("vector")?;
        let metric = plan::metric(&mut args)?;
        let input = args.input().clone();
        let of_centroids = |name: &str| -> Result<Column> {
            centroids.schema().qualified_field_with_unqualified_name(name).map(Column::from).map_err(|_| {
                plan_datafusion_err!(
                    "{NAME}: `centroids` must have the columns centroid_id and centroid, as kmeans gives them"
                )
            })
        };
        let (id, centroid) = (of_centroids("centroid_id")?, of_centroids("centroid")?);
        for (schema, column) in [(input.schema(), &vec), (centroids.schema(), &centroid)] {
            let given = schema.data_type(column)?;
            let what = format!("{NAME}: `{}`", column.name);
            if embeddings::coerce(&what, given)? != *given {
                return plan_err!("{what} must be a list of floats, not {given}; CAST it");
            }
        }
        call_several(AssignNearest { metric }, [(input, vec![vec]), (centroids, vec![id, centroid])])
    }
}
