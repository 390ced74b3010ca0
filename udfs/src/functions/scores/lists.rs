//! A common view of numeric lists in any Arrow layout, and the builder of results.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeListArray, Float64Array, LargeListArray, ListArray,
    NullBufferBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float16Type, Float32Type, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, exec_err, internal_err};

use crate::functions::literals::Literals;
use crate::kernels::scores::probability::{check_finite, check_probabilities};

type Half = <Float16Type as ArrowPrimitiveType>::Native;

/// How far the sum of probabilities may be from one, depending on their storage type.
const TOLERANCE: f64 = 1e-3;
const HALF_TOLERANCE: f64 = 1e-2;

/// Where the values of each row of a list column end.
#[derive(Debug)]
enum Ends<'a> {
    Width(usize),
    Small(&'a [i32]),
    Large(&'a [i64]),
}

impl Ends<'_> {
    fn of(array: &ArrayRef) -> Option<(&ArrayRef, Ends<'_>)> {
        if let Some(list) = array.as_fixed_size_list_opt() {
            Some((list.values(), Ends::Width(usize::try_from(list.value_length()).unwrap_or_default())))
        } else if let Some(list) = array.as_list_opt::<i32>() {
            Some((list.values(), Ends::Small(list.value_offsets())))
        } else {
            array.as_list_opt::<i64>().map(|list| (list.values(), Ends::Large(list.value_offsets())))
        }
    }

    fn range(&self, row: usize) -> Range<usize> {
        match self {
            Ends::Width(width) => row * width..(row + 1) * width,
            // Offsets of a list array are not negative.
            Ends::Small(ends) => ends[row] as usize..ends[row + 1] as usize,
            Ends::Large(ends) => ends[row] as usize..ends[row + 1] as usize,
        }
    }
}

#[derive(Debug)]
enum Values<'a> {
    Half(&'a [Half]),
    Single(&'a [f32]),
    Double(&'a [f64]),
}

/// A column of numeric lists: `List`, `LargeList` or `FixedSizeList` of 16, 32 or 64-bit floats.
#[derive(Debug)]
pub(crate) struct Lists<'a> {
    function: &'static str,
    name: &'static str,
    values: Values<'a>,
    missing: Option<&'a NullBuffer>,
    nulls: Option<&'a NullBuffer>,
    ends: Ends<'a>,
}

impl<'a> Lists<'a> {
    /// Creates a view of `array`, the argument `name` of `function`.
    pub(crate) fn try_new(function: &'static str, name: &'static str, array: &'a ArrayRef) -> Result<Self> {
        let Some((inner, ends)) = Ends::of(array) else {
            return exec_err!("{function}: {name} must be a list of numbers, not {}", array.data_type());
        };
        let values = if let Some(values) = inner.as_primitive_opt::<Float32Type>() {
            Values::Single(values.values())
        } else if let Some(values) = inner.as_primitive_opt::<Float64Type>() {
            Values::Double(values.values())
        } else if let Some(values) = inner.as_primitive_opt::<Float16Type>() {
            Values::Half(values.values())
        } else {
            return exec_err!("{function}: {name} must be a list of numbers, not of {}", inner.data_type());
        };
        let missing = inner.nulls().filter(|nulls| nulls.null_count() > 0);
        Ok(Self { function, name, values, missing, nulls: array.nulls(), ends })
    }

    /// Copies the numbers of a row into `buffer`. Returns `None` if the row is NULL, and an error if one of its values is.
    pub(crate) fn get<'b>(&self, row: usize, buffer: &'b mut Vec<f64>) -> Result<Option<&'b mut [f64]>> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(None);
        }
        let range = self.ends.range(row);
        if let Some(missing) = self.missing
            && let Some(at) = range.clone().find(|at| missing.is_null(*at))
        {
            return exec_err!("{}: {} has NULL at position {}", self.function, self.name, at - range.start + 1);
        }
        buffer.clear();
        match self.values {
            Values::Half(values) => buffer.extend(values[range].iter().map(|value| value.to_f64())),
            Values::Single(values) => buffer.extend(values[range].iter().map(|value| f64::from(*value))),
            Values::Double(values) => buffer.extend_from_slice(&values[range]),
        }
        Ok(Some(buffer.as_mut_slice()))
    }

    /// Like [`Self::get`], but returns an error if a value is NaN or infinite.
    pub(crate) fn finite<'b>(&self, row: usize, buffer: &'b mut Vec<f64>) -> Result<Option<&'b [f64]>> {
        let Some(values) = self.get(row, buffer)? else { return Ok(None) };
        check_finite(values).map_err(|fault| exec_datafusion_err!("{}: {} {fault}", self.function, self.name))?;
        Ok(Some(&*values))
    }

    /// Like [`Self::get`], but returns an error unless the numbers are probabilities of mutually exclusive classes.
    pub(super) fn probabilities<'b>(&self, row: usize, buffer: &'b mut Vec<f64>) -> Result<Option<&'b [f64]>> {
        let Some(values) = self.get(row, buffer)? else { return Ok(None) };
        let tolerance = if matches!(self.values, Values::Half(_)) { HALF_TOLERANCE } else { TOLERANCE };
        check_probabilities(values, tolerance)
            .map_err(|fault| exec_datafusion_err!("{}: {} {fault}", self.function, self.name))?;
        Ok(Some(&*values))
    }
}

