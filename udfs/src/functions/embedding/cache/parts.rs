//! Files of an embedding cache.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, FixedSizeListArray, Float32Array, RecordBatch, UInt64Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Float32Type, Schema, SchemaRef, UInt64Type};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use datafusion::parquet::arrow::{ArrowWriter, ProjectionMask};
use datafusion::parquet::file::metadata::{KeyValue, PageIndexPolicy};
use datafusion::parquet::file::properties::{EnabledStatistics, WriterProperties};
use limpid_io::NewFile;
use xxhash_rust::xxh3::xxh3_64;

use super::Found;

/// Half of a SHA-256 hash. The chance that any two of 10^12 contents collide is 1 in 10^15.
pub type Key = [u8; 16];
const KEY: i32 = size_of::<Key>() as i32;

/// Rows to write.
#[derive(Debug, Default)]
pub struct Rows {
    pub keys: Vec<Key>,
    pub values: Vec<f32>,
    pub present: Vec<bool>,
}

/// The folder of a model's files, and what their metadata must say.
#[derive(Debug)]
pub struct Part {
    pub folder: PathBuf,
    pub identity: String,
    pub dimension: usize,
}

const CONTENT: &str = "content";
const CHECK: &str = "checksum";
const VECTOR: &str = "embedding";
/// The metadata key that names the model of a file.
const OWNER: &str = "limpid.model";
/// Rows per page, the smallest unit that is read for one vector.
const PAGE: usize = 64;
/// Rows read at once.
const BATCH: usize = 1024;
const PREFIX: &str = "part-";

impl Part {
    /// Creates the folder and the file that names its owner. Returns an error if the folder belongs to another model.
    pub fn prepare(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join(name);
        let failed = |error: std::io::Error| exec_datafusion_err!("embedding cache: {}: {error}", path.display());
        limpid_io::remove_abandoned(&self.folder);
        match std::fs::read_to_string(&path) {
            Ok(found) if found == text => return Ok(()),
            Ok(_) => return Err(broken(&path, &"it speaks of another model")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        limpid_io::create_dir_all(&self.folder).map_err(failed)?;
        limpid_io::write(&path, text).map_err(failed)
    }

    /// Lists the files, ordered by name.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let failed =
            |error: std::io::Error| exec_datafusion_err!("embedding cache: {}: {error}", self.folder.display());
        let mut found = vec![];
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let is_part = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
            if is_part && path.extension().is_some_and(|extension| extension == "parquet") {
                found.push(path);
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    fn schema(&self) -> SchemaRef {
        let item = Arc::new(Field::new_list_field(DataType::Float32, false));
        let width = i32::try_from(self.dimension).unwrap_or(i32::MAX);
        Arc::new(Schema::new(vec![
            Field::new(CONTENT, DataType::FixedSizeBinary(KEY), false),
            Field::new(CHECK, DataType::UInt64, false),
            Field::new(VECTOR, DataType::FixedSizeList(item, width), true),
        ]))
    }

    /// Writes `rows` to a new file, which appears whole or not at all.
    pub fn write(&self, rows: &Rows) -> Result<PathBuf> {
        let failed = |error: &dyn std::fmt::Display| {
            exec_datafusion_err!("embedding cache: {}: cannot be written: {error}", self.folder.display())
        };
        let file = NewFile::create_unique(&self.folder, PREFIX, ".parquet").map_err(|error| failed(&error))?;
        let owner = KeyValue::new(OWNER.to_owned(), self.identity.clone());
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_data_page_row_count_limit(PAGE)
            .set_write_batch_size(PAGE)
            .set_key_value_metadata(Some(vec![owner]))
            .build();
        let mut writer = ArrowWriter::try_new(file.as_file(), self.schema(), Some(properties))?;
        for start in (0..rows.keys.len()).step_by(BATCH) {
            writer.write(&self.batch(rows, start, rows.keys.len().min(start + BATCH))?)?;
        }
        writer.close()?;
        let path = file.path().to_owned();
        file.commit_new().map_err(|error| failed(&error))?;
        Ok(path)
    }

    fn batch(&self, rows: &Rows, start: usize, end: usize) -> Result<RecordBatch> {
        let schema = self.schema();
        let DataType::FixedSizeList(item, width) = schema.field(2).data_type() else {
            return Err(exec_datafusion_err!("embedding cache: no vectors"));
        };
        let values = rows.values[start * self.dimension..end * self.dimension].to_vec();
        let checks = (start..end).map(|row| {
            let vector = &rows.values[row * self.dimension..(row + 1) * self.dimension];
            checksum(&rows.keys[row], rows.present[row].then_some(vector))
        });
        let contents = FixedSizeBinaryArray::try_from_iter(rows.keys[start..end].iter())?;
        let nulls = NullBuffer::from(rows.present[start..end].to_vec());
        let values: ArrayRef = Arc::new(Float32Array::from(values));
        let vectors = FixedSizeListArray::try_new(Arc::clone(item), *width, values, Some(nulls))?;
        let checks = UInt64Array::from_iter_values(checks);
        Ok(RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(contents), Arc::new(checks), Arc::new(vectors)])?)
    }

    fn reader(&self, path: &Path, policy: PageIndexPolicy) -> Result<ParquetRecordBatchReaderBuilder<File>> {
        let file = File::open(path).map_err(|error| broken(path, &error))?;
        // The Arrow schema stored beside the Parquet one is not needed, and a flipped bit in it makes its reader panic.
        let options = ArrowReaderOptions::new().with_page_index_policy(policy).with_skip_arrow_metadata(true);
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options);
        let builder = builder.map_err(|error| broken(path, &error))?.with_batch_size(BATCH);
        let metadata = builder.metadata().file_metadata().key_value_metadata();
        let owner = metadata.and_then(|pairs| pairs.iter().find(|pair| pair.key == OWNER)?.value.clone());
        if owner.as_deref() != Some(&self.identity) {
            return Err(broken(path, &"its vectors are of another model"));
        }
        let types: Vec<&DataType> = builder.schema().fields().iter().map(|field| field.data_type()).collect();
        match types[..] {
            [DataType::FixedSizeBinary(width), DataType::UInt64, DataType::List(item)]
                if *width == KEY && *item.data_type() == DataType::Float32 =>
            {
                Ok(builder)
            }
            _ => Err(broken(path, &"its columns are not those of a cache")),
        }
    }

