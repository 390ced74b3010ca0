//! INT96 timestamps are read as microseconds, or rejected, but never wrap around.
//!
//! An INT96 holds a day and the nanoseconds of that day. Arrow converts it to 64 bits with wrap-around: in nanoseconds, years
//! before 1677 and after 2262 become others; in microseconds, those some 292,000 years away. INT96 columns are therefore read
//! as microseconds, after all values to be read have been checked in their original form. Digits below the microsecond are
//! cut, as other readers do.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::TimeUnit;
use bytes::{Buf, Bytes};
use datafusion::common::Result as DataFusionResult;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::Int96Coercer;
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, ParquetFileReaderFactory, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::basic::Type;
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::data_type::Int96;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

/// Julian day of 1970-01-01.
const EPOCH: i64 = 2_440_588;
/// Nanoseconds of a day.
const DAY: i128 = 86_400_000_000_000;
/// Rows decoded at a time.
const BATCH: usize = 8192;

/// Which units can represent the values of a column without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fits {
    /// All fit 64 bits of nanoseconds.
    pub nanoseconds: bool,
    /// All fit 64 bits of microseconds.
    pub microseconds: bool,
    /// None has digits below the microsecond.
    pub whole: bool,
}

impl Fits {
    /// The neutral value, for no values.
    pub const ALL: Self = Self { nanoseconds: true, microseconds: true, whole: true };

    fn add(&mut self, value: &Int96) {
        let [low, high, day] = *value.data() else { return };
        // The day is signed; the nanoseconds are whatever a writer put there.
        let of_day = (u64::from(high) << 32 | u64::from(low)) as i64;
        let nanoseconds = (i128::from(day as i32) - i128::from(EPOCH)) * DAY + i128::from(of_day);
        self.nanoseconds &= i64::try_from(nanoseconds).is_ok();
        self.microseconds &= i64::try_from(nanoseconds.div_euclid(1000)).is_ok();
        self.whole &= of_day % 1000 == 0;
    }

    /// Combines the facts about two sets of values.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            nanoseconds: self.nanoseconds && other.nanoseconds,
            microseconds: self.microseconds && other.microseconds,
            whole: self.whole && other.whole,
        }
    }
}

/// Whether a file has INT96 columns.
pub fn has_int96(footer: &ParquetMetaData) -> bool {
    footer.file_metadata().schema_descr().columns().iter().any(|column| column.physical_type() == Type::INT96)
}

/// The chunks of INT96 columns in a row group, with their places in the file.
fn chunks(group: &RowGroupMetaData) -> impl Iterator<Item = (Range<u64>, &ColumnChunkMetaData)> {
    let int96 = group.columns().iter().filter(|column| column.column_type() == Type::INT96);
    int96.filter_map(|column| {
        let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
        let (start, length) = (u64::try_from(start).ok()?, u64::try_from(column.compressed_size()).ok()?);
        Some((start..start.checked_add(length)?, column))
    })
}

/// A part of a file, at its place.
struct Part {
    start: u64,
    bytes: Bytes,
}

impl Length for Part {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for Part {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let length = usize::try_from(self.len().saturating_sub(start)).unwrap_or_default();
        Ok(self.get_bytes(start, length)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let from = start.checked_sub(self.start).and_then(|from| usize::try_from(from).ok());
        let range = from.and_then(|from| Some(from..from.checked_add(length)?));
        let range = range.filter(|range| range.end <= self.bytes.len());
        range
            .map(|range| self.bytes.slice(range))
            .ok_or_else(|| ParquetError::EOF("a page ends outside of its column".to_owned()))
    }
}

/// Checks the values of a chunk; `bytes` holds the whole chunk, from position `start`.
fn fits(start: u64, bytes: Bytes, chunk: &ColumnChunkMetaData, rows: usize) -> Result<Fits> {
    let pages = SerializedPageReader::new(Arc::new(Part { start, bytes }), chunk, rows, None)?;
    let column = chunk.column_descr_ptr();
    let (nested, optional) = (column.max_rep_level() > 0, column.max_def_level() > 0);
    let mut found = Fits::ALL;
    if let ColumnReader::Int96ColumnReader(mut reader) = get_column_reader(column, Box::new(pages)) {
        let (mut values, mut definitions, mut repetitions) = (vec![], vec![], vec![]);
        loop {
            values.clear();
            definitions.clear();
            repetitions.clear();
            let definitions = optional.then_some(&mut definitions);
            let repetitions = nested.then_some(&mut repetitions);
            let (records, _, _) = reader.read_records(BATCH, definitions, repetitions, &mut values)?;
            values.iter().for_each(|value| found.add(value));
            if records == 0 {
                break;
            }
        }
    }
    Ok(found)
}

/// The options to read INT96 columns without loss: in nanoseconds if possible, otherwise in microseconds.
///
/// # Errors
/// Neither unit fits.
pub fn options(footer: &ParquetMetaData, fits: Fits) -> std::result::Result<ArrowReaderOptions, String> {
    if fits.nanoseconds {
        return Ok(ArrowReaderOptions::new());
    }
    if !(fits.microseconds && fits.whole) {
        return Err(
            "it holds INT96 timestamps that 64 bits hold neither in nanoseconds nor in whole microseconds".to_owned()
        );
    }
    let file = footer.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata()).map_err(|e| e.to_string())?;
    let coerced = Int96Coercer::new(file.schema_descr(), &schema, &TimeUnit::Microsecond).coerce();
    Ok(ArrowReaderOptions::new().with_schema(Arc::new(coerced.unwrap_or(schema))))
}

