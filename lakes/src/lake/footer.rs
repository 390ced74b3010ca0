//! Merges footers into tables, soundly: what one file does not state is unknown for the table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use hashbrown::{HashMap, HashSet};
use limpid_connectors::sources::parquet::names::distinct;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::ParquetMetaData;

use super::bounds::{self, Range};
use super::{Class, Column, ColumnStats, Source, logical_type, stored};
use crate::cells::{Leaf, is_supported, leaves};
use crate::options::Names;

/// Writers that put whole texts into statistics or none at all, without saying so.
const WHOLE_TEXTS: [&str; 1] = ["parquet-cpp-arrow"];

/// The columns of one file.
#[derive(Debug)]
pub struct FileColumns {
    /// The file, for errors.
    pub file: String,
    /// Rows.
    pub rows: u64,
    /// Columns, with structs flattened.
    pub columns: Vec<FileColumn>,
    /// Why the file must never be set aside, if there is a reason.
    pub stays: Option<String>,
}

/// A column of a file.
#[derive(Debug)]
pub struct FileColumn {
    /// Which of the file's leaves it is.
    pub place: u32,
    /// Name and type.
    pub leaf: Leaf,
    /// What the footer says of its values.
    pub stats: ColumnStats,
}

/// A column with a single value for a whole file, stored outside the file.
#[derive(Debug, Clone)]
pub struct Constant {
    /// The column.
    pub name: String,
    /// The value as text; `None` is NULL.
    pub text: Option<String>,
    /// Its type: text if it comes from the name of a folder.
    pub data_type: DataType,
}

/// Reads what a footer says.
///
/// # Errors
/// A schema that Arrow does not know, two columns of one name, or a column whose values cannot be compared.
pub fn read(footer: &Arc<ParquetMetaData>) -> Result<FileColumns> {
    distinct(footer.file_metadata().schema_descr()).map_err(|what| exec_datafusion_err!("{what}"))?;
    let arrow = ArrowReaderMetadata::try_new(Arc::clone(footer), ArrowReaderOptions::new())?;
    let file = footer.file_metadata();
    let rows = u64::try_from(file.num_rows()).map_err(|_| exec_datafusion_err!("a negative number of rows"))?;
    let whole_texts = file.created_by().is_some_and(|by| WHOLE_TEXTS.iter().any(|name| by.starts_with(name)));
    let schema = file.schema_descr();
    let places: HashMap<String, usize> =
        (0..schema.num_columns()).map(|at| (schema.column(at).path().parts().join("."), at)).collect();
    let index = saved_index(footer);
    let (mut columns, mut names): (Vec<FileColumn>, HashSet<String>) = (vec![], HashSet::new());
    for (number, leaf) in leaves(arrow.schema().fields().iter().map(AsRef::as_ref)).into_iter().enumerate() {
        if !is_supported(&leaf.data_type) {
            return exec_err!("column `{}` is of type {}, which cannot be compared", leaf.name, leaf.data_type);
        }
        let column = places.get(&leaf.name).filter(|&&at| schema.column(at).max_rep_level() == 0);
        let stats = match column {
            Some(&at) => stats(footer, at, &leaf.data_type, whole_texts, rows),
            None => ColumnStats::default(),
        };
        if !names.insert(leaf.name.clone()) {
            return exec_err!(
                "a column and a field of a struct are both called `{}`: give one of them another name and write the file again",
                leaf.name
            );
        }
        columns.push(FileColumn { place: number as u32, leaf, stats });
    }
    let mut stays = stored::lost_by_writing(footer, arrow.schema());
    if columns.iter().any(|column| !index.contains(&column.leaf.name)) && !index.is_empty() {
        columns.retain(|column| !index.contains(&column.leaf.name));
        stays = stays.or_else(|| {
            Some(format!("pandas saved an index with it, the column `{}`, which is not compared", index[0]))
        });
    }
    Ok(FileColumns { file: String::new(), rows, columns, stays })
}

/// Columns in which pandas saved an unnamed index: they tell from which rows a frame was cut, not what it contains.
fn saved_index(footer: &ParquetMetaData) -> Vec<String> {
    let pairs = footer.file_metadata().key_value_metadata().map(Vec::as_slice).unwrap_or_default();
    let said = pairs.iter().find(|pair| pair.key == "pandas").and_then(|pair| pair.value.as_deref());
    let said = said.and_then(|said| serde_json::from_str::<serde_json::Value>(said).ok());
    let Some(columns) = said.as_ref().and_then(|said| said.get("index_columns")?.as_array()) else { return vec![] };
    let names = columns.iter().filter_map(|column| column.as_str());
    let unnamed = |name: &&str| {
        let level = name.strip_prefix("__index_level_").and_then(|rest| rest.strip_suffix("__"));
        level.is_some_and(|level| !level.is_empty() && level.bytes().all(|byte| byte.is_ascii_digit()))
    };
    names.filter(unnamed).map(str::to_owned).collect()
}

