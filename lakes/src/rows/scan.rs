//! The values of a table, file by file.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::{Array, ArrayRef, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_datafusion_err, exec_err};
use futures::{FutureExt, StreamExt, TryStreamExt};
use limpid_connectors::sources::parquet::int96;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::file::metadata::ParquetMetaData;

use crate::cells::{Cells, leaf_values, leaves};
use crate::kernels::canonical::{self, Form};
use crate::kernels::row_hash;
use crate::lake::discover::plain;
use crate::lake::reader::FileReader;
use crate::lake::{Class, File, Kind, Source, Table, constant};

/// Rows decoded at a time.
const BATCH: usize = 8192;
/// Files up to this size are read ahead as a whole: in an object store, waiting for small files one by one dominates.
const SMALL: u64 = 256 << 10;
/// Small files of a table read at the same time.
const AHEAD: usize = 8;

/// A column of some rows.
pub enum Values {
    /// Read from a file.
    Cells(Cells),
    /// The same for all: its canonical bytes.
    Constant(Vec<u8>),
}

impl Values {
    /// Appends the canonical bytes of a row's value.
    pub fn encode(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Cells(cells) => cells.encode(row, out),
            Self::Constant(bytes) => out.extend(bytes),
        }
    }

    /// Calls `each` with the hash of every row's value.
    pub fn hashes(&self, rows: usize, mut each: impl FnMut(usize, u128)) {
        match self {
            Self::Cells(cells) => cells.hashes(each),
            Self::Constant(bytes) => {
                let hash = row_hash::cell(bytes);
                (0..rows).for_each(|row| each(row, hash));
            }
        }
    }
}

/// A column of some rows, as Arrow has it.
#[derive(Clone)]
pub enum Column {
    /// Read from a file.
    Array(ArrayRef),
    /// The same text for all, from the name of a folder; `None` is NULL.
    Same(Option<String>),
}

impl Column {
    /// The values, each on its own.
    pub fn array(&self, rows: usize) -> ArrayRef {
        match self {
            Self::Array(array) => ArrayRef::clone(array),
            Self::Same(Some(text)) => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows))),
            Self::Same(None) => new_null_array(&DataType::Null, rows),
        }
    }
}

/// Reads `columns` of `table` and calls `sink` with the rows of each batch, in order, in canonical form.
///
/// # Errors
/// A file that cannot be read or is not what it was when it was listed; errors of `sink`.
pub async fn scan(
    store: &Arc<dyn ObjectStore>,
    table: &Table,
    columns: &[usize],
    form: Form,
    bytes_read: &Arc<AtomicU64>,
    sink: &mut (dyn FnMut(usize, &[Values]) -> Result<()> + Send),
) -> Result<()> {
    let mut canonical = |rows: usize, columns: &[Column]| {
        let values = columns.iter().map(|column| match column {
            Column::Array(array) => Ok(Values::Cells(Cells::try_new(array, form)?)),
            Column::Same(Some(text)) => {
                Ok(Values::Constant(constant(|out| canonical::string(out, form, text.as_bytes()))))
            }
            Column::Same(None) => Ok(Values::Constant(constant(canonical::null))),
        });
        sink(rows, &values.collect::<Result<Vec<_>>>()?)
    };
    scan_columns(store, table, columns, bytes_read, &mut canonical).await
}

/// Like [`scan`], but passes the values as Arrow arrays, with structs flattened.
///
/// # Errors
/// As [`scan`].
pub async fn scan_columns(
    store: &Arc<dyn ObjectStore>,
    table: &Table,
    columns: &[usize],
    bytes_read: &Arc<AtomicU64>,
    sink: &mut (dyn FnMut(usize, &[Column]) -> Result<()> + Send),
) -> Result<()> {
    let mut rows = 0;
    let files: Vec<_> = table.files.iter().map(|file| early(store, table, file, columns, bytes_read).boxed()).collect();
    let mut files = futures::stream::iter(files).buffered(AHEAD);
    while let Some((file, batches)) = files.next().await {
        let read = match batches {
            Some(batches) => batches.and_then(|batches| {
                batches.into_iter().try_fold(0, |all, (rows, values)| {
                    sink(rows, &values)?;
                    Ok(all + rows as u64)
                })
            }),
            None => scan_file(store, table, file, columns, bytes_read, sink).await,
        };
        rows += read.map_err(|e| match e.find_root() {
            DataFusionError::ResourcesExhausted(_) => e,
            _ => {
                let name = file.meta.location.filename().unwrap_or_default();
                exec_datafusion_err!("cannot read {name}: {}", plain(&e.to_string()))
            }
        })?;
    }
    drop(files);
    let checks: Vec<_> = table.files.iter().map(|file| unchanged(store, &file.meta).boxed()).collect();
    futures::stream::iter(checks).buffered(AHEAD).try_collect::<()>().await?;
    if rows != table.rows {
        return exec_err!("it has {rows} rows although its footers say {}", table.rows);
    }
    Ok(())
}

type Batches = Vec<(usize, Vec<Column>)>;

