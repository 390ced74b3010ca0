//! A file written again from its parent.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::{Array, ArrayRef, RecordBatch, StructArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, interleave_record_batch, take};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{KeyValue, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::WriterProperties;

use super::exact;
use super::matching::Parent;
use super::recipe::{FileRecipe, How, read_order, read_rows};
use crate::lake::Table;
use crate::lake::stored::{self, ARROW_SCHEMA};
use crate::rows::scan::{Column, scan_columns};

/// Columns of `schema` from its leaves, cast to their types. A struct whose leaves are all NULL is NULL if `null_structs`.
///
/// # Errors
/// A type that cannot be cast.
pub fn assemble(schema: &Schema, leaves: &[ArrayRef], null_structs: bool, rows: usize) -> Result<Vec<ArrayRef>> {
    let mut leaves = leaves.iter();
    schema.fields().iter().map(|field| build(field, &mut leaves, null_structs, rows)).collect()
}

fn build<'a>(
    field: &Field,
    leaves: &mut impl Iterator<Item = &'a ArrayRef>,
    null_structs: bool,
    rows: usize,
) -> Result<ArrayRef> {
    match field.data_type() {
        DataType::Struct(fields) if !fields.is_empty() => {
            let columns =
                fields.iter().map(|field| build(field, leaves, null_structs, rows)).collect::<Result<Vec<_>>>()?;
            let valid =
                |row: usize| columns.iter().any(|column| column.logical_nulls().is_none_or(|n| n.is_valid(row)));
            let nulls = (null_structs && field.is_nullable()).then(|| NullBuffer::from_iter((0..rows).map(valid)));
            // What may not be NULL is checked when the batch is made; rows that are not taken may break it.
            let relaxed: Fields = fields.iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
            let relaxed =
                relaxed.iter().zip(&columns).map(|(f, c)| f.as_ref().clone().with_data_type(c.data_type().clone()));
            Ok(Arc::new(StructArray::try_new_with_length(relaxed.collect(), columns, nulls, rows)?))
        }
        data_type => match leaves.next() {
            Some(leaf) if leaf.data_type() == data_type => Ok(ArrayRef::clone(leaf)),
            Some(leaf) => Ok(cast(leaf, data_type)?),
            None => exec_err!("the recipe has no column for `{}`", field.name()),
        },
    }
}

/// The same values under exactly the fields of `schema`.
pub(super) fn strict(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    let columns = schema.fields().iter().zip(columns).map(|(field, column)| named(field.data_type(), column));
    Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_>>()?)?)
}

fn named(data_type: &DataType, column: ArrayRef) -> Result<ArrayRef> {
    match (data_type, column.data_type()) {
        (DataType::Struct(fields), DataType::Struct(_)) if !fields.is_empty() => {
            let structs = arrow::array::AsArray::as_struct(&column);
            let inner = fields.iter().zip(structs.columns()).map(|(f, c)| named(f.data_type(), ArrayRef::clone(c)));
            let inner = inner.collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(StructArray::try_new_with_length(
                fields.clone(),
                inner,
                structs.nulls().cloned(),
                structs.len(),
            )?))
        }
        _ => Ok(column),
    }
}

/// Writes an empty file with the schema and the metadata of the file at `from`.
///
/// # Errors
/// One cannot be read, the other not written, or lacks something that the first one says of its columns.
pub fn write_schema(from: &Path, to: &Path) -> Result<()> {
    let failed = |e: &dyn std::fmt::Display| exec_datafusion_err!("cannot read {}: {e}", from.display());
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(from)?).map_err(|e| failed(&e))?;
    let metadata = builder.metadata().file_metadata().key_value_metadata().cloned();
    finish(writer(builder.schema(), metadata, to)?)?;
    match stored::lost(builder.metadata(), &footer(to)?) {
        Some(what) => exec_err!("{what}"),
        None => Ok(()),
    }
}

/// What the file at `original` says of its columns and one of the schema at `rebuilt` would not.
///
/// # Errors
/// One of them cannot be read.
pub fn lost(original: &Path, rebuilt: &Path) -> Result<Option<String>> {
    Ok(stored::lost(&footer(original)?, &footer(rebuilt)?))
}

fn footer(path: &Path) -> Result<ParquetMetaData> {
    let failed = |e: &dyn std::fmt::Display| exec_datafusion_err!("cannot read {}: {e}", path.display());
    let file = File::open(path).map_err(|e| failed(&e))?;
    ParquetMetaDataReader::new().parse_and_finish(&file).map_err(|e| failed(&e))
}

fn writer(schema: &SchemaRef, metadata: Option<Vec<KeyValue>>, to: &Path) -> Result<ArrowWriter<File>> {
    let metadata = metadata.map(|all| all.into_iter().filter(|pair| pair.key != ARROW_SCHEMA).collect());
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(metadata)
        .build();
    Ok(ArrowWriter::try_new(File::create(to)?, Arc::clone(schema), Some(properties))?)
}

/// Completes a file. It is synced to disk when its folder is committed.
pub(super) fn finish(writer: ArrowWriter<File>) -> Result<()> {
    writer.close()?;
    Ok(())
}