    /// The keys in a file, in row order.
    pub fn keys(&self, path: &Path) -> Result<Vec<Key>> {
        guarded(path, || self.read_keys(path))
    }

    fn read_keys(&self, path: &Path) -> Result<Vec<Key>> {
        let builder = self.reader(path, PageIndexPolicy::Skip)?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), [CONTENT]);
        let mut keys = vec![];
        for batch in open(path, builder.with_projection(mask))? {
            let batch = batch.map_err(|error| broken(path, &error))?;
            let contents = batch.column(0).as_fixed_size_binary();
            for content in contents.iter().flatten() {
                keys.push(Key::try_from(content).map_err(|error| broken(path, &error))?);
            }
        }
        Ok(keys)
    }

    /// Reads the `wanted` rows of a file, each to its position in the result.
    pub fn read(&self, path: &Path, wanted: Vec<(u32, usize)>, found: &mut Found) -> Result<()> {
        guarded(path, || self.read_rows(path, wanted, found))
    }

    fn read_rows(&self, path: &Path, mut wanted: Vec<(u32, usize)>, found: &mut Found) -> Result<()> {
        wanted.sort_unstable();
        let builder = self.reader(path, PageIndexPolicy::Optional)?;
        let mut selectors: Vec<RowSelector> = vec![];
        let mut next = 0;
        for &(row, _) in &wanted {
            let row = row as usize;
            match selectors.last_mut() {
                Some(last) if row == next => last.row_count += 1,
                _ => selectors.extend([RowSelector::skip(row - next), RowSelector::select(1)]),
            }
            next = row + 1;
        }
        let selection = RowSelection::from(selectors);
        let mut places = wanted.into_iter().map(|(_, at)| at);
        for batch in open(path, builder.with_row_selection(selection))? {
            let batch = batch.map_err(|error| broken(path, &error))?;
            let contents = batch.column(0).as_fixed_size_binary();
            let checks = batch.column(1).as_primitive::<UInt64Type>();
            let vectors = batch.column(2).as_list::<i32>();
            let ends = vectors.value_offsets();
            let values = vectors.values().as_primitive::<Float32Type>().values();
            for row in 0..batch.num_rows() {
                let Some(at) = places.next() else { return Err(broken(path, &"it has more rows than it says")) };
                let vector = vectors.is_valid(row).then(|| &values[ends[row] as usize..ends[row + 1] as usize]);
                let key = found.keys[at];
                let whole = vector.is_none_or(|vector| vector.len() == self.dimension);
                if !whole || contents.value(row) != key || checks.value(row) != checksum(&key, vector) {
                    return Err(broken(path, &"a vector is not what was written"));
                }
                found.set(at, vector);
            }
        }
        if places.next().is_some() {
            return Err(broken(path, &"it has fewer rows than it says"));
        }
        Ok(())
    }
}

fn open(path: &Path, builder: ParquetRecordBatchReaderBuilder<File>) -> Result<ParquetRecordBatchReader> {
    builder.build().map_err(|error| broken(path, &error))
}

/// Runs `work` and turns a panic, caused by a corrupted file, into an error about the file.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(broken(path, &"it cannot be read")))
}

/// Checksum of a vector. It detects corruption on disk, which Parquet does not.
fn checksum(key: &Key, vector: Option<&[f32]>) -> u64 {
    let mut bytes = key.to_vec();
    bytes.extend(vector.into_iter().flatten().flat_map(|value| value.to_le_bytes()));
    xxh3_64(&bytes)
}

fn broken(path: &Path, message: &dyn std::fmt::Display) -> DataFusionError {
    exec_datafusion_err!(
        "embedding cache: {} cannot be used: {message}; remove it, and its vectors are made again",
        path.display()
    )
}
