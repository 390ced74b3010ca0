//! Parses `nearest_neighbors(relation, k => 10, ...)` into a plan node.

use datafusion::common::{Column, Result, plan_datafusion_err, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::parameters::{ADDED, NAME, NearestNeighbors};
use super::reference;
use crate::kernels::vector::search::Metric;
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::call_several;
use crate::operators::vectors::plan;

impl SqlOperator for NearestNeighbors {
    const NAME: &'static str = NAME;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::REFERENCE;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let k = args.integer("k")?;
        let metric = plan::metric(&mut args)?;
        let threshold = match (args.has("threshold"), metric) {
            (false, _) => None,
            (true, Metric::Cosine) => Some(args.number_within("threshold", -1.0..=1.0)?.into()),
            (true, Metric::L2) => Some(args.number_within("threshold", 0.0..=1e15)?.into()),
        };
        let settings = args.settings();
        let recall = args.number_or("recall", settings.recall)?.into();
        let cells = args.integer_or("cells", 0)?;
        let seed = args.integer_or("seed", settings.seed)?;
        let index = args.text("index")?;
        if index.as_deref() == Some("") {
            return plan_err!("{NAME}: `index` must be a file's name, not an empty text");
        }
        let among = args.relation("among")?;
        let id = args.column("id")?;
        if ADDED.contains(&id.name.as_str()) {
            return plan_err!("{NAME}: the id may not be called `{}`, a column of the result is; rename it", id.name);
        }
        let vec = args.column("vector")?;
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
        let operator = NearestNeighbors { metric, k, threshold, recall, cells, seed, index };
        call_several(operator, inputs.into_iter().zip(columns))
    }
}