/// The schema of file number `at` of the recipe in `folder`, and a writer to `to` that gives it its metadata.
pub(super) fn template((folder, at): (&Path, usize), to: &Path) -> Result<(SchemaRef, ArrowWriter<File>)> {
    let template = ParquetRecordBatchReaderBuilder::try_new(File::open(folder.join(FileRecipe::schema_file(at)))?)?;
    let schema = Arc::clone(template.schema());
    let metadata = template.metadata().file_metadata().key_value_metadata().cloned();
    let writer = writer(&schema, metadata, to)?;
    Ok((schema, writer))
}

/// Writes file number `at` of the recipe in `folder` to `to`.
///
/// # Errors
/// The parent lacks a column or cannot be read.
pub async fn write(
    recipe: &FileRecipe,
    (folder, at): (&Path, usize),
    parent: &Parent<'_>,
    ctx: &SessionContext,
    to: &Path,
) -> Result<()> {
    let (schema, mut writer) = template((folder, at), to)?;
    match &recipe.how {
        How::Query(sql) => {
            let mut rows = ctx.sql(sql).await?.execute_stream().await?;
            while let Some(batch) = rows.try_next().await? {
                let columns = assemble(&schema, batch.columns(), recipe.null_structs, batch.num_rows())?;
                writer.write(&strict(&schema, columns)?)?;
            }
        }
        How::Rows(file) => {
            let positions = read_rows(&folder.join(file))?;
            let mut positions = positions.iter().peekable();
            let places = places(recipe, parent.table)?;
            let mut before = 0;
            let mut unordered = recipe.order.as_ref().map(|_| Unordered::new(ctx));
            let mut sink = |rows: usize, columns: &[Column]| -> Result<()> {
                let end = before + rows as u64;
                let here = std::iter::from_fn(|| positions.next_if(|&at| at < end)).map(|at| (at - before) as u32);
                let here = UInt32Array::from_iter_values(here);
                before = end;
                if here.is_empty() {
                    return Ok(());
                }
                let leaves = columns
                    .iter()
                    .map(|column| Ok(take(&column.array(rows), &here, None)?))
                    .collect::<Result<Vec<ArrayRef>>>()?;
                let columns = assemble(&schema, &leaves, recipe.null_structs, here.len())?;
                let batch = strict(&schema, columns)?;
                match &mut unordered {
                    Some(unordered) => unordered.push(batch),
                    None => Ok(writer.write(&batch)?),
                }
            };
            scan_columns(parent.store, parent.table, &places, &Arc::new(AtomicU64::new(0)), &mut sink).await?;
            if let (Some(unordered), Some(order)) = (unordered, &recipe.order) {
                unordered.write(&read_order(&folder.join(order))?, &mut writer)?;
            }
        }
    }
    finish(writer)
}

/// Rows that are put in order before they are written: held in memory, which the pool must grant.
pub(super) struct Unordered {
    batches: Vec<RecordBatch>,
    held: MemoryReservation,
}

impl Unordered {
    pub(super) fn new(ctx: &SessionContext) -> Self {
        let pool = &ctx.runtime_env().memory_pool;
        Self { batches: vec![], held: MemoryConsumer::new("rows put in order").register(pool) }
    }

    pub(super) fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.held.try_grow(batch.get_array_memory_size())?;
        self.batches.push(batch);
        Ok(())
    }

    /// Writes row number `order[i]` from the place i among the rows.
    pub(super) fn write(self, order: &[u64], writer: &mut ArrowWriter<File>) -> Result<()> {
        let mut places =
            self.batches.iter().enumerate().flat_map(|(at, batch)| (0..batch.num_rows()).map(move |r| (at, r)));
        let mut sorted = vec![(0, 0); order.len()];
        for &number in order {
            let place = places.next();
            let slot = usize::try_from(number).ok().and_then(|number| sorted.get_mut(number));
            let (Some(place), Some(slot)) = (place, slot) else { return exec_err!("the order of its rows is damaged") };
            *slot = place;
        }
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        for some in sorted.chunks(exact::BATCH) {
            writer.write(&interleave_record_batch(&batches, some)?)?;
        }
        Ok(())
    }
}

/// The parent's columns by their places.
pub(super) fn places(recipe: &FileRecipe, table: &Table) -> Result<Vec<usize>> {
    let place = |name: &String| {
        let found = table.columns.iter().position(|column| *column.name == **name);
        found.ok_or_else(|| exec_datafusion_err!("{} has no column {name} any more", table.name))
    };
    recipe.columns.iter().map(place).collect()
}

/// Explains how a rebuilt file differs from what the recipe promises; `None` if it has the same schema and the same rows bit
/// for bit.
///
/// # Errors
/// It cannot be read.
pub fn differs(recipe: &FileRecipe, (folder, at): (&Path, usize), rebuilt: &Path) -> Result<Option<String>> {
    let (schema, exact::Print { rows: found, sequence }) = exact::print(rebuilt)?;
    let (expected, _) = exact::print(&folder.join(FileRecipe::schema_file(at)))?;
    if schema != expected {
        return Ok(Some("its schema came back changed".to_owned()));
    }
    let promised = recipe.fingerprint();
    let in_order = recipe.sequence.as_ref().is_none_or(|promised| *promised == format!("{sequence:032x}"));
    Ok(match found == promised {
        true if !in_order => Some("its rows came back in another order".to_owned()),
        true => None,
        false if found.rows != promised.rows => Some(format!("{} rows came back, not {}", found.rows, promised.rows)),
        false => Some("its rows came back changed".to_owned()),
    })
}
