//! Parses `concept_clusters(relation, k => 20, ...)` into a plan node.

use arrow::datatypes::DataType;
use datafusion::common::{ExprSchema, Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::parameters::{ConceptClusters, NAME};
use super::reference;
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::call;
use crate::operators::kmeans::plan::SAMPLE;
use crate::operators::vectors::plan;

impl SqlOperator for ConceptClusters {
    const NAME: &'static str = NAME;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::REFERENCE;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let k = args.integer("k")?;
        let metric = plan::metric(&mut args)?;
        let iterations = args.integer("iterations")?;
        let sample = args.integer_or("sample", (SAMPLE * k).max(16_384))?;
        if sample > 0 && sample < k {
            return plan_err!("{NAME}: `sample` must be 0 (all rows) or at least k, {k}, not {sample}");
        }
        let balanced = args.flag("balanced")?;
        let seed = args.settings().seed;
        let seed = args.integer_or("seed", seed)?;
        if args.has("words") && !args.has("text") {
            return plan_err!("{NAME}: `words` has a meaning with `text => column` only");
        }
        let words = args.integer("words")?;
        let id = args.column("id")?;
        let text = args.optional_column("text")?;
        if let Some(text) = &text {
            let given = args.input().schema().data_type(text)?;
            if !matches!(given, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
                return plan_err!("{NAME}: `text => {}` must be text, not {given}", text.name);
            }
        }
        let (input, vec) = plan::with_vectors(NAME, &mut args)?;
        let columns = [vec, id].into_iter().chain(text).collect();
        let operator = ConceptClusters { metric, k, iterations, sample, balanced, words, seed };
        call(operator, input, columns)
    }
}
