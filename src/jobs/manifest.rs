//! The manifest of a finished step, which makes its folder valid.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::{JobError, Result};
use super::writer::FileEntry;
use crate::report::data::{Concepts, Histogram, Sample};

/// Version of the layout of the folder and this file. A folder with another layout is computed again.
pub const LAYOUT: u32 = 1;

/// Name of the manifest in a step's folder.
pub const FILE: &str = "manifest.json";

/// A finished step.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// [`LAYOUT`].
    pub layout: u32,
    /// Name of the job.
    pub job: String,
    /// Name of the step.
    pub step: String,
    /// Hash of everything that determines the result.
    pub fingerprint: String,
    /// Each table that was read with the hash of its content (steps) or of its files (sources).
    pub inputs: Vec<(String, String)>,
    /// The query.
    pub sql: String,
    /// Column of the row key.
    pub id: String,
    /// Column of the text.
    pub text: Option<String>,
    /// Names and versions of the software that computed it.
    pub versions: Vec<(String, String)>,
    /// When it was finished, RFC 3339, UTC.
    pub finished: String,
    /// Wall time.
    pub seconds: f64,
    /// Input rows.
    pub rows_in: u64,
    /// Bytes of text in the input rows.
    pub bytes_in: u64,
    /// Kept rows.
    pub kept: Part,
    /// Removed rows.
    pub removed: Part,
    /// Removed rows by reason, most first.
    pub reasons: Vec<(String, u64)>,
    /// Similarities of the removed rows to their kept rows.
    pub similarities: Histogram,
    /// (size, number of clusters of this size).
    pub cluster_sizes: Vec<(u64, u64)>,
    /// Counters of the operators.
    pub metrics: Vec<(String, u64)>,
    /// Samples of removed rows.
    pub samples: Vec<Sample>,
    /// The clusters of rows that the step found.
    pub concepts: Option<Concepts>,
    /// Whether the rows were deleted after the run, according to the job's `keep`.
    #[serde(default)]
    pub cleaned: bool,
    /// Whether the kept rows were passed to the next step instead of being written.
    #[serde(default)]
    pub passed_on: bool,
}

/// One of the two results of a step.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Part {
    /// Rows.
    pub rows: u64,
    /// Bytes of text.
    pub bytes: u64,
    /// Lengths of the texts in characters.
    pub lengths: Histogram,
    /// Hash of the rows in any order.
    pub content: String,
    /// The Parquet files.
    pub files: Vec<FileEntry>,
}

impl Manifest {
    /// Reads the manifest in `folder`, if there is one and every file it names has the right size or was deleted on purpose.
    pub fn read(folder: &Path) -> Option<Self> {
        let manifest: Self = read_json(&folder.join(FILE))?;
        let whole = || manifest.kept.is_in(&folder.join("kept")) && manifest.removed.is_in(&folder.join("removed"));
        (manifest.layout == LAYOUT && (manifest.cleaned || whole())).then_some(manifest)
    }

    /// Deletes the rows in `folder` but keeps the counts.
    pub fn clean(&mut self, folder: &Path) -> Result<()> {
        if !self.cleaned {
            // Record this first: rows missing without it would look like damage.
            self.cleaned = true;
            self.write(folder)?;
        }
        for part in ["kept", "removed"].map(|part| folder.join(part)) {
            if part.exists() {
                fs::remove_dir_all(&part).map_err(JobError::io("remove", &part))?;
            }
        }
        Ok(())
    }

    /// Writes the manifest into `folder`; it appears whole or not at all.
    pub fn write(&self, folder: &Path) -> Result<()> {
        write_json(&folder.join(FILE), self)
    }
}

impl Part {
    fn is_in(&self, folder: &Path) -> bool {
        files_are_in(&self.files, folder)
    }
}

/// Reads a JSON file; `None` if it is missing or has another structure.
pub fn files_are_in(files: &[FileEntry], folder: &Path) -> bool {
    files.iter().all(|file| folder.join(&file.name).metadata().is_ok_and(|found| found.len() == file.bytes))
}

/// A JSON file, `None` where it is missing or not of this shape.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Writes a JSON file, which appears whole or not at all.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let json = serde_json::to_vec_pretty(value).map_err(|error| JobError::Other(error.to_string()))?;
    limpid_io::write(path, json).map_err(JobError::io("write", path))
}
