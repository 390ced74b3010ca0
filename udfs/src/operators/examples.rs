//! Vectors, optionally labelled, in the order of their ids: in memory while the pool allows, otherwise in a file.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Builder, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use arrow::row::{RowConverter, Rows as EncodedRows, SortField};
use arrow::util::display::array_value_to_string;
use datafusion::common::{DataFusionError, Result, exec_err, plan_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use futures::TryStreamExt;
use xxhash_rust::xxh3::xxh3_64;

use super::frame::Work;
use crate::functions::scores::lists::Lists;
use crate::functions::strings::Strings;
use crate::kernels::learn::regression::Rows;
use crate::storage::blobs::{BlobWriter, Blobs};

/// Maximum number of classes.
const CLASSES: i64 = 65_536;

/// Bytes per row for its label, flag and position in the order.
const ENTRY: usize = 24;

/// Checks the types of the columns: id, vector, label and, if there is a fourth, a flag.
pub fn check_columns(operator: &str, columns: &[FieldRef]) -> Result<()> {
    let [id, vector, label, flag @ ..] = columns else { return plan_err!("{operator} takes id, vector and label") };
    check_vectors(operator, id, vector)?;
    if !label.data_type().is_integer() && !is_text(label.data_type()) {
        return plan_err!("{operator}: label must be an integer or text, `{}` is {}", label.name(), label.data_type());
    }
    match flag.first() {
        Some(flag) if *flag.data_type() != DataType::Boolean => {
            plan_err!("{operator}: `{}` must be Boolean, not {}", flag.name(), flag.data_type())
        }
        _ => Ok(()),
    }
}

fn is_text(label: &DataType) -> bool {
    matches!(label, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Checks the types of the id and vector columns.
pub fn check_vectors(operator: &str, id: &FieldRef, vector: &FieldRef) -> Result<()> {
    if id.data_type().is_nested() {
        return plan_err!("{operator}: id must be a plain value, `{}` is {}", id.name(), id.data_type());
    }
    let numbers = match vector.data_type() {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            item.data_type().is_floating()
        }
        _ => false,
    };
    if !numbers {
        return plan_err!(
            "{operator}: vector must be a list of 16, 32 or 64-bit floats, `{}` is {}",
            vector.name(),
            vector.data_type()
        );
    }
    Ok(())
}

enum Vectors {
    /// In the order of ids.
    Memory(Vec<f32>),
    /// In arrival order.
    File(Blobs),
}

/// Labelled vectors.
pub struct Examples {
    ids: EncodedRows,
    converter: RowConverter,
    order: Vec<u32>,
    labels: Vec<Option<u32>>,
    flags: Vec<bool>,
    vectors: Vectors,
    dimensions: usize,
    classes: usize,
    _memory: MemoryReservation,
}

impl Examples {
    /// Reads the input of `operator`.
    pub async fn gather(operator: &'static str, work: &mut Work) -> Result<Self> {
        let env = work.context.task.runtime_env();
        let memory = MemoryConsumer::new(format!("rows of {operator}")).register(&env.memory_pool);
        let id_type = work.input.schema().field(work.column(0)).data_type().clone();
        let converter = RowConverter::new(vec![SortField::new(id_type)])?;
        let mut gathered = Gathered {
            operator,
            vector_name: work.name(1),
            label_name: if work.columns[0].len() > 2 { work.name(2) } else { String::new() },
            ids: converter.empty_rows(0, 0),
            labels: vec![],
            texts: HashMap::new(),
            flags: vec![],
            dimensions: None,
            writer: BlobWriter::new("vectors", &env),
        };
        let mut held = 0;
        while let Some(batch) = work.input.try_next().await? {
            let id = batch.column(work.column(0));
            if id.null_count() > 0 {
                return exec_err!("{operator}: column `{}` has {} NULL in a batch", work.name(0), id.null_count());
            }
            converter.append(&mut gathered.ids, std::slice::from_ref(id))?;
            gathered.add(&batch, &work.columns[0])?;
            let size = gathered.ids.size() + gathered.labels.len() * ENTRY;
            memory.try_grow(size.saturating_sub(held))?;
            held = held.max(size);
        }
        gathered.finish(converter, memory)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Values per vector.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// One more than the greatest label.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The label of the row at position `at` in the order of ids.
    pub fn label(&self, at: usize) -> Option<usize> {
        self.labels[self.order[at] as usize].map(|label| label as usize)
    }

    /// The flag of a row; true if the input has no flags.
    pub fn flag(&self, at: usize) -> bool {
        self.flags.get(self.order[at] as usize).copied().unwrap_or(true)
    }

    /// A 64-bit hash that depends only on the row's id.
    pub fn hash(&self, at: usize) -> u64 {
        xxh3_64(self.ids.row(self.order[at] as usize).as_ref())
    }

    /// The ids of some rows, as a column.
    pub fn ids(&self, rows: impl Iterator<Item = usize>) -> Result<ArrayRef> {
        let rows = rows.map(|at| self.ids.row(self.order[at] as usize));
        Ok(self.converter.convert_rows(rows)?.remove(0))
    }

    /// Reads the vector of a row. `buffer` is reused between calls.
    pub fn vector<'a>(&'a self, at: usize, buffer: &'a mut Buffer) -> Result<&'a [f32]> {
        let width = self.dimensions;
        match &self.vectors {
            Vectors::Memory(values) => Ok(&values[at * width..(at + 1) * width]),
            Vectors::File(blobs) => read(blobs, self.order[at], width, buffer),
        }
    }

    /// Selects rows as a training set. Each must have a label.
    pub fn subset(&self, rows: Vec<u32>) -> Subset<'_> {
        Subset { examples: self, rows }
    }
}

/// Buffers for a vector that is read from a file.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    values: Vec<f32>,
}

fn read<'a>(blobs: &Blobs, row: u32, width: usize, buffer: &'a mut Buffer) -> Result<&'a [f32]> {
    buffer.bytes.resize(width * size_of::<f32>(), 0);
    blobs.read(u64::from(row) * buffer.bytes.len() as u64, &mut buffer.bytes)?;
    buffer.values.clear();
    let numbers = buffer.bytes.chunks_exact(size_of::<f32>());
    buffer.values.extend(numbers.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
    Ok(&buffer.values)
}

