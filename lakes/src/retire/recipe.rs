//! How a table is rebuilt: a JSON document, a bitmap of rows and an empty file with the schema for each of its files.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use datafusion::common::{Result, exec_datafusion_err};
use roaring::RoaringTreemap;
use serde::{Deserialize, Serialize};

use super::pin::Pin;
use crate::kernels::row_hash::Fingerprint;
use crate::whole;

/// Name of the document.
pub const RECIPE: &str = "recipe.json";

/// How a table is rebuilt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Version of this form.
    pub version: u32,
    /// The table.
    pub table: String,
    /// The table that holds its rows.
    pub from: String,
    /// A word of `Layout::WORDS`: how both were found.
    pub layout: String,
    /// A word of `Names::WORDS`: how columns were matched.
    pub names: String,
    /// The parent's files.
    pub parent: Vec<Pin>,
    /// The table's files.
    pub files: Vec<FileRecipe>,
}

/// How one file is rebuilt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileRecipe {
    /// The file.
    pub pin: Pin,
    /// Its rows.
    pub rows: u64,
    /// The sum of the hashes of its rows, bit for bit, in hexadecimal.
    pub sum: String,
    /// A hash of its rows one after another, in hexadecimal; recipes of old have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
    /// A file with the number of the row that each position holds, where the positions are not in the order of the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// For each column, with structs flattened, the normalised name of the parent's column.
    pub columns: Vec<String>,
    /// Whether a struct whose fields are all NULL is NULL.
    pub null_structs: bool,
    /// Where the rows are.
    pub how: How,
}

/// Where a file's rows are in the parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// A query over the parent gives them; values are then cast to the schema.
    Query(String),
    /// At the positions of a Roaring bitmap in a file of this name, counted over the parent's files in their order.
    Rows(String),
}

impl FileRecipe {
    /// The fingerprint of its rows.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint { rows: self.rows, sum: u128::from_str_radix(&self.sum, 16).unwrap_or_default() }
    }

    /// Name of the empty file with the schema of file number `at`.
    pub fn schema_file(at: usize) -> String {
        format!("{at}.schema.parquet")
    }

    /// Name of the hashes of the rows of file number `at`, written before its original is deleted.
    pub fn hashes_file(at: usize) -> String {
        format!("{at}.hashes")
    }
}

/// Bytes kept of the hash of a row. An unwanted row has the hash of a wanted one with a probability of 2^-96.
const HASH: usize = 12;

/// What is kept of the hash of a row.
pub fn short(hash: u128) -> u128 {
    hash & ((1 << (8 * HASH)) - 1)
}

/// `1 query`, `2 queries`.
fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

impl Recipe {
    /// Bytes of the table.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.pin.size).sum()
    }

    /// In a few words.
    pub fn says(&self) -> String {
        let queries = self.files.iter().filter_map(|file| match &file.how {
            How::Query(sql) => Some(sql.as_str()),
            How::Rows(_) => None,
        });
        let queries: Vec<&str> = queries.collect();
        match (queries.as_slice(), self.files.len()) {
            ([one], 1) => (*one).to_owned(),
            ([], files) => format!("rows of {}, {}", self.from, counted(files, "bitmap", "bitmaps")),
            (some, files) => {
                let queries = counted(some.len(), "query", "queries");
                let bitmaps = counted(files - some.len(), "bitmap", "bitmaps");
                format!("rows of {}, {queries} and {bitmaps}", self.from)
            }
        }
    }

    /// Reads the recipe in `folder`.
    ///
    /// # Errors
    /// There is none.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(RECIPE);
        let failed = |e: &dyn std::fmt::Display| exec_datafusion_err!("cannot read {}: {e}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|e| failed(&e))?;
        serde_json::from_str(&text).map_err(|e| failed(&e))
    }

    /// Writes it into `folder`.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(|e| exec_datafusion_err!("cannot write a recipe: {e}"))?;
        whole::write(&folder.join(RECIPE), |file| Ok(file.write_all(&text)?))
    }
}

/// Writes positions of rows.
///
/// # Errors
/// The file cannot be written.
pub fn write_rows(path: &Path, rows: &RoaringTreemap) -> Result<()> {
    let mut bytes = Vec::with_capacity(rows.serialized_size());
    rows.serialize_into(&mut bytes)?;
    whole::write(path, |file| Ok(file.write_all(&bytes)?))
}

/// Writes the numbers of rows, one after another.
///
/// # Errors
/// The file cannot be written.
pub fn write_order(path: &Path, order: &[u64]) -> Result<()> {
    whole::write(path, |file| {
        let mut file = std::io::BufWriter::new(file);
        order.iter().try_for_each(|number| file.write_all(&number.to_le_bytes()))?;
        Ok(file.flush()?)
    })
}

/// Reads what [`write_order`] wrote.
///
/// # Errors
/// The file is damaged or gone.
pub fn read_order(path: &Path) -> Result<Vec<u64>> {
    let bytes = std::fs::read(path).map_err(|e| exec_datafusion_err!("cannot read {}: {e}", path.display()))?;
    Ok(bytes.chunks_exact(8).map(|number| number.try_into().map_or(0, u64::from_le_bytes)).collect())
}

/// Writes the hashes of rows, in the order of the rows.
///
/// # Errors
/// The file cannot be written; those of `each`, which gives every hash to its argument.
pub fn write_hashes(path: &Path, each: impl FnOnce(&mut dyn FnMut(u128) -> Result<()>) -> Result<()>) -> Result<()> {
    whole::write(path, |file| {
        let mut file = std::io::BufWriter::new(file);
        each(&mut |hash| Ok(file.write_all(&hash.to_le_bytes()[..HASH])?))?;
        Ok(file.flush()?)
    })
}

/// Reads what [`write_hashes`] wrote; each as [`short`] gives it.
///
/// # Errors
/// The file is gone.
pub fn read_hashes(path: &Path) -> Result<Vec<u128>> {
    let bytes = std::fs::read(path).map_err(|e| exec_datafusion_err!("cannot read {}: {e}", path.display()))?;
    let one = |some: &[u8]| {
        let mut all = [0; 16];
        all[..HASH].copy_from_slice(some);
        u128::from_le_bytes(all)
    };
    Ok(bytes.chunks_exact(HASH).map(one).collect())
}

/// Reads positions of rows.
///
/// # Errors
/// The file is damaged or gone.
pub fn read_rows(path: &Path) -> Result<RoaringTreemap> {
    let failed = |e: std::io::Error| exec_datafusion_err!("cannot read {}: {e}", path.display());
    let file = File::open(path).map_err(failed)?;
    RoaringTreemap::deserialize_from(std::io::BufReader::new(file)).map_err(failed)
}
