//! A [`JobReport`] arranged the way the page shows it: everything the templates cannot work out themselves.

use std::borrow::Cow;

use chrono::DateTime;
use plotters::style::RGBColor;
use serde::Serialize;

use super::data::{Concept, Concepts, JobReport, Sample, SourceReport, StepReport};
use super::diff::{Kind, Part, compare, fold};
use super::error::ReportError;
use super::plots::Plot;
use super::terminal::removed;
use super::text::{prefix, printable};
use super::{numbers, plots};

/// Characters of a sample's texts on the page.
const SAMPLE_CHARS: usize = 4_000;

/// What `report.html` is given.
#[derive(Serialize)]
pub struct Page<'a> {
    report: &'a JobReport,
    style: &'static str,
    script: &'static str,
    started: String,
    rate: String,
    /// Removed rows of the whole job; 0 where it ended with more than it began with.
    removed: u64,
    failed_checks: usize,
    sources: Vec<Source<'a>>,
    funnel: Option<String>,
    lengths: Option<String>,
    steps: Vec<Step<'a>>,
    /// Reasons of the samples, each once, in order of appearance.
    reasons: Vec<&'a str>,
    samples: usize,
}

/// A source with the number of rows that steps removed.
#[derive(Serialize)]
struct Source<'a> {
    #[serde(flatten)]
    report: &'a SourceReport,
    gone: u64,
}

#[derive(Serialize)]
struct Step<'a> {
    #[serde(flatten)]
    report: &'a StepReport,
    number: usize,
    removed: u64,
    added: u64,
    plots: Vec<Plot>,
    /// Columns of three that the plots leave in their last row.
    free_columns: usize,
    counters: Vec<Metric<'a>>,
    /// The first reasons as `Why (rows)`, and how many there are beside them.
    main_reasons: &'a [(String, u64)],
    other_reasons: usize,
    pairs: Vec<Pair<'a>>,
    clusters: Option<Clusters<'a>>,
}

/// The clusters of a step with their pictures.
#[derive(Serialize)]
struct Clusters<'a> {
    map: Option<String>,
    distances: Option<String>,
    sizes: Option<String>,
    largest: Vec<Cluster<'a>>,
}

#[derive(Serialize)]
struct Cluster<'a> {
    #[serde(flatten)]
    report: &'a Concept,
    colour: String,
    plot: Option<String>,
}

#[derive(Serialize)]
struct Metric<'a> {
    name: Cow<'a, str>,
    value: String,
}

/// A sample: one text, or two with their differences.
#[derive(Serialize)]
struct Pair<'a> {
    #[serde(flatten)]
    sample: &'a Sample,
    removed: Vec<OwnedPart>,
    kept: Option<Vec<OwnedPart>>,
    /// Index of its reason among the page's reasons.
    reason_number: usize,
    /// Whether more text stood there than is shown.
    cut: bool,
    /// Whether the two texts are the same as far as they are shown.
    same: bool,
}

#[derive(Serialize)]
struct OwnedPart {
    kind: Kind,
    text: String,
    words: String,
}

impl<'a> Page<'a> {
    /// Draws the plots and compares the samples.
    pub fn new(report: &'a JobReport) -> Result<Self, ReportError> {
        let mut reasons: Vec<&str> = Vec::new();
        for sample in report.steps.iter().flat_map(|step| &step.samples) {
            if !reasons.contains(&sample.reason.as_str()) {
                reasons.push(&sample.reason);
            }
        }
        let steps = (1..)
            .zip(&report.steps)
            .map(|(number, step)| Step::new(number, step, &reasons))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            report,
            style: include_str!("templates/report.css"),
            script: include_str!("templates/report.js"),
            started: started(&report.started),
            rate: numbers::rate(report.rows_in, report.elapsed_seconds),
            removed: report.rows_in.saturating_sub(report.rows_out),
            failed_checks: report.checks.iter().filter(|check| check.rows > 0).count(),
            sources: report.sources.iter().map(|report| Source { report, gone: removed(report) }).collect(),
            funnel: plots::funnel(report)?,
            lengths: plots::lengths(report)?,
            samples: steps.iter().map(|step| step.pairs.len()).sum(),
            steps,
            reasons,
        })
    }
}

