//! Builds the report of a job from the manifests of its steps.

use std::fs;

use super::histogram;
use super::manifest::Manifest;
use crate::report::data::{Histogram, JobReport, SourceReport, StepReport};
use crate::session::{EngineOptions, metrics};

/// What the finished steps say; the job adds its checks and its time.
pub fn summarise(job: &str, steps: &[(Manifest, bool)]) -> JobReport {
    let mut report = JobReport { job: job.to_owned(), ..JobReport::default() };
    if let Some((first, _)) = steps.first() {
        let mut lengths = first.kept.lengths.clone();
        histogram::merge(&mut lengths, &first.removed.lengths);
        report.lengths_in = histogram::trimmed(&lengths);
        (report.rows_in, report.bytes_in) = (first.rows_in, first.bytes_in);
    }
    if let Some((last, _)) = steps.last() {
        report.lengths_out = histogram::trimmed(&last.kept.lengths);
        (report.rows_out, report.bytes_out) = (last.kept.rows, last.kept.bytes);
    }
    for (manifest, resumed) in steps {
        let warnings = metrics::warnings(&manifest.metrics).into_iter();
        report.warnings.extend(warnings.map(|warning| format!("step `{}`: {warning}", manifest.step)));
        report.steps.push(step(manifest, *resumed));
    }
    report
}

/// Adds the counts per source. The job's input is then that of all sources rather than of the first step alone.
pub fn add_sources(report: &mut JobReport, sources: Vec<SourceReport>) {
    if !sources.is_empty() {
        report.rows_in = sources.iter().map(|source| source.rows_in).sum();
        report.bytes_in = sources.iter().map(|source| source.bytes_in).sum();
    }
    report.sources = sources;
}

fn step(manifest: &Manifest, resumed: bool) -> StepReport {
    let measured = manifest.similarities.counts.iter().any(|count| *count > 0);
    StepReport {
        name: manifest.step.clone(),
        sql: manifest.sql.clone(),
        rows_in: manifest.rows_in,
        rows_out: manifest.kept.rows,
        bytes_in: manifest.bytes_in,
        bytes_out: manifest.kept.bytes,
        seconds: manifest.seconds,
        resumed,
        reasons: manifest.reasons.clone(),
        similarities: if measured { manifest.similarities.clone() } else { Histogram::default() },
        cluster_sizes: manifest.cluster_sizes.clone(),
        metrics: manifest.metrics.clone(),
        samples: manifest.samples.clone(),
        concepts: manifest.concepts.clone(),
    }
}

/// Name and version of what decides a result.
pub fn result_versions() -> Vec<(String, String)> {
    let version = |name: &str, version: &str| (name.to_owned(), version.to_owned());
    vec![version("limpid", env!("CARGO_PKG_VERSION")), version("datafusion", datafusion::DATAFUSION_VERSION)]
}

/// Name and version of what ran, with the limits it ran under.
pub fn versions(engine: &EngineOptions, threads: usize) -> Vec<(String, String)> {
    let mut versions = result_versions();
    versions.push(("threads".to_owned(), threads.to_string()));
    let limit = engine.memory_limit.map_or_else(|| "none".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
    versions.push(("memory limit".to_owned(), limit));
    versions
}

/// Largest resident memory of this process in bytes, where the system tells it.
pub fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}
