//! `_manifest.json`, the list of a finished folder's content. Its presence marks the folder as finished.

use std::path::Path;

use arrow::datatypes::Schema;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use serde::{Deserialize, Serialize};

/// Name of the manifest in its folder.
pub use crate::sources::files::MANIFEST;

/// What a finished folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of limpid that wrote it.
    pub limpid: String,
    /// `parquet`, `jsonl.zst`, ...
    pub format: String,
    /// Rows of all files.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// The columns.
    pub columns: Vec<Column>,
    /// The files, in the order of their rows.
    pub files: Vec<Part>,
    /// What the writer of the folder adds: input fingerprints, SQL, ...
    #[serde(default)]
    pub extra: serde_json::Value,
}

/// A column of the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its Arrow type.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether it may hold NULL.
    pub nullable: bool,
}

/// A file of the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Name in the folder.
    pub name: String,
    /// Rows in it.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// XXH3 128 of its bytes, in hexadecimal.
    pub xxh3_128: String,
}

impl Manifest {
    pub(super) fn new(format: String, schema: &Schema, files: Vec<Part>, extra: serde_json::Value) -> Self {
        let columns = schema.fields().iter().map(|field| Column {
            name: field.name().clone(),
            data_type: field.data_type().to_string(),
            nullable: field.is_nullable(),
        });
        Self {
            limpid: env!("CARGO_PKG_VERSION").to_owned(),
            format,
            rows: files.iter().map(|file| file.rows).sum(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            columns: columns.collect(),
            files,
            extra,
        }
    }

    /// Reads the manifest of `folder`; `None` if there is none, so that the folder is unfinished or was not written by
    /// limpid.
    ///
    /// # Errors
    /// The manifest cannot be read, or names a file that is missing or has another length.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(MANIFEST);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return exec_err!("cannot read {}: {e}", path.display()),
        };
        let manifest: Self = serde_json::from_slice(&text)
            .map_err(|e| exec_datafusion_err!("{} is not a manifest of limpid: {e}", path.display()))?;
        for part in &manifest.files {
            let file = folder.join(&part.name);
            let bytes = std::fs::metadata(&file).map(|metadata| metadata.len()).ok();
            if bytes != Some(part.bytes) {
                let now = bytes.map_or_else(|| "is missing".to_owned(), |bytes| format!("has {bytes}"));
                return exec_err!("{} {now}, its manifest says {} bytes", file.display(), part.bytes);
            }
        }
        Ok(Some(manifest))
    }
}

/// Names the first few entries of `folder` that are not in its manifest; `None` if there are none, or no manifest.
///
/// # Errors
/// The folder or its manifest cannot be read.
pub fn foreign_files(folder: &Path) -> Result<Option<String>> {
    let path = folder.join(MANIFEST);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return exec_err!("cannot read {}: {e}", path.display()),
    };
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|e| exec_datafusion_err!("{} is not a manifest of limpid: {e}", path.display()))?;
    let failed = |e| exec_datafusion_err!("cannot read {}: {e}", folder.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if name != MANIFEST && !manifest.files.iter().any(|part| part.name == name) {
            names.push(name);
        }
    }
    names.sort_unstable();
    let more = names.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    names.truncate(SHOWN);
    Ok((!names.is_empty()).then(|| format!("{}{rest}", names.join(", "))))
}

/// Maximum number of names in an error.
const SHOWN: usize = 5;
