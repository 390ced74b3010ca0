//! Delta tables: the current files and columns according to their logs.
//!
//! `delta_kernel` replays the log, behind the feature `delta`; only plain data leaves this module. Files are then read like
//! those of any table. A snapshot says which of their columns belong to the table and under which names, which values the log
//! itself contains, and which rows are deleted.

#[cfg(feature = "delta")]
mod log;

use std::sync::Arc;

use crate::cells::{Leaf, leaves};
use arrow::datatypes::{DataType, Fields};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use hashbrown::HashMap;
use object_store::path::Path as ObjectPath;

use super::footer::{Constant, FileColumn, FileColumns};
use super::{Class, ColumnStats, logical_type};

#[cfg(feature = "delta")]
pub use log::Log;

/// A table as its log has it at one version.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The version.
    pub version: u64,
    /// Its columns.
    pub fields: Fields,
    /// Maps the name of a leaf in the files to its name in the table.
    pub names: HashMap<String, String>,
    /// The current files, by path.
    pub files: Vec<LogFile>,
}

/// A file that counts.
#[derive(Debug, Clone)]
pub struct LogFile {
    /// Its place.
    pub location: ObjectPath,
    /// Its size.
    pub size: u64,
    /// Columns whose values are in the log, by their name in the table.
    pub constants: Vec<(String, Option<String>)>,
    /// Positions of rows that are deleted, ascending.
    pub deleted: Arc<[u64]>,
}

/// Reads logs; a program without the feature cannot.
#[cfg(not(feature = "delta"))]
#[derive(Debug)]
pub struct Log;

#[cfg(not(feature = "delta"))]
impl Log {
    /// Nothing.
    pub fn new(_: &Arc<dyn object_store::ObjectStore>) -> Self {
        Self
    }

    /// The snapshot of the table in a folder.
    ///
    /// # Errors
    /// Always: the feature is missing.
    pub async fn snapshot(
        self: &Arc<Self>,
        _: &datafusion::execution::object_store::ObjectStoreUrl,
        _: &str,
    ) -> Result<Snapshot> {
        exec_err!(
            "a Delta table: only its log knows which files count; limpid reads it when built with the feature `delta`"
        )
    }
}

impl Snapshot {
    /// A file without rows that has every column of the table.
    pub fn columns(&self) -> FileColumns {
        let columns = leaves(self.fields.iter().map(AsRef::as_ref)).into_iter().enumerate();
        let stats = || ColumnStats { nulls: Some(0), ..ColumnStats::default() };
        let columns = columns.map(|(at, leaf)| FileColumn { place: at as u32, leaf, stats: stats() }).collect();
        FileColumns { file: "its log".to_owned(), rows: 0, columns, stays: None }
    }

    fn types(&self) -> HashMap<String, DataType> {
        leaves(self.fields.iter().map(AsRef::as_ref)).into_iter().map(|leaf| (leaf.name, leaf.data_type)).collect()
    }

    /// The constants that the log states for a file.
    ///
    /// # Errors
    /// The table does not have a column that the log names.
    pub fn constants(&self, file: &LogFile) -> Result<Vec<Constant>> {
        let types = self.types();
        let constant = |(name, text): &(String, Option<String>)| {
            let data_type = types.get(name).cloned();
            let data_type = data_type.ok_or_else(|| exec_datafusion_err!("its log has no column `{name}`"))?;
            Ok(Constant { name: name.clone(), text: text.clone(), data_type })
        };
        file.constants.iter().map(constant).collect()
    }

    /// The columns of a file that count, with the names and types of the table.
    ///
    /// # Errors
    /// A column whose values are of another kind than the table's.
    pub fn of_file(&self, file: &LogFile, read: FileColumns) -> Result<FileColumns> {
        let types = self.types();
        let deleted = file.deleted.len() as u64;
        let mut columns = vec![];
        for FileColumn { place, leaf, stats } in read.columns {
            let Some(name) = self.names.get(&leaf.name) else { continue };
            let Some(data_type) = types.get(name).filter(|_| !file.constants.iter().any(|(key, _)| key == name)) else {
                continue;
            };
            if !fits(&leaf.data_type, data_type) {
                return exec_err!(
                    "column `{name}` is {} in a file and {} in the log",
                    logical_type(&leaf.data_type),
                    logical_type(data_type)
                );
            }
            let leaf = Leaf { name: name.clone(), path: leaf.path, data_type: data_type.clone() };
            let stats = if deleted == 0 { stats } else { without_rows(stats, read.rows, deleted) };
            columns.push(FileColumn { place, leaf, stats });
        }
        let rows = read.rows.checked_sub(deleted);
        let rows = rows.ok_or_else(|| exec_datafusion_err!("more rows of a file are deleted than it has"))?;
        Ok(FileColumns { file: read.file, rows, columns, stays: None })
    }
}

/// Whether values of a file's column can be read as those of the table's. Old writers keep instants without their zone.
fn fits(file: &DataType, table: &DataType) -> bool {
    let (file, table) = (Class::of(file), Class::of(table));
    file == table || file == Class::Null || (file, table) == (Class::Local, Class::Instant)
}

/// Adjusts statistics if some rows of the file are deleted: bounds remain valid but need not be values.
fn without_rows(mut stats: ColumnStats, rows: u64, deleted: u64) -> ColumnStats {
    stats.nulls = match stats.nulls {
        Some(0) => Some(0),
        Some(nulls) if nulls == rows => Some(rows.saturating_sub(deleted)),
        _ => None,
    };
    if let Some(range) = &mut stats.range {
        (range.min.exact, range.max.exact) = (false, false);
    }
    stats
}

#[cfg(test)]
mod tests {
    use super::super::bounds::Range;
    use super::*;

    #[test]
    fn deleted_rows_loosen_what_is_known() {
        let stats = |nulls| ColumnStats { nulls: Some(nulls), range: Some(Range::of_text("x")), encoded: 9 };
        let left = |nulls| without_rows(stats(nulls), 10, 3);
        assert_eq!((left(0).nulls, left(4).nulls, left(10).nulls), (Some(0), None, Some(7)));
        let range = left(0).range.unwrap();
        assert!(!range.min.exact && !range.max.exact);
    }
}