fn stats(footer: &ParquetMetaData, at: usize, data_type: &DataType, whole_texts: bool, rows: u64) -> ColumnStats {
    let order = footer.file_metadata().column_order(at);
    let mut nulls = Some(0);
    // Unknown (`None`) once a row group with values gives no bounds.
    let mut range: Option<Option<Range>> = Some(None);
    let mut encoded = 0;
    for group in footer.row_groups() {
        let column = group.column(at);
        encoded += u64::try_from(column.uncompressed_size()).unwrap_or(0);
        let found = column.statistics();
        let here = found.and_then(|found| found.null_count_opt());
        nulls = nulls.zip(here).map(|(all, here)| all + here);
        if here == u64::try_from(group.num_rows()).ok() {
            continue;
        }
        let bounds = found.and_then(|found| bounds::range(found, column.column_descr(), order, data_type, whole_texts));
        range = match (range, bounds) {
            (Some(Some(all)), Some(here)) => Some(Some(all.union(here))),
            (Some(None), Some(here)) => Some(Some(here)),
            _ => None,
        };
    }
    // A count of NULLs above that of rows is a lie; so is what stands beside it.
    if nulls.is_some_and(|nulls| nulls > rows) {
        return ColumnStats::default();
    }
    ColumnStats { nulls, range: range.flatten(), encoded }
}

/// A file's columns, and those that it does not hold itself.
pub type Part<'a> = (&'a FileColumns, &'a [Constant]);