/// The batches of a small file.
async fn early<'a>(
    store: &Arc<dyn ObjectStore>,
    table: &Table,
    file: &'a File,
    columns: &[usize],
    bytes_read: &Arc<AtomicU64>,
) -> (&'a File, Option<Result<Batches>>) {
    if file.meta.size > SMALL {
        return (file, None);
    }
    let mut batches = vec![];
    let mut keep = |rows: usize, values: &[Column]| {
        batches.push((rows, values.to_vec()));
        Ok(())
    };
    let read = scan_file(store, table, file, columns, bytes_read, &mut keep).await;
    (file, Some(read.map(|_| batches)))
}

/// Whether a file is still the one that was listed.
async fn unchanged(store: &Arc<dyn ObjectStore>, listed: &ObjectMeta) -> Result<()> {
    let name = listed.location.filename().unwrap_or_default();
    let now = store.head(&listed.location).await.map_err(|e| exec_datafusion_err!("{name} is gone: {e}"))?;
    let other_tag = now.e_tag.as_ref().zip(listed.e_tag.as_ref()).is_some_and(|(now, before)| now != before);
    if now.size != listed.size || now.last_modified != listed.last_modified || other_tag {
        return exec_err!("{name} was changed while it was read");
    }
    Ok(())
}

async fn scan_file(
    store: &Arc<dyn ObjectStore>,
    table: &Table,
    file: &File,
    columns: &[usize],
    bytes_read: &Arc<AtomicU64>,
    sink: &mut (dyn FnMut(usize, &[Column]) -> Result<()> + Send),
) -> Result<u64> {
    let mut reader = FileReader::new(store, &file.meta, file.footer.as_ref(), bytes_read);
    let footer = reader.read_footer().await?;
    let options = match reads_int96(&footer, file, columns) {
        true => {
            let fits = int96::fits_of_file(&mut reader, &footer).await?;
            int96::options(&footer, fits).map_err(|what| exec_datafusion_err!("{what}"))?
        }
        false => ArrowReaderOptions::new(),
    };
    let metadata = ArrowReaderMetadata::try_new(footer, options)?;
    let leaves = leaves(metadata.schema().fields().iter().map(AsRef::as_ref));
    let path = |column: usize| match &file.sources[column] {
        Source::Leaf(at) => leaves.get(*at as usize).map(|leaf| leaf.path.clone()),
        Source::Folder(_) | Source::Value(_) | Source::Nowhere => None,
    };
    let mut paths: Vec<Option<Vec<usize>>> = columns.iter().map(|&column| path(column)).collect();
    let mut roots: Vec<usize> = paths.iter().flatten().map(|path| path[0]).collect();
    roots.sort_unstable();
    roots.dedup();
    for path in paths.iter_mut().flatten() {
        path[0] = roots.binary_search(&path[0]).unwrap_or(0);
    }
    let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
    let all = metadata.metadata().file_metadata().num_rows();
    let mut builder = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, metadata);
    if !file.deleted.is_empty() {
        builder = builder.with_row_selection(left(&file.deleted, usize::try_from(all).unwrap_or_default()));
    }
    let mut stream = builder.with_projection(mask).with_batch_size(BATCH).build()?;
    let mut rows = 0;
    while let Some(batch) = stream.try_next().await? {
        let values = columns.iter().zip(&paths).map(|(&column, path)| match (path, &file.sources[column]) {
            (Some(path), _) => Ok(Column::Array(of_table(leaf_values(batch.columns(), path)?, table, column)?)),
            (None, Source::Folder(text)) => Ok(Column::Same(text.clone())),
            (None, Source::Value(text)) => {
                let value = constant::value(text, &table.columns[column].data_type)?;
                let value = ScalarValue::try_from_array(&value, 0)?;
                Ok(Column::Array(value.to_array_of_size(batch.num_rows())?))
            }
            (None, _) => Ok(Column::Same(None)),
        });
        let values = values.collect::<Result<Vec<_>>>()?;
        sink(batch.num_rows(), &values)?;
        rows += batch.num_rows() as u64;
    }
    Ok(rows)
}

/// Whether columns that are read are INT96 in the file.
fn reads_int96(footer: &ParquetMetaData, file: &File, columns: &[usize]) -> bool {
    int96::has_int96(footer) && columns.iter().any(|&column| matches!(file.sources[column], Source::Leaf(_)))
}

/// All rows but those at these positions.
fn left(deleted: &[u64], rows: usize) -> RowSelection {
    let ends = deleted.iter().map(|&row| row as usize).chain([rows]);
    let starts = std::iter::once(0).chain(deleted.iter().map(|&row| row as usize + 1));
    RowSelection::from_consecutive_ranges(starts.zip(ends).filter(|(start, end)| start < end).map(|(a, b)| a..b), rows)
}

/// Values of a file as those of the table: a log may say that timestamps without a zone are instants.
fn of_table(array: ArrayRef, table: &Table, column: usize) -> Result<ArrayRef> {
    let data_type = &table.columns[column].data_type;
    match (table.kind, Class::of(array.data_type()), Class::of(data_type)) {
        (Kind::Delta, Class::Local, Class::Instant) => Ok(cast(&array, data_type)?),
        _ => Ok(array),
    }
}

fn constant(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = vec![];
    write(&mut bytes);
    bytes
}
