//! What a job tells its report: plain numbers and samples, serialisable, nothing of the engine.

use serde::{Deserialize, Serialize};

/// A finished (or stopped) job.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct JobReport {
    /// The job's name.
    pub job: String,
    /// Start, RFC 3339, UTC.
    pub started: String,
    /// Wall time of the run in seconds.
    pub elapsed_seconds: f64,
    /// Largest resident memory of the process in bytes, where the system tells it.
    pub peak_memory_bytes: Option<u64>,
    /// Rows read from the sources.
    pub rows_in: u64,
    /// Bytes of text read from the sources.
    pub bytes_in: u64,
    /// Rows at the sink.
    pub rows_out: u64,
    /// Bytes of text at the sink.
    pub bytes_out: u64,
    /// One entry a step, in the order they ran.
    pub steps: Vec<StepReport>,
    /// One entry a check.
    pub checks: Vec<CheckReport>,
    /// One entry a source, where the job has several.
    #[serde(default)]
    pub sources: Vec<SourceReport>,
    /// Document lengths in characters before the first step.
    pub lengths_in: Histogram,
    /// Document lengths in characters at the sink.
    pub lengths_out: Histogram,
    /// What a user should know: skipped files, capped buckets, ...
    pub warnings: Vec<String>,
    /// Name and version of what ran: limpid, datafusion, threads, memory limit, ...
    pub versions: Vec<(String, String)>,
}

/// One step of the funnel.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StepReport {
    /// The step's name.
    pub name: String,
    /// The SQL that ran.
    pub sql: String,
    /// Rows that entered.
    pub rows_in: u64,
    /// Rows that stayed.
    pub rows_out: u64,
    /// Bytes of text that entered.
    pub bytes_in: u64,
    /// Bytes of text that stayed.
    pub bytes_out: u64,
    /// Wall time in seconds (of the run that computed it, where it was resumed).
    pub seconds: f64,
    /// Whether a finished result of an earlier run was used.
    pub resumed: bool,
    /// Rows removed by each reason, most first.
    pub reasons: Vec<(String, u64)>,
    /// Exact similarities of the removed rows to their kept rows.
    pub similarities: Histogram,
    /// (size, number of clusters of this size), sizes of 2 and more, ascending.
    pub cluster_sizes: Vec<(u64, u64)>,
    /// Counters of the operators: candidate pairs, verified pairs, spilled bytes, ...
    pub metrics: Vec<(String, u64)>,
    /// Removed rows to look at.
    pub samples: Vec<Sample>,
    /// The clusters of a step that gives the columns of `concept_clusters`.
    pub concepts: Option<Concepts>,
}

/// What became of the rows of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceReport {
    /// The source's name, or a value of the job's `origin` column.
    pub name: String,
    /// Rows it had.
    pub rows_in: u64,
    /// Bytes of text it had.
    pub bytes_in: u64,
    /// Rows that each step removed, in the order of the steps; those that removed none are not named.
    pub removed: Vec<(String, u64)>,
    /// Its rows at the sink.
    pub rows_out: u64,
    /// Bytes of their text.
    pub bytes_out: u64,
}

/// Clusters of rows on a map, and the rows at their middle and at their edge.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Concepts {
    /// Rows in clusters.
    pub rows: u64,
    /// Number of clusters.
    pub clusters: u64,
    /// Some of the rows on the map: x, y and the cluster.
    pub points: Vec<(f32, f32, i64)>,
    /// Distances of the rows to their centroids.
    pub distances: Histogram,
    /// The largest clusters, largest first.
    pub largest: Vec<Concept>,
}

/// A cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Concept {
    /// Its number.
    pub cluster: i64,
    /// Its rows.
    pub rows: u64,
    /// 1 / (1 + mean distance to the centroid).
    pub density: f64,
    /// Its most characteristic words.
    pub label: Option<String>,
    /// The middle of its rows on the map.
    pub middle: (f64, f64),
    /// Distances of its rows to the centroid; the edges are those of all rows.
    pub distances: Histogram,
    /// Its most typical rows, nearest to the centroid first.
    pub central: Vec<ConceptRow>,
    /// Its most atypical rows, farthest first.
    pub atypical: Vec<ConceptRow>,
}

/// A row of a cluster that is shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ConceptRow {
    /// Its id.
    pub id: String,
    /// Distance to the centroid.
    pub distance: f64,
    /// The beginning of its text.
    pub text: Option<String>,
    /// Its picture as a data URI.
    pub image: Option<String>,
}

/// A removed row beside the row that justifies its removal.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sample {
    /// Id of the removed row.
    pub removed_id: String,
    /// Why it went: a rule's name, `exact duplicate`, ...
    pub reason: String,
    /// Text of the removed row, cut to a readable length.
    pub removed_text: String,
    /// Id of the kept row, for duplicates.
    pub kept_id: Option<String>,
    /// Text of the kept row, cut likewise.
    pub kept_text: Option<String>,
    /// Exact similarity of the two.
    pub similarity: Option<f64>,
}

/// A check of the job: SQL that must return no row.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CheckReport {
    /// The check's name.
    pub name: String,
    /// Rows it returned; 0 passes.
    pub rows: u64,
}

/// Counts between edges: `counts[i]` values fell in `edges[i] .. edges[i + 1]`, the last bin closed above.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Ascending, one more than `counts`; empty where nothing was measured.
    pub edges: Vec<f64>,
    /// Values a bin.
    pub counts: Vec<u64>,
}
