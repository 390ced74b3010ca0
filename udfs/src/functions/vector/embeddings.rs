//! A common view of vectors in any list layout.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, Float32Array, LargeListArray, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Float16Type, Float32Type, Float64Type};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err, plan_err};

use crate::kernels::vector::arithmetic::sizes;

/// The type to which vectors of type `given` are cast: unchanged, except that values other than floats are cast to floats.
pub fn coerce(what: &str, given: &DataType) -> Result<DataType> {
    let item = |field: &FieldRef| -> Option<FieldRef> {
        match field.data_type() {
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Some(Arc::clone(field)),
            other if other.is_numeric() || other.is_null() => Some(float_item(DataType::Float64)),
            _ => None,
        }
    };
    let coerced = match given {
        DataType::Null => Some(DataType::List(float_item(DataType::Float32))),
        DataType::FixedSizeList(field, width) => item(field).map(|item| DataType::FixedSizeList(item, *width)),
        DataType::List(field) | DataType::ListView(field) => item(field).map(DataType::List),
        DataType::LargeList(field) | DataType::LargeListView(field) => item(field).map(DataType::LargeList),
        _ => None,
    };
    match coerced {
        Some(coerced) => Ok(coerced),
        None => plan_err!("{what}: a vector is a list of floats, not {given}"),
    }
}

/// The item field of lists that this crate creates.
pub fn float_item(item: DataType) -> FieldRef {
    Field::new_list_field(item, true).into()
}

/// The same layout as `given`, a coerced type, with 32-bit floats.
pub fn as_f32(given: &DataType) -> DataType {
    let item = float_item(DataType::Float32);
    match given {
        DataType::FixedSizeList(_, width) => DataType::FixedSizeList(item, *width),
        DataType::LargeList(_) => DataType::LargeList(item),
        _ => DataType::List(item),
    }
}

/// Vectors as rows of 32-bit floats. 64-bit floats are rounded to 32 bits. NULL, NaN and infinite values within a row are
/// errors.
#[derive(Debug)]
pub struct Embeddings<'a> {
    what: &'a str,
    rows: usize,
    values: Cow<'a, [f32]>,
    items: Option<&'a NullBuffer>,
    nulls: Option<&'a NullBuffer>,
    ends: Ends<'a>,
    first: usize,
}

#[derive(Debug)]
enum Ends<'a> {
    Width(usize),
    Small(&'a [i32]),
    Large(&'a [i64]),
}

impl Ends<'_> {
    fn span(&self, row: usize) -> (usize, usize) {
        match self {
            Self::Width(width) => (row * width, (row + 1) * width),
            // Offsets of a list array are not negative.
            Self::Small(ends) => (ends[row] as usize, ends[row + 1] as usize),
            Self::Large(ends) => (ends[row] as usize, ends[row + 1] as usize),
        }
    }
}

impl<'a> Embeddings<'a> {
    /// Creates a view of a column; errors start with `what`.
    pub fn try_new(what: &'a str, array: &'a ArrayRef) -> Result<Self> {
        let (values, ends) = if let Some(list) = array.as_fixed_size_list_opt() {
            (list.values(), Ends::Width(usize::try_from(list.value_length()).unwrap_or_default()))
        } else if let Some(list) = array.as_list_opt::<i32>() {
            (list.values(), Ends::Small(list.value_offsets()))
        } else if let Some(list) = array.as_list_opt::<i64>() {
            (list.values(), Ends::Large(list.value_offsets()))
        } else {
            return exec_err!("{what}: a vector is a list of floats, not {}", array.data_type());
        };
        let rows = array.len();
        let (first, end) = if rows == 0 { (0, 0) } else { (ends.span(0).0, ends.span(rows - 1).1) };
        let (values, first) = if let Some(floats) = values.as_primitive_opt::<Float32Type>() {
            (Cow::Borrowed(&floats.values()[..]), 0)
        } else if let Some(floats) = values.as_primitive_opt::<Float64Type>() {
            (floats.values()[first..end].iter().map(|&x| x as f32).collect(), first)
        } else if let Some(floats) = values.as_primitive_opt::<Float16Type>() {
            (floats.values()[first..end].iter().map(|x| x.to_f32()).collect(), first)
        } else {
            return exec_err!("{what}: a vector is a list of floats, not of {}", values.data_type());
        };
        let items = array_items(array).filter(|nulls| nulls.null_count() > 0);
        Ok(Self { what, rows, values, items, nulls: array.nulls(), ends, first })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The vector of a row; `None` if it is NULL. NaN and infinite values are not checked; [`finite`](Self::finite) does so.
    pub fn get(&self, row: usize) -> Result<Option<&[f32]>> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(None);
        }
        let (start, end) = self.ends.span(row);
        if self.items.is_some_and(|nulls| (start..end).any(|at| nulls.is_null(at))) {
            return exec_err!("{}: a vector has a NULL among its values", self.what);
        }
        Ok(Some(&self.values[start - self.first..end - self.first]))
    }

    /// The vector of a row; `None` if it is NULL. Returns an error if a value is NaN or infinite.
    pub fn finite(&self, row: usize) -> Result<Option<&[f32]>> {
        match self.get(row)? {
            Some(vector) if sizes(vector).1 == f32::INFINITY => Err(not_finite(self.what, vector)),
            other => Ok(other),
        }
    }
}