/// Merges the columns of a table's files by name, and returns where each file has them.
///
/// # Errors
/// The columns of two files are incompatible.
pub fn fold(parts: &[Part<'_>], names: Names) -> Result<(Vec<Column>, Vec<Vec<Source>>)> {
    let normal = normalised(parts, names);
    let mut columns: BTreeMap<String, (Column, u64, &str)> = BTreeMap::new();
    let mut before = 0;
    for (file, constants) in parts {
        let leaves = file.columns.iter().map(|own| {
            Ok::<_, DataFusionError>((own.leaf.name.as_str(), own.leaf.data_type.clone(), own.stats.clone()))
        });
        let constants = constants.iter().map(|constant| {
            let stats = match &constant.text {
                Some(text) => {
                    let range = Range::of_value(text, &constant.data_type)?;
                    ColumnStats { nulls: Some(0), range, encoded: 0 }
                }
                None => ColumnStats { nulls: Some(file.rows), ..ColumnStats::default() },
            };
            Ok((constant.name.as_str(), constant.data_type.clone(), stats))
        });
        for column in leaves.chain(constants) {
            let (shown, data_type, stats) = column?;
            let name = &normal[shown];
            let class = if stats.nulls == Some(file.rows) { Class::Null } else { Class::of(&data_type) };
            let column = Column { name: name.as_str().into(), shown: shown.into(), data_type, class, stats };
            match columns.get_mut(name) {
                None => {
                    // Files before that lack the column hold NULL there.
                    let column = with_nulls(column, before);
                    columns.insert(name.clone(), (column, before + file.rows, &file.file));
                }
                // The file's own column of that name says what the folder does; that was checked.
                Some((_, seen, _)) if *seen == before + file.rows && file.rows > 0 => {}
                Some((all, seen, first)) => {
                    if all.class == Class::Null {
                        *first = &file.file;
                    }
                    *all = merge(with_nulls(all.clone(), before - *seen), column, [first, &file.file])?;
                    *seen = before + file.rows;
                }
            }
        }
        before += file.rows;
    }
    let columns: Vec<Column> =
        columns.into_values().map(|(column, seen, _)| with_nulls(column, before - seen)).collect();
    let sources = parts.iter().map(|part| sources(part, &columns, &normal)).collect();
    Ok((columns, sources))
}

fn sources((file, constants): &Part<'_>, columns: &[Column], normal: &HashMap<&str, String>) -> Vec<Source> {
    let of = |column: &Column| {
        let own = file.columns.iter().find(|own| *normal[own.leaf.name.as_str()] == *column.name);
        if let Some(own) = own {
            return Source::Leaf(own.place);
        }
        match constants.iter().find(|constant| *normal[constant.name.as_str()] == *column.name) {
            Some(Constant { text, data_type: DataType::Utf8, .. }) => Source::Folder(text.clone()),
            Some(Constant { text: Some(text), .. }) => Source::Value(text.clone()),
            _ => Source::Nowhere,
        }
    };
    columns.iter().map(of).collect()
}

fn with_nulls(mut column: Column, more: u64) -> Column {
    column.stats.nulls = column.stats.nulls.map(|nulls| nulls + more);
    column
}

/// A column of two files.
fn merge(a: Column, b: Column, files: [&str; 2]) -> Result<Column> {
    if a.class != b.class && a.class != Class::Null && b.class != Class::Null {
        return exec_err!(
            "column `{}` is {} in {} and {} in {}",
            b.shown,
            logical_type(&a.data_type),
            files[0],
            logical_type(&b.data_type),
            files[1]
        );
    }
    let nulls = a.stats.nulls.zip(b.stats.nulls).map(|(a, b)| a + b);
    let range = match (a.class, b.class) {
        (Class::Null, _) => b.stats.range,
        (_, Class::Null) => a.stats.range,
        _ => a.stats.range.zip(b.stats.range).map(|(a, b)| a.union(b)),
    };
    let encoded = a.stats.encoded + b.stats.encoded;
    let (class, data_type) = if a.class == Class::Null { (b.class, b.data_type) } else { (a.class, a.data_type) };
    Ok(Column { name: a.name, shown: a.shown, data_type, class, stats: ColumnStats { nulls, range, encoded } })
}

/// What each name is compared as. Where two names of a table differ only in case, both stay as written.
fn normalised<'a>(parts: &'a [Part<'_>], names: Names) -> HashMap<&'a str, String> {
    let mut spellings: HashMap<String, Vec<&str>> = HashMap::new();
    for (file, constants) in parts {
        let leaves = file.columns.iter().map(|own| own.leaf.name.as_str());
        for shown in leaves.chain(constants.iter().map(|constant| constant.name.as_str())) {
            let all = spellings.entry(normal(shown, names)).or_default();
            if !all.contains(&shown) {
                all.push(shown);
            }
        }
    }
    // Files of one table may spell a column differently; within a file two spellings are two columns.
    let clash = |shown: &&str, all: &[&str]| {
        parts.iter().any(|(file, _)| {
            let has = |name: &str| file.columns.iter().any(|own| own.leaf.name == name);
            has(shown) && all.iter().any(|other| other != shown && has(other))
        })
    };
    let mut found = HashMap::new();
    for (normal, all) in &spellings {
        for shown in all {
            let name = if clash(shown, all) { (*shown).to_owned() } else { normal.clone() };
            found.insert(*shown, name);
        }
    }
    found
}

/// A name as it is compared; a byte order mark is no part of a name.
pub fn normal(shown: &str, names: Names) -> String {
    let shown = shown.trim_start_matches('\u{feff}');
    match names {
        Names::Fold | Names::Any => shown.to_lowercase(),
        Names::Exact => shown.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(rows: u64, columns: &[(&str, DataType, Option<u64>)]) -> FileColumns {
        let columns = columns.iter().enumerate().map(|(at, (name, data_type, nulls))| {
            let leaf = Leaf { name: (*name).to_owned(), path: vec![at], data_type: data_type.clone() };
            FileColumn { place: at as u32, leaf, stats: ColumnStats { nulls: *nulls, ..ColumnStats::default() } }
        });
        FileColumns { file: format!("file of {rows} rows"), rows, columns: columns.collect(), stays: None }
    }

    #[test]
    fn missing_columns_are_null() {
        let (a, b) = (file(3, &[("x", DataType::Int64, Some(1))]), file(4, &[("Y", DataType::Utf8, Some(0))]));
        let (folded, sources) = fold(&[(&a, &[]), (&b, &[])], Names::Fold).unwrap();
        assert_eq!(sources, [[Source::Leaf(0), Source::Nowhere], [Source::Nowhere, Source::Leaf(0)]]);
        let nulls: Vec<_> = folded.iter().map(|column| (&*column.name, column.stats.nulls)).collect();
        assert_eq!(nulls, [("x", Some(5)), ("y", Some(3))]);
    }

    #[test]
    fn types_that_do_not_fit_are_named() {
        let (a, b) = (file(3, &[("x", DataType::Int64, Some(1))]), file(4, &[("x", DataType::Utf8, Some(0))]));
        let error = fold(&[(&a, &[]), (&b, &[])], Names::Fold).unwrap_err().to_string();
        assert!(error.contains("column `x` is Int64 in file of 3 rows and Utf8 in file of 4 rows"), "{error}");
        // All NULL fits everything.
        let b = file(4, &[("x", DataType::Utf8, Some(4))]);
        let (folded, _) = fold(&[(&a, &[]), (&b, &[])], Names::Fold).unwrap();
        assert_eq!((folded[0].class, folded[0].stats.nulls), (Class::Number, Some(5)));
    }

    #[test]
    fn names_that_clash_stay_as_written() {
        let a = file(
            1,
            &[("ID", DataType::Int64, None), ("id", DataType::Int64, None), ("\u{feff}Zip", DataType::Utf8, None)],
        );
        let names = |names| {
            fold(&[(&a, &[])], names).unwrap().0.into_iter().map(|column| column.name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(Names::Fold), ["ID", "id", "zip"]);
        assert_eq!(names(Names::Exact), ["ID", "Zip", "id"]);
    }
}