/// The rows read so far.
struct Gathered {
    operator: &'static str,
    vector_name: String,
    label_name: String,
    ids: EncodedRows,
    labels: Vec<Option<u32>>,
    /// Labels that are texts, numbered in arrival order.
    texts: HashMap<String, u32>,
    flags: Vec<bool>,
    dimensions: Option<usize>,
    writer: BlobWriter,
}

impl Gathered {
    /// Converts labels to numbers; texts are numbered in arrival order.
    fn numbered(&mut self, labels: &ArrayRef) -> Result<ArrayRef> {
        if !is_text(labels.data_type()) {
            return Ok(cast(labels, &DataType::Int64)?);
        }
        let mut numbers = Int64Builder::with_capacity(labels.len());
        for text in Strings::try_new(labels, &self.label_name)?.iter() {
            numbers.append_option(text.map(|text| {
                let next = self.texts.len() as u32;
                let number = self.texts.get(text).copied();
                i64::from(number.unwrap_or_else(|| *self.texts.entry(text.to_owned()).or_insert(next)))
            }));
        }
        Ok(Arc::new(numbers.finish()))
    }

    /// Renumbers text labels in byte order, so that numbers do not depend on arrival order.
    fn sort_labels(&mut self) {
        let mut texts: Vec<(&String, u32)> = self.texts.iter().map(|(text, number)| (text, *number)).collect();
        texts.sort_unstable();
        let mut places = vec![0; texts.len()];
        for (place, (_, number)) in texts.iter().enumerate() {
            places[*number as usize] = place as u32;
        }
        if !places.is_empty() {
            self.labels.iter_mut().flatten().for_each(|label| *label = places[*label as usize]);
        }
    }

