//! Bit-for-bit comparison of rows, which must be preserved when a table is restored.
//!
//! The canonical form does not distinguish -0.0 from 0.0, or one NaN from another. Here floats are compared by their bits,
//! and a NULL struct differs from one whose fields are all NULL. Schemas are compared separately, so types need not show in
//! the bytes.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, GenericListArray, MapArray, OffsetSizeTrait, RecordBatch, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, Fields, Float16Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, SchemaRef,
};
use datafusion::common::{Result, exec_datafusion_err};
use limpid_connectors::sources::parquet::int96::has_int96;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::cells::Cells;
use crate::kernels::canonical::{self, Form};
use crate::kernels::row_hash::{Fingerprint, cell, finish};

/// Rows decoded at a time.
pub const BATCH: usize = 8192;

/// The same array with floats as the integers of their bits, wherever they are.
fn bits(array: &ArrayRef) -> Result<ArrayRef> {
    use DataType as T;
    Ok(match array.data_type() {
        T::Float16 => Arc::new(array.as_primitive::<Float16Type>().unary::<_, Int16Type>(|x| x.to_bits() as i16)),
        T::Float32 => Arc::new(array.as_primitive::<Float32Type>().unary::<_, Int32Type>(|x| x.to_bits() as i32)),
        T::Float64 => Arc::new(array.as_primitive::<Float64Type>().unary::<_, Int64Type>(|x| x.to_bits() as i64)),
        T::Dictionary(_, value) => bits(&cast(array, value)?)?,
        T::RunEndEncoded(_, value) => bits(&cast(array, value.data_type())?)?,
        T::Struct(fields) => Arc::new(structure(array.as_struct(), fields)?),
        T::List(_) => list::<i32>(array)?,
        T::LargeList(_) => list::<i64>(array)?,
        T::ListView(item) | T::LargeListView(item) => bits(&cast(array, &T::LargeList(Arc::clone(item)))?)?,
        T::FixedSizeList(_, size) => {
            let lists = array.as_fixed_size_list();
            let values = bits(lists.values())?;
            Arc::new(FixedSizeListArray::try_new(item(&values), *size, values, lists.nulls().cloned())?)
        }
        T::Map(field, sorted) => {
            let map = array.as_map();
            let entries = structure(map.entries(), map.entries().fields())?;
            let field = Arc::new(field.as_ref().clone().with_data_type(entries.data_type().clone()));
            Arc::new(MapArray::try_new(field, map.offsets().clone(), entries, map.nulls().cloned(), *sorted)?)
        }
        _ => ArrayRef::clone(array),
    })
}

fn item(values: &ArrayRef) -> Arc<Field> {
    Arc::new(Field::new("item", values.data_type().clone(), true))
}

fn list<O: OffsetSizeTrait>(array: &ArrayRef) -> Result<ArrayRef> {
    let lists = array.as_list::<O>();
    let values = bits(lists.values())?;
    Ok(Arc::new(GenericListArray::<O>::try_new(
        item(&values),
        lists.offsets().clone(),
        values,
        lists.nulls().cloned(),
    )?))
}

fn structure(array: &StructArray, fields: &Fields) -> Result<StructArray> {
    let columns = array.columns().iter().map(bits).collect::<Result<Vec<_>>>()?;
    let fields: Fields = fields
        .iter()
        .zip(&columns)
        .map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true))
        .collect();
    Ok(StructArray::try_new_with_length(fields, columns, array.nulls().cloned(), array.len())?)
}

/// Columns whose rows are compared bit for bit.
pub struct Rows(Vec<Cells>);

impl Rows {
    /// Reads whole columns, structs as they are.
    ///
    /// # Errors
    /// A type without a canonical form.
    pub fn try_new(columns: &[ArrayRef]) -> Result<Self> {
        columns.iter().map(|column| Cells::try_new(&bits(column)?, Form::Value)).collect::<Result<_>>().map(Self)
    }

    /// Writes the bytes of a row.
    pub fn encode(&self, row: usize, out: &mut Vec<u8>) {
        out.clear();
        for column in &self.0 {
            canonical::item(out, |out| column.encode(row, out));
        }
    }
}

/// Reads a Parquet file batch by batch.
///
/// # Errors
/// It cannot be read; errors of `sink`.
pub fn each_batch(path: &Path, mut sink: impl FnMut(&RecordBatch) -> Result<()>) -> Result<SchemaRef> {
    let (batches, schema) = open(path)?;
    for batch in batches {
        sink(&batch.map_err(|e| exec_datafusion_err!("cannot read {}: {e}", path.display()))?)?;
    }
    Ok(schema)
}

