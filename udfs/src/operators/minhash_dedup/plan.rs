//! From `minhash_dedup(relation, ...)` to its node.

use datafusion::common::{Result, internal_err, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::sketch::Sketch;
use crate::kernels::lsh::bands_for;
use crate::kernels::presets::Preset;
use crate::kernels::shingler::Unit;
use crate::kernels::words;
use crate::operators::args::Args;
use crate::operators::dedup::{Linkage, Rule, Similar};
use crate::operators::exact_dedup::plan::with_sketch;

/// The SQL name.
pub const NAME: &str = "minhash_dedup";

/// The arguments it takes.
pub const ARGUMENTS: &[&str] =
    &["text", "id", "order_by", "threshold", "recall", "ngram", "unit", "linkage", "bucket_limit", "seed", "preset"];

/// The arguments that a preset decides.
const OF_PRESET: [&str; 4] = ["recall", "ngram", "unit", "seed"];

/// Most MinHash values a text may need.
const MOST_HASHES: usize = 4096;

/// Plans a call.
pub fn plan(mut args: Args) -> Result<LogicalPlan> {
    let text = Expr::Column(args.column("text", Some("text"))?);
    let id = args.column("id", Some("id"))?;
    let order_by = args.order_by()?;
    let preset = preset(&mut args)?;
    let threshold = preset.map_or(0.7, |preset| preset.parameters().threshold);
    let threshold = args.number("threshold", threshold, 0.01..=1.0)?;
    let sketch = match preset {
        Some(preset) => Sketch::Preset(preset),
        None => own(&mut args, threshold)?,
    };
    let linkage = match args.choice("linkage", Some("direct"), &["direct", "transitive"])?.as_deref() {
        Some("transitive") => Linkage::Transitive,
        _ => Linkage::Direct,
    };
    let bucket_limit = args.settings().bucket_limit;
    let bucket_limit = args.integer("bucket_limit", bucket_limit, 1..=u64::from(u32::MAX))? as u32;
    let rule = Rule::Similar(Similar { sketch, threshold_bits: threshold.to_bits(), linkage, bucket_limit });
    let input = args.input().clone();
    with_sketch(NAME, input, text, rule, id, order_by)
}

/// Units a shingle: about as much text for each unit.
fn default_ngram(unit: Unit) -> u64 {
    match unit {
        Unit::Words(words::Rule::Token) => 10,
        Unit::Words(_) => 5,
        Unit::Char => 24,
    }
}

fn preset(args: &mut Args) -> Result<Option<Preset>> {
    let names = Preset::ALL.map(Preset::name);
    let Some(name) = args.choice("preset", None, &names)? else { return Ok(None) };
    if let Some(given) = OF_PRESET.iter().find(|name| args.has(name)) {
        return plan_err!("{NAME}: `preset => '{name}'` decides `{given}`; leave one of the two out");
    }
    match name.parse() {
        Ok(preset) => Ok(Some(preset)),
        Err(e) => internal_err!("{e}"),
    }
}

/// Shingles as the arguments say; bands and rows that find a pair at the threshold with the wanted recall.
fn own(args: &mut Args, threshold: f64) -> Result<Sketch> {
    let settings = args.settings();
    let recall = args.number("recall", settings.recall, 0.01..=0.999_999)?;
    let units = Unit::ALL.map(Unit::name);
    let unit = args.choice("unit", None, &units)?.and_then(|name| Unit::parse(&name)).unwrap_or_default();
    let ngram = args.integer("ngram", default_ngram(unit), 1..=1000)? as u32;
    let seed = args.integer("seed", settings.seed, 0..=i64::MAX as u64)?;
    match bands_for(threshold, recall) {
        Some((bands, rows)) if bands * rows <= MOST_HASHES => {
            Ok(Sketch::Own { unit, ngram, bands: bands as u32, rows: rows as u32, seed })
        }
        _ => plan_err!(
            "{NAME}: threshold {threshold} at recall {recall} needs more than {MOST_HASHES} hashes a text; raise the \
             threshold or lower the recall"
        ),
    }
}