/// Checks the INT96 values of a whole file.
///
/// # Errors
/// The file cannot be read.
pub async fn fits_of_file(reader: &mut dyn AsyncFileReader, footer: &ParquetMetaData) -> Result<Fits> {
    let mut found = Fits::ALL;
    for group in footer.row_groups() {
        let rows = usize::try_from(group.num_rows()).unwrap_or_default();
        for (range, chunk) in chunks(group) {
            let bytes = reader.get_bytes(range.clone()).await?;
            found = found.and(fits(range.start, bytes, chunk, rows)?);
        }
    }
    Ok(found)
}

/// Wraps a scan so that INT96 columns are checked before they are read.
pub(crate) fn guarded(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    let Some((config, source)) =
        plan.downcast_ref::<DataSourceExec>().and_then(|scan| scan.downcast_to_file_source::<ParquetSource>())
    else {
        return plan;
    };
    let Some(inner) = source.parquet_file_reader_factory().map(Arc::clone) else { return plan };
    let source = source.clone().with_parquet_file_reader_factory(Arc::new(Guard { inner }));
    DataSourceExec::from_data_source(FileScanConfigBuilder::from(config.clone()).with_source(Arc::new(source)).build())
}

/// Creates readers that check INT96 columns.
#[derive(Debug)]
struct Guard {
    inner: Arc<dyn ParquetFileReaderFactory>,
}

impl ParquetFileReaderFactory for Guard {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> DataFusionResult<Box<dyn AsyncFileReader + Send>> {
        let path = file.object_meta.location.to_string();
        let inner = self.inner.create_reader(partition, file, hint, metrics)?;
        Ok(Box::new(Reader { inner, path, open: None }))
    }
}

/// A chunk that has not been checked yet.
struct Open {
    range: Range<u64>,
    chunk: ColumnChunkMetaData,
    rows: usize,
}

struct Reader {
    inner: Box<dyn AsyncFileReader + Send>,
    path: String,
    /// `None` until the footer is known.
    open: Option<Vec<Open>>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Reader {
    fn note(&mut self, footer: &ParquetMetaData) {
        let open = footer.row_groups().iter().flat_map(|group| {
            let rows = usize::try_from(group.num_rows()).unwrap_or_default();
            chunks(group).map(move |(range, chunk)| Open { range, chunk: chunk.clone(), rows })
        });
        self.open = Some(open.collect());
    }

    /// Checks the chunks that overlap these ranges.
    async fn look(&mut self, ranges: &[Range<u64>]) -> Result<()> {
        if self.open.is_none() {
            let footer = self.inner.get_metadata(None).await?;
            self.note(&footer);
        }
        let Some(open) = self.open.as_mut().filter(|open| !open.is_empty()) else { return Ok(()) };
        let wanted = |chunk: &mut Open| {
            ranges.iter().any(|range| range.start < chunk.range.end && chunk.range.start < range.end)
        };
        let wanted: Vec<Open> = open.extract_if(.., wanted).collect();
        for Open { range, chunk, rows } in wanted {
            let bytes = self.inner.get_bytes(range.clone()).await?;
            if !fits(range.start, bytes, &chunk, rows)?.microseconds {
                return Err(ParquetError::General(format!(
                    "column `{}` of /{} holds an INT96 timestamp that is too far from 1970 to count in microseconds",
                    chunk.column_path().string(),
                    self.path
                )));
            }
        }
        Ok(())
    }
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            self.look(std::slice::from_ref(&range)).await?;
            self.inner.get_bytes(range).await
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            self.look(&ranges).await?;
            self.inner.get_byte_ranges(ranges).await
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let footer = self.inner.get_metadata(options).await?;
            if self.open.is_none() {
                self.note(&footer);
            }
            Ok(footer)
        }
        .boxed()
    }
}
