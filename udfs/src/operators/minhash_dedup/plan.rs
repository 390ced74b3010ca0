//! Parses `minhash_dedup(relation, ...)` into a plan node.

use datafusion::common::{Column, Result, internal_err, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::sketch::Sketch;
use super::stage::MinhashSketch;
use super::{Linkage, MinhashDedup, NAME, reference};
use crate::kernels::lsh::bands_for;
use crate::kernels::presets::Preset;
use crate::kernels::shingler::Unit;
use crate::kernels::words;
use crate::operators::dedup::{columns, with_text};
use crate::operators::frame::args::Args;
use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;
use crate::operators::frame::list::SqlOperator;
use crate::operators::frame::node::{call, call_ordered};
use crate::operators::frame::operator::COMPARED_COLUMN;

/// Arguments that a preset fixes.
const OF_PRESET: [&str; 4] = ["recall", "ngram", "unit", "seed"];

/// Maximum number of MinHash values per text.
const MOST_HASHES: usize = 4096;

impl SqlOperator for MinhashDedup {
    const NAME: &'static str = NAME;
    const ARGUMENTS: &'static [Argument] = reference::ARGUMENTS;
    const REFERENCE: Reference = reference::REFERENCE;

    fn plan(mut args: Args) -> Result<LogicalPlan> {
        let text = Expr::Column(args.column("text")?);
        let id = args.column("id")?;
        let order_by = args.order_by()?;
        let preset = preset(&mut args)?;
        let threshold = preset.map_or(0.7, |preset| preset.parameters().threshold);
        let threshold = args.number_or("threshold", threshold)?;
        let sketch = match preset {
            Some(preset) => Sketch::Preset(preset),
            None => own(&mut args, threshold)?,
        };
        let linkage = args.choice("linkage", &[("direct", Linkage::Direct), ("transitive", Linkage::Transitive)])?;
        let bucket_limit = args.settings().bucket_limit;
        let bucket_limit = args.integer_or("bucket_limit", bucket_limit)? as u32;
        let texts = with_text(NAME, args.input().clone(), text)?;
        let sketches = call(MinhashSketch { sketch }, texts, vec![Column::new_unqualified(COMPARED_COLUMN)])?;
        let operator = MinhashDedup { threshold: threshold.into(), linkage, bucket_limit };
        call_ordered(operator, sketches, columns(id), order_by)
    }
}

/// Default number of units per shingle, chosen so that a shingle covers about as much text for every unit.
fn default_ngram(unit: Unit) -> u64 {
    match unit {
        Unit::Words(words::Rule::Token) => 10,
        Unit::Words(_) => 5,
        Unit::Char => 24,
    }
}

fn preset(args: &mut Args) -> Result<Option<Preset>> {
    let Some(name) = args.optional_word("preset")? else { return Ok(None) };
    if let Some(given) = OF_PRESET.iter().find(|name| args.has(name)) {
        return plan_err!("{NAME}: `preset => '{name}'` decides `{given}`; leave one of the two out");
    }
    match name.parse() {
        Ok(preset) => Ok(Some(preset)),
        Err(e) => internal_err!("{e}"),
    }
}

/// Builds the sketch from explicit arguments: its bands and rows find a pair at the threshold with the wanted recall.
fn own(args: &mut Args, threshold: f64) -> Result<Sketch> {
    let settings = args.settings();
    let recall = args.number_or("recall", settings.recall)?;
    let unit = Unit::parse(args.word("unit")?).unwrap_or_default();
    let ngram = args.integer_or("ngram", default_ngram(unit))? as u32;
    let seed = args.integer_or("seed", settings.seed)?;
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