fn open(path: &Path) -> Result<(ParquetRecordBatchReader, SchemaRef)> {
    let failed = |e: &dyn std::fmt::Display| exec_datafusion_err!("cannot read {}: {e}", path.display());
    let file = File::open(path).map_err(|e| failed(&e))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| failed(&e))?.with_batch_size(BATCH);
    if has_int96(builder.metadata()) {
        return Err(failed(&"it holds INT96 timestamps, which are not compared bit for bit"));
    }
    let schema = Arc::clone(builder.schema());
    Ok((builder.build().map_err(|e| failed(&e))?, schema))
}

/// What the rows of a file are, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Print {
    /// The rows, whatever their order.
    pub rows: Fingerprint,
    /// A hash of the rows one after another.
    pub sequence: u128,
}

impl Print {
    /// Adds the next row, and gives its hash.
    pub fn add(&mut self, row: &[u8]) -> u128 {
        let hash = cell(row);
        self.rows.add(finish(hash));
        let mut both = [0; 32];
        both[..16].copy_from_slice(&self.sequence.to_le_bytes());
        both[16..].copy_from_slice(&hash.to_le_bytes());
        self.sequence = cell(&both);
        hash
    }
}

/// Schema, rows and their order of a file.
///
/// # Errors
/// It cannot be read.
pub fn print(path: &Path) -> Result<(SchemaRef, Print)> {
    let (mut all, mut bytes) = (Print::default(), vec![]);
    let schema = each_batch(path, |batch| {
        let rows = Rows::try_new(batch.columns())?;
        for row in 0..batch.num_rows() {
            rows.encode(row, &mut bytes);
            all.add(&bytes);
        }
        Ok(())
    })?;
    Ok((schema, all))
}

/// The rows of a file one after another.
pub struct Walk {
    batches: ParquetRecordBatchReader,
    schema: SchemaRef,
    rows: Option<(Rows, usize)>,
    at: usize,
    bytes: Vec<u8>,
}

impl Walk {
    /// At the first row of the file at `path`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let (batches, schema) = open(path)?;
        let mut walk = Self { batches, schema, rows: None, at: 0, bytes: vec![] };
        walk.step()?;
        Ok(walk)
    }

    /// Schema of the file.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The bytes of the row, until there is none left.
    pub fn row(&self) -> Option<&[u8]> {
        self.rows.is_some().then_some(self.bytes.as_slice())
    }

    /// Goes to the next row.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn advance(&mut self) -> Result<()> {
        self.at += 1;
        self.step()
    }

    fn step(&mut self) -> Result<()> {
        while self.rows.as_ref().is_none_or(|(_, count)| self.at >= *count) {
            let Some(batch) = self.batches.next().transpose()? else {
                self.rows = None;
                return Ok(());
            };
            self.rows = Some((Rows::try_new(batch.columns())?, batch.num_rows()));
            self.at = 0;
        }
        if let Some((rows, _)) = &self.rows {
            rows.encode(self.at, &mut self.bytes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int32Array, ListArray};
    use arrow::buffer::NullBuffer;

    use super::*;

    fn prints(array: impl Array + 'static) -> Fingerprint {
        let (mut all, mut bytes, count) = (Print::default(), vec![], array.len());
        let rows = Rows::try_new(&[Arc::new(array) as ArrayRef]).unwrap();
        for row in 0..count {
            rows.encode(row, &mut bytes);
            all.add(&bytes);
        }
        all.rows
    }

    #[test]
    fn bits_count() {
        assert_ne!(prints(Float64Array::from(vec![0.0])), prints(Float64Array::from(vec![-0.0])));
        let other = f64::from_bits(f64::NAN.to_bits() ^ 1);
        assert_ne!(prints(Float64Array::from(vec![f64::NAN])), prints(Float64Array::from(vec![other])));
        assert_eq!(prints(Float64Array::from(vec![1.0, 2.0])), prints(Float64Array::from(vec![2.0, 1.0])));
        let list = |x: f64| ListArray::from_iter_primitive::<Float64Type, _, _>([Some(vec![Some(x), None])]);
        assert_ne!(prints(list(0.0)), prints(list(-0.0)));
        let structs = |valid: bool| {
            let fields: Fields = vec![Field::new("x", DataType::Int32, true)].into();
            let x = Arc::new(Int32Array::from(vec![None])) as ArrayRef;
            StructArray::new(fields, vec![x], Some(NullBuffer::from(vec![valid])))
        };
        assert_ne!(prints(structs(true)), prints(structs(false)));
    }
}