/// A column of Boolean lists of any layout.
#[derive(Debug)]
pub(super) struct Masks<'a> {
    values: &'a BooleanArray,
    nulls: Option<&'a NullBuffer>,
    ends: Ends<'a>,
    function: &'static str,
}

impl<'a> Masks<'a> {
    /// Creates a view of `array`, the argument `mask` of `function`.
    pub(super) fn try_new(function: &'static str, array: &'a ArrayRef) -> Result<Self> {
        let found = Ends::of(array).and_then(|(inner, ends)| Some((inner.as_boolean_opt()?, ends)));
        let Some((values, ends)) = found else {
            return exec_err!("{function}: mask must be a list of Booleans, not {}", array.data_type());
        };
        Ok(Self { values, nulls: array.nulls(), ends, function })
    }

    /// The mask of a row. Returns `None` if the row is NULL, and an error if one of its values is.
    pub(super) fn get(&self, row: usize) -> Result<Option<impl ExactSizeIterator<Item = bool> + use<'a>>> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(None);
        }
        let (range, values) = (self.ends.range(row), self.values);
        if let Some(at) = range.clone().find(|at| values.is_null(*at)) {
            return exec_err!("{}: mask has NULL at position {}", self.function, at - range.start + 1);
        }
        Ok(Some(range.map(move |at| values.value(at))))
    }
}

/// Builds a list column with the layout and value type of another one.
pub(super) struct ListsBuilder {
    data_type: DataType,
    values: Vec<f64>,
    lengths: Vec<usize>,
    nulls: NullBufferBuilder,
}

impl ListsBuilder {
    /// Creates a builder of `data_type`, a numeric list type.
    pub(super) fn new(data_type: &DataType, rows: usize) -> Self {
        Self {
            data_type: data_type.clone(),
            values: vec![],
            lengths: Vec::with_capacity(rows),
            nulls: NullBufferBuilder::new(rows),
        }
    }

    /// Adds a row.
    pub(super) fn append(&mut self, row: Option<&[f64]>) {
        self.nulls.append(row.is_some());
        let length = match (row, &self.data_type) {
            (Some(row), _) => {
                self.values.extend_from_slice(row);
                row.len()
            }
            (None, DataType::FixedSizeList(_, width)) => {
                let width = usize::try_from(*width).unwrap_or_default();
                self.values.resize(self.values.len() + width, 0.0);
                width
            }
            (None, _) => 0,
        };
        self.lengths.push(length);
    }

