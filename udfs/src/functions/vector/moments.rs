//! The state that the vector aggregates share: number of rows, sums of values, and sums of products.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err};

use super::embeddings::{self, Embeddings, float_item};
use crate::kernels::vector::arithmetic::sizes;
use crate::kernels::vector::exact_sum::{ExactSums, LIMIT};
use crate::kernels::vector::gaussian::Gaussian;

/// The SQL type of moments: `count`, the `sum` of each value, and the sums of `products` of values i and j with i <= j.
pub(super) fn moments_type() -> DataType {
    DataType::Struct(fields())
}

fn fields() -> Fields {
    let list = || DataType::List(float_item(DataType::Float64));
    Fields::from(vec![
        Field::new("count", DataType::Int64, true),
        Field::new("sum", list(), true),
        Field::new("products", list(), true),
    ])
}

/// Sums over rows that do not depend on their order.
#[derive(Debug)]
pub(super) struct Moments {
    function: &'static str,
    second: bool,
    count: i64,
    sums: ExactSums,
    products: ExactSums,
}

impl Moments {
    /// Starts without rows; `second` selects whether products are summed.
    pub(super) fn new(function: &'static str, second: bool) -> Self {
        Self { function, second, count: 0, sums: ExactSums::default(), products: ExactSums::default() }
    }

    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.sums.size() + self.products.size()
    }

    pub(super) fn count(&self) -> i64 {
        self.count
    }

    /// Adds a column of vectors; NULL rows are skipped.
    pub(super) fn add(&mut self, vectors: &ArrayRef) -> Result<()> {
        let function = self.function;
        let vectors = Embeddings::try_new(function, vectors)?;
        // The product of two values must also stay below the limit.
        let limit = if self.second { LIMIT.sqrt() } else { LIMIT };
        let mut waiting: Vec<(&[f32], (f32, f32))> = Vec::with_capacity(4);
        for row in 0..vectors.len() {
            let Some(vector) = vectors.get(row)? else { continue };
            let sizes = sizes(vector);
            if f64::from(sizes.1) >= limit {
                let bad = vector.iter().find(|x| f64::from(x.abs()) >= limit || x.is_nan()).unwrap_or(&f32::NAN);
                if !bad.is_finite() {
                    return Err(embeddings::not_finite(function, vector));
                }
                return exec_err!(
                    "{function}: a vector has the value {bad}; values must be between -{limit} and {limit}"
                );
            }
            self.reach(vector.len())?;
            self.count += 1;
            waiting.push((vector, sizes));
            if let [a, b, c, d] = waiting[..] {
                self.sums.add_four([a, b, c, d]);
                waiting.clear();
            }
            if self.second {
                let mut first = 0;
                for (i, &x) in vector.iter().enumerate() {
                    self.products.add(first, &vector[i..], f64::from(x));
                    first += vector.len() - i;
                }
                self.products.end_term();
            }
        }
        for (vector, _) in waiting {
            self.sums.add(0, vector, 1.0);
            self.sums.end_term();
        }
        Ok(())
    }

    /// Adds a column of moments of type [`moments_type`].
    pub(super) fn add_moments(&mut self, moments: &ArrayRef) -> Result<()> {
        for row in 0..moments.len() {
            if let Some((count, sum, products)) = read(self.function, moments, row)? {
                if count == 0 {
                    continue;
                }
                self.reach(sum.len())?;
                self.count += count;
                self.sums.add_wide(0, &sum);
                self.products.add_wide(0, &products);
            }
        }
        Ok(())
    }

    /// Sets the number of dimensions at the first row; returns an error if a later row differs.
    fn reach(&mut self, dimensions: usize) -> Result<()> {
        if self.count == 0 && self.sums.columns() == 0 {
            self.sums = ExactSums::new(dimensions);
            self.products = ExactSums::new(if self.second { dimensions * (dimensions + 1) / 2 } else { 0 });
        }
        match self.sums.columns() {
            own if own == dimensions => Ok(()),
            own => embeddings::mixed(self.function, own, dimensions),
        }
    }

    /// Fields of the state.
    pub(super) fn state_fields(name: &str) -> Vec<FieldRef> {
        let list = DataType::List(float_item(DataType::Float64));
        let field = |part: &str, kind: DataType| Arc::new(Field::new(format!("{name}[{part}]"), kind, true));
        vec![field("count", DataType::Int64), field("sums", list.clone()), field("products", list)]
    }

    pub(super) fn state(&mut self) -> Vec<ScalarValue> {
        self.sums.carry();
        self.products.carry();
        let list = |values: Vec<f64>| ScalarValue::List(Arc::new(list(values)));
        vec![ScalarValue::Int64(Some(self.count)), list(self.sums.parts()), list(self.products.parts())]
    }

    pub(super) fn merge(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [counts, sums, products] = states else { return internal_err!("a state of vectors has three fields") };
        let (counts, sums, products) =
            (counts.as_primitive::<Int64Type>(), sums.as_list::<i32>(), products.as_list::<i32>());
        for row in 0..counts.len() {
            if counts.value(row) == 0 {
                continue;
            }
            let (sums, products) = (sums.value(row), products.value(row));
            let (sums, products) = (sums.as_primitive::<Float64Type>(), products.as_primitive::<Float64Type>());
            self.reach(sums.len() / 3)?;
            self.count += counts.value(row);
            self.sums.merge(sums.values());
            self.products.merge(products.values());
        }
        Ok(())
    }

    /// The mean of each value.
    pub(super) fn mean(&mut self) -> Vec<f64> {
        self.sums.carry();
        (0..self.sums.columns()).map(|column| self.sums.sum(column) / self.count as f64).collect()
    }

    /// The moments as a scalar of type [`moments_type`].
    pub(super) fn scalar(&mut self) -> Result<ScalarValue> {
        self.sums.carry();
        self.products.carry();
        let all = |sums: &ExactSums| list((0..sums.columns()).map(|column| sums.sum(column)).collect());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![self.count])),
            Arc::new(all(&self.sums)),
            Arc::new(all(&self.products)),
        ];
        Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(fields(), columns, None)?)))
    }
}

