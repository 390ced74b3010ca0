//! From `nearest_neighbors(relation, k => 10, ...)` to its node.

use datafusion::common::{Column, Result, plan_datafusion_err, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::{ADDED, NearestNeighbors};
use crate::kernels::vector::search::Metric;
use crate::operators::args::Args;
use crate::operators::call::{Call, plan};
use crate::operators::kmeans::plan::MOST;

/// The SQL name.
pub const NAME: &str = "nearest_neighbors";

/// The arguments it takes.
pub const ARGUMENTS: &[&str] = &["vec", "id", "among", "k", "threshold", "metric", "recall", "cells", "index", "seed"];

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let k = args.required_integer("k", 1..=65_536)?;
    let metric = plan::metric(&mut args)?;
    let threshold = match (args.has("threshold"), metric) {
        (false, _) => None,
        (true, Metric::Cosine) => Some(args.number("threshold", -1.0, -1.0..=1.0)?.into()),
        (true, Metric::L2) => Some(args.number("threshold", 0.0, 0.0..=1e15)?.into()),
    };
    let settings = args.settings();
    let recall = args.number("recall", settings.recall, 0.5..=1.0)?.into();
    let cells = args.integer("cells", 0, 0..=MOST)?;
    let seed = args.integer("seed", settings.seed, 0..=i64::MAX as u64)?;
    let index = args.text("index")?;
    if index.as_deref() == Some("") {
        return plan_err!("{NAME}: `index` must be a file's name, not an empty text");
    }
    let among = if args.has("among") { Some(args.relation("among")?) } else { None };
    let id = args.column("id", Some("id"))?;
    if ADDED.contains(&id.name.as_str()) {
        return plan_err!("{NAME}: the id may not be called `{}`, a column of the result is; rename it", id.name);
    }
    let vec = args.column("vec", Some("embedding"))?;
    let mut inputs = vec![args.input().clone()];
    let mut columns = vec![vec![vec.clone(), id.clone()]];
    if let Some(among) = among {
        let of_among = |name: &str| -> Result<Column> {
            among.schema().qualified_field_with_unqualified_name(name).map(Column::from).map_err(|_| {
                plan_datafusion_err!("{NAME}: `among` must have a column `{name}` too, as the first relation has")
            })
        };
        columns.push(vec![of_among(&vec.name)?, of_among(&id.name)?]);
        inputs.push(among);
    }
    for (input, columns) in inputs.iter_mut().zip(&mut columns) {
        (*input, columns[0]) = plan::add_vectors(NAME, input.clone(), columns[0].clone())?;
    }
    let call = NearestNeighbors { metric, k, threshold, recall, cells, seed, index };
    plan::call(Call::NearestNeighbors(call), inputs, columns, vec![])
}
