//! A common view of MinHash signatures in any list layout.

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, UInt32Type};
use datafusion::common::{Result, exec_err, plan_err};

/// Maximum number of permutations in a signature.
pub(super) const MAX_PERMUTATIONS: u16 = 4096;

/// A list type with `width` values per row.
pub(super) fn fixed_list(item: DataType, width: usize) -> DataType {
    // A width is at most `MAX_PERMUTATIONS`.
    DataType::FixedSizeList(Field::new_list_field(item, true).into(), width as i32)
}

/// The type to which a signature of type `given` is cast: the same layout with UInt32 values.
pub(super) fn coerce(function: &str, given: &DataType) -> Result<DataType> {
    let item = |field: &FieldRef| -> Option<FieldRef> {
        let integers = field.data_type().is_integer() || field.data_type().is_null();
        integers.then(|| Field::new_list_field(DataType::UInt32, true).into())
    };
    let coerced = match given {
        DataType::Null => Some(DataType::List(Field::new_list_field(DataType::UInt32, true).into())),
        DataType::FixedSizeList(field, width) => item(field).map(|item| DataType::FixedSizeList(item, *width)),
        DataType::List(field) | DataType::ListView(field) => item(field).map(DataType::List),
        DataType::LargeList(field) | DataType::LargeListView(field) => item(field).map(DataType::LargeList),
        _ => None,
    };
    match coerced {
        Some(coerced) => Ok(coerced),
        None => plan_err!("{function}: a signature is a list of integers, as minhash gives it, not {given}"),
    }
}

/// A column of signatures.
#[derive(Debug)]
pub(super) struct Signatures<'a> {
    function: &'static str,
    values: &'a UInt32Array,
    nulls: Option<&'a NullBuffer>,
    ends: Ends<'a>,
}

#[derive(Debug)]
enum Ends<'a> {
    Width(usize),
    Small(&'a [i32]),
    Large(&'a [i64]),
}

impl<'a> Signatures<'a> {
    pub(super) fn try_new(function: &'static str, array: &'a ArrayRef) -> Result<Self> {
        let (values, ends) = if let Some(list) = array.as_fixed_size_list_opt() {
            (list.values(), Ends::Width(usize::try_from(list.value_length()).unwrap_or_default()))
        } else if let Some(list) = array.as_list_opt::<i32>() {
            (list.values(), Ends::Small(list.value_offsets()))
        } else if let Some(list) = array.as_list_opt::<i64>() {
            (list.values(), Ends::Large(list.value_offsets()))
        } else {
            return exec_err!("{function}: a signature is a list of integers, not {}", array.data_type());
        };
        match values.as_primitive_opt::<UInt32Type>() {
            Some(values) => Ok(Self { function, values, nulls: array.nulls(), ends }),
            None => exec_err!("{function}: a signature is a list of UInt32, not of {}", values.data_type()),
        }
    }

    /// The signature of a row. Returns `None` if the row is NULL, and an error if one of its values is.
    pub(super) fn get(&self, row: usize) -> Result<Option<&'a [u32]>> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(None);
        }
        let (start, end) = match self.ends {
            Ends::Width(width) => (row * width, (row + 1) * width),
            // Offsets of a list array are not negative.
            Ends::Small(ends) => (ends[row] as usize, ends[row + 1] as usize),
            Ends::Large(ends) => (ends[row] as usize, ends[row + 1] as usize),
        };
        if self.values.nulls().is_some_and(|nulls| (start..end).any(|at| nulls.is_null(at))) {
            return exec_err!("{}: a signature has a NULL among its values", self.function);
        }
        Ok(Some(&self.values.values()[start..end]))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{FixedSizeListArray, LargeListArray, ListArray};

    use super::*;

    #[test]
    fn slices_show_their_own_rows() {
        let rows = [Some(vec![Some(1), Some(2)]), None, Some(vec![Some(5), Some(6)]), Some(vec![None, Some(8)])];
        let arrays: [ArrayRef; 3] = [
            Arc::new(FixedSizeListArray::from_iter_primitive::<UInt32Type, _, _>(rows.clone(), 2)),
            Arc::new(ListArray::from_iter_primitive::<UInt32Type, _, _>(rows.clone())),
            Arc::new(LargeListArray::from_iter_primitive::<UInt32Type, _, _>(rows)),
        ];
        for array in arrays {
            let slice = array.slice(1, 3);
            let signatures = Signatures::try_new("f", &slice).unwrap();
            assert_eq!(signatures.get(0).unwrap(), None);
            assert_eq!(signatures.get(1).unwrap(), Some([5, 6].as_slice()));
            assert!(signatures.get(2).unwrap_err().to_string().contains("NULL among"));
        }
    }
}
