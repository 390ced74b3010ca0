//! From `concept_clusters(relation, k => 20, ...)` to its node.

use arrow::datatypes::DataType;
use datafusion::common::{ExprSchema, Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::ConceptClusters;
use crate::operators::args::Args;
use crate::operators::call::{Call, plan};
use crate::operators::kmeans::plan::{MOST, SAMPLE};

/// The SQL name.
pub const NAME: &str = "concept_clusters";

/// The arguments it takes.
pub const ARGUMENTS: &[&str] =
    &["vec", "id", "text", "k", "metric", "iterations", "sample", "balanced", "words", "seed"];

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let k = args.required_integer("k", 1..=MOST)?;
    let metric = plan::metric(&mut args)?;
    let iterations = args.integer("iterations", 25, 0..=10_000)?;
    let sample = args.integer("sample", (SAMPLE * k).max(16_384), 0..=u64::from(u32::MAX) - 1)?;
    if sample > 0 && sample < k {
        return plan_err!("{NAME}: `sample` must be 0 (all rows) or at least k, {k}, not {sample}");
    }
    let balanced = args.flag("balanced", false)?;
    let seed = args.settings().seed;
    let seed = args.integer("seed", seed, 0..=i64::MAX as u64)?;
    if args.has("words") && !args.has("text") {
        return plan_err!("{NAME}: `words` has a meaning with `text => column` only");
    }
    let words = args.integer("words", 5, 1..=50)?;
    let id = args.column("id", Some("id"))?;
    let text = if args.has("text") { Some(args.column("text", None)?) } else { None };
    if let Some(text) = &text {
        let given = args.input().schema().data_type(text)?;
        if !matches!(given, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
            return plan_err!("{NAME}: `text => {}` must be text, not {given}", text.name);
        }
    }
    let (input, vec) = plan::with_vectors(NAME, &mut args)?;
    let columns = [vec, id].into_iter().chain(text).collect();
    let call = ConceptClusters { metric, k, iterations, sample, balanced, words, seed };
    plan::call(Call::ConceptClusters(call), vec![input], vec![columns], vec![])
}