impl<'a> Step<'a> {
    fn new(number: usize, report: &'a StepReport, reasons: &[&str]) -> Result<Self, ReportError> {
        let sizes = plots::cluster_sizes(report)?;
        let (clusters, sizes) = match &report.concepts {
            Some(concepts) => (Some(Clusters::new(concepts, sizes)?), None),
            None => (None, sizes),
        };
        let plots = [plots::reasons(report)?, plots::similarities(report)?, sizes];
        let plots: Vec<_> = plots.into_iter().flatten().collect();
        let columns: usize = plots.iter().map(|plot| if plot.wide { 2 } else { 1 }).sum();
        let (main_reasons, others) = report.reasons.split_at(report.reasons.len().min(3));
        Ok(Self {
            report,
            number,
            removed: report.rows_in.saturating_sub(report.rows_out),
            added: report.rows_out.saturating_sub(report.rows_in),
            plots,
            free_columns: columns.next_multiple_of(3) - columns,
            counters: report.metrics.iter().map(Metric::new).collect(),
            main_reasons,
            other_reasons: others.len(),
            pairs: report.samples.iter().map(|sample| Pair::new(sample, reasons)).collect(),
            clusters,
        })
    }
}

impl<'a> Clusters<'a> {
    fn new(concepts: &'a Concepts, sizes: Option<Plot>) -> Result<Self, ReportError> {
        let cluster = |(report, colour): (&'a Concept, RGBColor)| {
            let plot = plots::distances(&report.distances, colour)?;
            let colour = format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
            Ok::<_, ReportError>(Cluster { report, colour, plot })
        };
        Ok(Self {
            map: plots::map(concepts)?,
            distances: plots::distances(&concepts.distances, plots::COLOURS[0])?,
            sizes: sizes.map(|plot| plot.svg),
            largest: concepts.largest.iter().zip(plots::COLOURS).map(cluster).collect::<Result<_, _>>()?,
        })
    }
}

impl<'a> Metric<'a> {
    fn new((name, value): &'a (String, u64)) -> Self {
        let is_bytes = name.ends_with("bytes");
        let value = if is_bytes { numbers::bytes(*value) } else { numbers::thousands(*value) };
        Self { name: Cow::Owned(name.replace('_', " ")), value }
    }
}

impl<'a> Pair<'a> {
    fn new(sample: &'a Sample, reasons: &[&str]) -> Self {
        let reason_number = reasons.iter().position(|reason| *reason == sample.reason).unwrap_or_default();
        let removed = shown(&sample.removed_text);
        let mut cut = removed.1;
        let Some(kept) = sample.kept_text.as_deref().map(shown) else {
            let whole = Part { kind: Kind::Equal, text: &removed.0, words: 0 };
            return Self {
                sample,
                removed: vec![OwnedPart::from(&whole)],
                kept: None,
                reason_number,
                cut,
                same: false,
            };
        };
        cut |= kept.1;
        let parts = fold(&compare(&removed.0, &kept.0));
        let without = |kind: Kind| parts.iter().filter(|part| part.kind != kind).map(OwnedPart::from).collect();
        Self {
            sample,
            removed: without(Kind::Added),
            kept: Some(without(Kind::Removed)),
            reason_number,
            cut,
            same: removed.0 == kept.0,
        }
    }
}

impl From<&Part<'_>> for OwnedPart {
    fn from(part: &Part<'_>) -> Self {
        Self { kind: part.kind, text: part.text.to_owned(), words: numbers::thousands(part.words as u64) }
    }
}

/// The shown part of a sample's text, and whether the text is cut there (or was, by the caller, just there).
fn shown(text: &str) -> (Cow<'_, str>, bool) {
    let cut = text.chars().nth(SAMPLE_CHARS - 1).is_some();
    (printable(prefix(text, SAMPLE_CHARS)), cut)
}

/// `2025-01-31 12:30 UTC`; as it came where it is no RFC 3339 time.
fn started(time: &str) -> String {
    DateTime::parse_from_rfc3339(time)
        .map_or_else(|_| time.to_owned(), |time| time.to_utc().format("%Y-%m-%d %H:%M UTC").to_string())
}