fn array_items(array: &ArrayRef) -> Option<&NullBuffer> {
    let any: &dyn Array = array.as_ref();
    match any.data_type() {
        DataType::FixedSizeList(..) => any.as_fixed_size_list_opt()?.values().nulls(),
        DataType::List(_) => any.as_list_opt::<i32>()?.values().nulls(),
        _ => any.as_list_opt::<i64>()?.values().nulls(),
    }
}

/// The error for a vector with a value that is not finite.
pub fn not_finite(what: &str, vector: &[f32]) -> DataFusionError {
    let bad = vector.iter().enumerate().find(|(_, x)| !x.is_finite());
    let (at, value) = bad.map_or((0, f32::NAN), |(at, x)| (at, *x));
    exec_datafusion_err!("{what}: value {} of a vector of {} is {value}; vectors must be finite", at + 1, vector.len())
}

/// The error for two vectors of different lengths.
pub fn mixed<T>(what: &str, a: usize, b: usize) -> Result<T> {
    exec_err!("{what}: vectors of {a} and {b} dimensions; both must have the same")
}

/// Builds a vector column of the type that [`as_f32`] returns for `like`. In a fixed-size list, the caller must fill the
/// values of NULL rows; in other lists, NULL rows are empty.
pub fn build(like: &DataType, values: Vec<f32>, lengths: &[usize], nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let (item, values) = (float_item(DataType::Float32), Arc::new(Float32Array::from(values)));
    Ok(match like {
        DataType::FixedSizeList(_, width) => {
            Arc::new(FixedSizeListArray::try_new_with_length(item, *width, values, nulls, lengths.len())?)
        }
        DataType::LargeList(_) => {
            Arc::new(LargeListArray::try_new(item, OffsetBuffer::from_lengths(lengths.iter().copied()), values, nulls)?)
        }
        _ => Arc::new(ListArray::try_new(item, OffsetBuffer::from_lengths(lengths.iter().copied()), values, nulls)?),
    })
}

/// Maps every vector. `one` appends the values of the result, or returns false for NULL.
pub fn map(
    what: &str,
    array: &ArrayRef,
    output: &DataType,
    mut one: impl FnMut(&[f32], &mut Vec<f32>) -> Result<bool>,
) -> Result<ArrayRef> {
    let vectors = Embeddings::try_new(what, array)?;
    let width = match output {
        DataType::FixedSizeList(_, width) => usize::try_from(*width).unwrap_or_default(),
        _ => 0,
    };
    let mut values = Vec::with_capacity(vectors.len() * width);
    let (mut lengths, mut valid) = (Vec::with_capacity(vectors.len()), Vec::with_capacity(vectors.len()));
    for row in 0..vectors.len() {
        let start = values.len();
        let done = match vectors.get(row)? {
            Some(vector) => one(vector, &mut values)?,
            None => false,
        };
        if !done {
            values.resize(start + width, 0.0);
        }
        lengths.push(values.len() - start);
        valid.push(done);
    }
    let nulls = Some(NullBuffer::from(valid)).filter(|nulls| nulls.null_count() > 0);
    build(output, values, &lengths, nulls)
}

#[cfg(test)]
mod tests {
    use arrow::compute::cast;

    use super::*;

    #[test]
    fn slices_of_every_layout_show_their_own_rows() {
        let rows =
            [Some(vec![Some(9.0), Some(9.0)]), None, Some(vec![Some(1.5), Some(-2.0)]), Some(vec![None, Some(8.0)])];
        let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(rows));
        for item in [DataType::Float16, DataType::Float32, DataType::Float64] {
            let layouts = [
                DataType::List(float_item(item.clone())),
                DataType::LargeList(float_item(item.clone())),
                DataType::FixedSizeList(float_item(item.clone()), 2),
            ];
            for layout in layouts {
                let slice = cast(&list, &layout).unwrap().slice(1, 3);
                let vectors = Embeddings::try_new("f", &slice).unwrap();
                assert_eq!((vectors.len(), vectors.get(0).unwrap()), (3, None));
                assert_eq!(vectors.get(1).unwrap(), Some([1.5, -2.0].as_slice()), "{layout}");
                assert!(vectors.get(2).unwrap_err().to_string().contains("NULL among"));
                let slice = slice.slice(1, 1);
                assert_eq!(Embeddings::try_new("f", &slice).unwrap().get(0).unwrap(), Some([1.5, -2.0].as_slice()));
            }
        }
    }

    #[test]
    fn values_that_are_not_finite_are_named() {
        let rows = [Some(vec![Some(1.0), Some(f64::NAN)]), Some(vec![Some(1e300)])];
        let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(rows));
        let vectors = Embeddings::try_new("f", &list).unwrap();
        assert!(vectors.finite(0).unwrap_err().to_string().contains("value 2 of a vector of 2 is NaN"));
        assert!(vectors.finite(1).unwrap_err().to_string().contains("value 1 of a vector of 1 is inf"));
    }
}