fn list(values: Vec<f64>) -> ListArray {
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    ListArray::new(float_item(DataType::Float64), offsets, Arc::new(Float64Array::from(values)), None)
}

/// Count, sums and sums of products of a row of moments.
type Read = (i64, Vec<f64>, Vec<f64>);

fn read(function: &str, moments: &ArrayRef, row: usize) -> Result<Option<Read>> {
    let Some(moments) = moments.as_struct_opt().filter(|moments| moments.num_columns() == 3) else {
        return exec_err!("{function}: moments are what gaussian_moments gives, not {}", moments.data_type());
    };
    if moments.is_null(row) {
        return Ok(None);
    }
    let count = moments.column(0).as_primitive::<Int64Type>();
    let values = |column: usize| -> Vec<f64> {
        moments.column(column).as_list::<i32>().value(row).as_primitive::<Float64Type>().values().to_vec()
    };
    let (sum, products) = (values(1), values(2));
    let complete = products.len() == sum.len() * (sum.len() + 1) / 2;
    if count.is_null(row) || count.value(row) < 0 || !complete || !sum.iter().chain(&products).all(|x| x.is_finite()) {
        return exec_err!("{function}: moments are what gaussian_moments gives; these are incomplete or not finite");
    }
    Ok(Some((count.value(row), sum, products)))
}

/// The normal distribution with the moments of a row; `None` if they are NULL or cover no rows.
pub(super) fn gaussian(function: &str, moments: &ArrayRef, row: usize) -> Result<Option<Gaussian>> {
    let Some((count, sum, products)) = read(function, moments, row)?.filter(|(count, ..)| *count > 0) else {
        return Ok(None);
    };
    let found = Gaussian::from_sums(count.cast_unsigned(), &sum, &products);
    if !found.covariance.iter().all(|value| value.is_finite()) {
        return exec_err!("{function}: the covariance of these moments is not finite");
    }
    Ok(Some(found))
}