    /// Returns the column.
    pub(super) fn finish(mut self) -> Result<ArrayRef> {
        let values: ArrayRef = Arc::new(Float64Array::from(self.values));
        let nulls = self.nulls.finish();
        let rows = self.lengths.len();
        let offsets = OffsetBuffer::<i64>::from_lengths(self.lengths);
        Ok(match self.data_type {
            DataType::FixedSizeList(field, width) => {
                let values = cast(&values, field.data_type())?;
                Arc::new(FixedSizeListArray::try_new_with_length(field, width, values, nulls, rows)?)
            }
            DataType::LargeList(field) => Arc::new(LargeListArray::try_new(
                Arc::clone(&field),
                offsets,
                cast(&values, field.data_type())?,
                nulls,
            )?),
            DataType::List(field) => {
                let large =
                    LargeListArray::try_new(Arc::clone(&field), offsets, cast(&values, field.data_type())?, nulls)?;
                cast(&large, &DataType::List(field))?
            }
            other => return internal_err!("{other} is not a list"),
        })
    }
}

/// Builds a column with one number per row; `None` becomes NULL.
pub(super) fn column(rows: usize, score: impl FnMut(usize) -> Result<Option<f64>>) -> Result<ArrayRef> {
    Ok(Arc::new((0..rows).map(score).collect::<Result<Float64Array>>()?))
}

/// Checks that `label` is a class, counted from 0.
pub(super) fn class(function: &str, label: i64, classes: usize) -> Result<usize> {
    match usize::try_from(label) {
        Ok(class) if class < classes => Ok(class),
        _ => exec_err!("{function}: label {label} is out of range: there are {classes} classes, the first is 0"),
    }
}

/// Converts a list of numbers to a scalar; `None` becomes NULL.
pub(super) fn list_scalar(values: Option<&Vec<f64>>) -> ScalarValue {
    let row = values.map(|values| values.iter().copied().map(Some));
    ScalarValue::List(Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>([row])))
}

/// Checks that a value can be a squared norm.
pub(super) fn squared_norm(function: &str, value: f64) -> Result<f64> {
    if value >= 0.0 && value.is_finite() {
        Ok(value)
    } else {
        exec_err!("{function}: h_sq must be a finite number of at least 0, not {value}")
    }
}

/// The natural logarithm of the literal `base` at `index`; 1 if the call has none.
pub(super) fn log_base(literals: &Literals<'_>, index: usize) -> Result<f64> {
    Ok(literals.number(index, "base", 1.001..=1e6)?.map_or(1.0, libm::log))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::scores::parameters::list_of;

    fn layouts(rows: &[Option<Vec<Option<f32>>>]) -> Vec<ArrayRef> {
        let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(rows.to_vec()));
        let item = |value: DataType| match list_of(value) {
            DataType::List(field) => field,
            _ => unreachable!(),
        };
        [
            list_of(DataType::Float16),
            list_of(DataType::Float32),
            list_of(DataType::Float64),
            DataType::LargeList(item(DataType::Float32)),
            DataType::FixedSizeList(item(DataType::Float32), 2),
        ]
        .iter()
        .map(|layout| cast(&list, layout).unwrap())
        .collect()
    }

    #[test]
    fn every_layout_shows_the_same_rows_sliced_or_not() {
        let rows =
            [Some(vec![Some(0.5), Some(0.5)]), None, Some(vec![Some(0.25), Some(0.75)]), Some(vec![None, Some(1.0)])];
        for array in layouts(&rows) {
            let array = array.slice(1, 3);
            let lists = Lists::try_new("f", "probs", &array).unwrap();
            let mut buffer = vec![];
            assert!(lists.get(0, &mut buffer).unwrap().is_none());
            assert_eq!(lists.probabilities(1, &mut buffer).unwrap(), Some([0.25, 0.75].as_slice()));
            assert_eq!(lists.get(2, &mut buffer).unwrap_err().message(), "f: probs has NULL at position 1");
            // A list rebuilt in the same layout equals the original.
            let mut builder = ListsBuilder::new(array.data_type(), 2);
            builder.append(None);
            builder.append(Some(&[0.25, 0.75]));
            assert_eq!(&builder.finish().unwrap(), &array.slice(0, 2));
        }
    }
}
