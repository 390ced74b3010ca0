//! Survivor order, id order, and the check that ids are unique.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{SortOptions, concat, nullif, take};
use arrow::datatypes::{DataType, Field, Float16Type, Float32Type, Float64Type, Schema, SchemaRef, UInt32Type};
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::common::{Result, exec_err};
use futures::TryStreamExt;

use crate::operators::frame::OperatorContext;
use crate::storage::batches::{BatchStore, StoredBatches};
use crate::storage::numbers::Numbers;
use crate::storage::sort::sort_stored;

/// The sort keys of all rows in arrival order: the columns of `order_by`, the id, and the row number.
pub struct Keys {
    batches: Arc<StoredBatches>,
    schema: SchemaRef,
    order: Vec<SortOptions>,
    rows: usize,
}

/// Collects the keys of rows.
pub struct KeyWriter {
    op: String,
    id: usize,
    order_by: Vec<(usize, SortOptions)>,
    id_name: String,
    schema: SchemaRef,
    store: BatchStore,
}

impl KeyWriter {
    /// Starts without rows; `op` names the operator in errors.
    pub fn new(
        op: &str,
        below: &SchemaRef,
        id: usize,
        order_by: &[(usize, SortOptions)],
        context: &OperatorContext,
    ) -> Self {
        let schema = key_schema(below, id, order_by);
        let env = context.task.runtime_env();
        let store = BatchStore::new("row keys", Arc::clone(&schema), &env, context.spills.clone());
        let id_name = below.field(id).name().clone();
        Self { op: op.to_owned(), id, order_by: order_by.to_vec(), id_name, schema, store }
    }

    /// Adds the keys of a batch. NULL ids and too many rows are errors.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        check_not_null(&self.op, &self.id_name, batch.column(self.id))?;
        let first = self.store.rows();
        let last = u32::try_from(first + batch.num_rows()).ok().filter(|last| *last < u32::MAX);
        let Some(last) = last else {
            return exec_err!("{} takes fewer than {} rows at once; split the input", self.op, u32::MAX);
        };
        let order = self.order_by.iter().map(|(column, _)| nan_as_null(batch.column(*column)));
        let mut key: Vec<_> = order.collect::<Result<_>>()?;
        key.push(Arc::clone(batch.column(self.id)));
        key.push(Arc::new(UInt32Array::from_iter_values(first as u32..last)));
        self.store.push(RecordBatch::try_new(Arc::clone(&self.schema), key)?)
    }

    /// All keys.
    pub fn finish(self) -> Result<Keys> {
        let rows = self.store.rows();
        let order = self.order_by.iter().map(|(_, options)| *options).collect();
        Ok(Keys { batches: Arc::new(self.store.finish()?), schema: self.schema, order, rows })
    }
}

/// Replaces NaN by NULL: NaN sorts above all numbers, but a row must not win by it.
fn nan_as_null(values: &ArrayRef) -> Result<ArrayRef> {
    fn nan<T: ArrowPrimitiveType<Native: Into<f64>>>(values: &ArrayRef) -> BooleanArray {
        BooleanArray::from_unary(values.as_primitive::<T>(), |value| value.into().is_nan())
    }
    let nan = match values.data_type() {
        DataType::Float16 => nan::<Float16Type>(values),
        DataType::Float32 => nan::<Float32Type>(values),
        DataType::Float64 => nan::<Float64Type>(values),
        _ => return Ok(Arc::clone(values)),
    };
    if nan.has_true() { Ok(nullif(values, &nan)?) } else { Ok(Arc::clone(values)) }
}

/// The order columns, id and row number, renamed so that a column may occur twice.
fn key_schema(below: &Schema, id: usize, order_by: &[(usize, SortOptions)]) -> SchemaRef {
    let mut fields: Vec<Field> = order_by
        .iter()
        .enumerate()
        .map(|(at, (column, _))| below.field(*column).clone().with_name(format!("order_{at}")).with_nullable(true))
        .collect();
    fields.push(below.field(id).clone());
    fields.push(Field::new("row", DataType::UInt32, false));
    Arc::new(Schema::new(fields))
}

/// The positions of rows in survivor order and in id order.
pub struct Ranks {
    /// Maps the row number to the position in survivor order.
    pub survivor: Numbers<u32>,
    id: Option<Numbers<u32>>,
}