    fn add(&mut self, batch: &RecordBatch, columns: &[usize]) -> Result<()> {
        let operator = self.operator;
        let vectors = Lists::try_new(operator, "vector", batch.column(columns[1]))?;
        let labels = columns.get(2).map(|at| self.numbered(batch.column(*at))).transpose()?;
        let labels = labels.as_ref().map(|labels| labels.as_primitive::<Int64Type>());
        let row_of = |row: usize| array_value_to_string(batch.column(columns[0]), row);
        let flags = columns.get(3).map(|at| batch.column(*at).as_boolean());
        let (mut numbers, mut bytes) = (vec![], vec![]);
        for row in 0..batch.num_rows() {
            let found = vectors.finite(row, &mut numbers);
            let in_row = |error: DataFusionError| match row_of(row) {
                Ok(id) => error.context(format!("column `{}` in row {id}", self.vector_name)),
                Err(_) => error,
            };
            let Some(vector) = found.map_err(in_row)? else {
                let (name, id) = (&self.vector_name, row_of(row)?);
                return exec_err!("{operator}: column `{name}` has a NULL vector in row {id}; leave such rows out");
            };
            let width = *self.dimensions.get_or_insert(vector.len());
            if vector.len() != width || width == 0 {
                let (name, own, id) = (&self.vector_name, vector.len(), row_of(row)?);
                return exec_err!("{operator}: column `{name}` has vectors of {width} and, in row {id}, {own} values");
            }
            bytes.clear();
            for value in vector {
                let value = *value as f32;
                if !value.is_finite() {
                    let (name, id) = (&self.vector_name, row_of(row)?);
                    return exec_err!("{operator}: column `{name}` has a value beyond 32 bits in row {id}");
                }
                bytes.extend_from_slice(&value.to_le_bytes());
            }
            self.writer.append(&bytes)?;
            self.labels.push(match labels.and_then(|labels| labels.is_valid(row).then(|| labels.value(row))) {
                None => None,
                Some(label) if (0..CLASSES).contains(&label) => Some(label as u32),
                Some(label) => {
                    return exec_err!(
                        "{operator}: column `{}` has label {label} in row {}; labels are integers from 0 to {}, or texts",
                        self.label_name,
                        row_of(row)?,
                        CLASSES - 1
                    );
                }
            });
            if let Some(flags) = flags {
                self.flags.push(flags.is_valid(row) && flags.value(row));
            }
        }
        Ok(())
    }

    fn finish(mut self, converter: RowConverter, memory: MemoryReservation) -> Result<Examples> {
        self.sort_labels();
        let Self { operator, ids, labels, flags, dimensions, writer, .. } = self;
        let mut order: Vec<u32> = (0..ids.num_rows() as u32).collect();
        order.sort_unstable_by(|a, b| ids.row(*a as usize).cmp(&ids.row(*b as usize)));
        if let Some(pair) = order.windows(2).find(|pair| ids.row(pair[0] as usize) == ids.row(pair[1] as usize)) {
            let shown = converter.convert_rows([ids.row(pair[0] as usize)])?.remove(0);
            return exec_err!("{operator}: id {} comes twice", array_value_to_string(&shown, 0)?);
        }
        let dimensions = dimensions.unwrap_or_default();
        let blobs = writer.finish()?;
        let vectors = if memory.try_grow(order.len() * dimensions * size_of::<f32>()).is_ok() {
            let (mut values, mut buffer) = (Vec::with_capacity(order.len() * dimensions), Buffer::default());
            for &row in &order {
                values.extend_from_slice(read(&blobs, row, dimensions, &mut buffer)?);
            }
            Vectors::Memory(values)
        } else {
            Vectors::File(blobs)
        };
        let classes = labels.iter().flatten().max().map_or(0, |label| *label as usize + 1);
        Ok(Examples { ids, converter, order, labels, flags, vectors, dimensions, classes, _memory: memory })
    }
}

/// A subset of the rows, all labelled.
pub struct Subset<'a> {
    examples: &'a Examples,
    rows: Vec<u32>,
}

impl Rows<DataFusionError> for Subset<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn visit(&self, range: Range<usize>, each: &mut dyn FnMut(&[f32], usize)) -> Result<()> {
        let mut buffer = Buffer::default();
        for &row in &self.rows[range] {
            let label = self.examples.label(row as usize).unwrap_or_default();
            each(self.examples.vector(row as usize, &mut buffer)?, label);
        }
        Ok(())
    }
}
