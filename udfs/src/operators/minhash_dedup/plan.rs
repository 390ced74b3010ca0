//! From `minhash_dedup(relation, ...)` to its node.

use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan, ScalarUDF, lit};

use super::sketch::MinhashSketch;
use crate::kernels::lsh::bands_for;
use crate::operators::args::Args;
use crate::operators::dedup::{Linkage, Rule, Similar};
use crate::operators::exact_dedup::plan::with_sketch;

/// The SQL name.
pub const NAME: &str = "minhash_dedup";

/// The arguments it takes.
pub const ARGUMENTS: &[&str] =
    &["text", "id", "order_by", "threshold", "recall", "ngram", "unit", "linkage", "bucket_limit", "seed"];

/// Most MinHash values a text may need.
const MOST_HASHES: usize = 4096;

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let text = Expr::Column(args.column("text", Some("text"))?);
    let id = args.column("id", Some("id"))?;
    let order_by = args.order_by()?;
    let threshold = args.number("threshold", 0.7, 0.01..=1.0)?;
    let settings = args.settings();
    let recall = args.number("recall", settings.recall, 0.01..=0.999_999)?;
    let unit = args.choice("unit", Some("word"), &["word", "char"])?.unwrap_or_default();
    let ngram = args.integer("ngram", if unit == "char" { 24 } else { 5 }, 1..=1000)?;
    let linkage = match args.choice("linkage", Some("direct"), &["direct", "transitive"])?.as_deref() {
        Some("transitive") => Linkage::Transitive,
        _ => Linkage::Direct,
    };
    let bucket_limit = args.integer("bucket_limit", settings.bucket_limit, 1..=u64::from(u32::MAX))? as u32;
    let seed = args.integer("seed", settings.seed, 0..=i64::MAX as u64)?;
    let Some((bands, rows)) = bands_for(threshold, recall).filter(|(bands, rows)| bands * rows <= MOST_HASHES) else {
        return plan_err!(
            "{NAME}: threshold {threshold} at recall {recall} needs more than {MOST_HASHES} hashes a text; raise the \
             threshold or lower the recall"
        );
    };
    let whole = |value: u64| Expr::Literal(ScalarValue::Int64(Some(value as i64)), None);
    let literals = [lit(unit), whole(ngram), whole(bands as u64), whole(rows as u64), whole(seed)];
    let sketch =
        ScalarUDF::new_from_impl(MinhashSketch::default()).call([text.clone()].into_iter().chain(literals).collect());
    let rule = Rule::Similar(Similar { threshold_bits: threshold.to_bits(), linkage, bucket_limit });
    let input = args.input().clone();
    with_sketch(NAME, input, &text, sketch, rule, id, order_by)
}
