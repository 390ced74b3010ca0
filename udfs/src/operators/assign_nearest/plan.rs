//! From `assign_nearest(relation, centroids => (...), ...)` to its node.

use datafusion::common::{Column, ExprSchema, Result, plan_datafusion_err, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::AssignNearest;
use crate::functions::vector::embeddings;
use crate::operators::args::Args;
use crate::operators::call::{Call, plan};

/// The SQL name.
pub const NAME: &str = "assign_nearest";

/// The arguments it takes.
pub const ARGUMENTS: &[&str] = &["centroids", "vec", "metric"];

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let centroids = args.relation("centroids")?;
    let vec = args.column("vec", Some("embedding"))?;
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
    let call = Call::AssignNearest(AssignNearest { metric });
    plan::call(call, vec![input, centroids], vec![vec![vec], vec![id, centroid]], vec![])
}