impl Ranks {
    /// The position of `row` in ascending order of id.
    pub fn id(&self, row: u32) -> Result<u32> {
        self.id.as_ref().unwrap_or(&self.survivor).get(row as usize)
    }
}

impl Keys {
    /// Sorts the keys. Returns an error that shows the id if one occurs twice.
    pub async fn ranks(&self, op: &str, context: &OperatorContext) -> Result<Ranks> {
        let ids = self.positions(&[(self.order.len(), SortOptions::default())], Some(op), context).await?;
        if self.order.is_empty() {
            return Ok(Ranks { survivor: ids, id: None });
        }
        let mut order: Vec<_> = self.order.iter().copied().enumerate().collect();
        order.push((self.order.len(), SortOptions::default()));
        Ok(Ranks { survivor: self.positions(&order, None, context).await?, id: Some(ids) })
    }

    /// The position of every row when sorted by the given columns. If `op` is given, values of the first column must be
    /// unique.
    async fn positions(
        &self,
        order: &[(usize, SortOptions)],
        op: Option<&str>,
        context: &OperatorContext,
    ) -> Result<Numbers<u32>> {
        let mut positions = context.filled("order of rows", self.rows, 0)?;
        let mut unique = op.map(|op| Unique::try_new(op, &self.schema, order[0].0)).transpose()?;
        let mut sorted = sort_stored("order of rows", &self.batches, order, &context.task, context.spills.clone())?;
        let mut at = 0_u32;
        while let Some(batch) = sorted.try_next().await? {
            if let Some(unique) = &mut unique {
                unique.check(&batch)?;
            }
            for &row in batch.column(self.order.len() + 1).as_primitive::<UInt32Type>().values() {
                positions.set(row as usize, at)?;
                at += 1;
            }
        }
        Ok(positions)
    }

    /// Reads the ids of `rows`, which must be ascending.
    pub async fn ids(&self, rows: &[u32]) -> Result<ArrayRef> {
        let id = self.order.len();
        let mut found = vec![arrow::array::new_empty_array(self.schema.field(id).data_type())];
        let (mut rest, mut start) = (rows, 0_u32);
        let mut batches = self.batches.stream()?;
        while let Some(batch) = batches.try_next().await? {
            let end = start + batch.num_rows() as u32;
            let (here, after) = rest.split_at(rest.partition_point(|&row| row < end));
            if !here.is_empty() {
                let at: UInt32Array = here.iter().map(|row| row - start).collect();
                found.push(take(batch.column(id), &at, None)?);
            }
            (rest, start) = (after, end);
        }
        Ok(concat(&found.iter().map(|a| a.as_ref()).collect::<Vec<_>>())?)
    }
}

/// Returns an error if two consecutive ids are equal.
struct Unique<'a> {
    op: &'a str,
    column: usize,
    name: String,
    converter: RowConverter,
    last: Option<OwnedRow>,
}

impl<'a> Unique<'a> {
    fn try_new(op: &'a str, schema: &SchemaRef, column: usize) -> Result<Self> {
        let field = schema.field(column);
        let converter = RowConverter::new(vec![SortField::new(field.data_type().clone())])?;
        Ok(Self { op, column, name: field.name().clone(), converter, last: None })
    }

    fn check(&mut self, batch: &RecordBatch) -> Result<()> {
        let ids = batch.column(self.column);
        let rows = self.converter.convert_columns(std::slice::from_ref(ids))?;
        for at in 0..rows.num_rows() {
            let same = if at == 0 {
                self.last.as_ref().is_some_and(|last| last.row() == rows.row(0))
            } else {
                rows.row(at - 1) == rows.row(at)
            };
            if same {
                let (op, name) = (self.op, &self.name);
                let id = arrow::util::display::array_value_to_string(ids, at)?;
                return exec_err!(
                    "{op}: id `{id}` appears more than once in column `{name}`; every row needs its own key"
                );
            }
        }
        if let Some(at) = rows.num_rows().checked_sub(1) {
            self.last = Some(rows.row(at).owned());
        }
        Ok(())
    }
}

/// Returns an error that counts the NULL ids, if there are any.
fn check_not_null(op: &str, name: &str, ids: &ArrayRef) -> Result<()> {
    match ids.null_count() {
        0 => Ok(()),
        n => {
            exec_err!("{op}: column `{name}` has {n} NULL of {} ids in a batch; every row needs its own key", ids.len())
        }
    }
}
