//! Random bits derived from a seed and a key of any number of columns.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Int64Type, UInt64Type};
use datafusion::common::{Result, exec_err, plan_err};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::functions::literals::Literals;
use crate::functions::strings::Strings;
use crate::kernels::random::mix;

/// The type to which a key column of type `given` is cast before hashing.
///
/// Integers of every width share one encoding, and texts of every layout another. All other types are hashed as text.
pub(super) fn coerce(function: &str, given: &DataType) -> Result<DataType> {
    match given {
        DataType::Dictionary(_, value) => coerce(function, value),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Ok(DataType::Int64),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => Ok(DataType::UInt64),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Ok(given.clone()),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Ok(given.clone()),
        DataType::FixedSizeBinary(_) => Ok(DataType::Binary),
        other if other.is_nested() => plan_err!("{function}: an id must be a plain value, not {other}"),
        _ => Ok(DataType::Utf8),
    }
}

/// The seed of a call, its first argument.
pub(super) fn seed(literals: &Literals<'_>) -> Result<u64> {
    Ok(literals.int(0, "seed", i64::MIN..=i64::MAX)?.unwrap_or_default().cast_unsigned())
}

/// Returns 64 random bits per row, and which rows have a key without a NULL.
pub(super) fn random_bits(seed: u64, key: &[ArrayRef]) -> Result<(Vec<u64>, Option<NullBuffer>)> {
    let rows = key.first().map_or(0, |column| column.len());
    let mut bits = vec![mix(seed); rows];
    let mut nulls = None;
    for column in key {
        absorb(column, &mut bits)?;
        nulls = NullBuffer::union(nulls.as_ref(), column.nulls());
    }
    Ok((bits, nulls))
}

fn absorb(column: &ArrayRef, bits: &mut [u64]) -> Result<()> {
    fn bytes<'a>(values: impl Iterator<Item = Option<&'a [u8]>>, bits: &mut [u64]) {
        for (bits, value) in bits.iter_mut().zip(values) {
            *bits = xxh3_64_with_seed(value.unwrap_or_default(), *bits);
        }
    }
    fn integers(values: impl Iterator<Item = [u8; 8]>, bits: &mut [u64]) {
        for (bits, value) in bits.iter_mut().zip(values) {
            *bits = xxh3_64_with_seed(&value, *bits);
        }
    }
    match column.data_type() {
        DataType::Int64 => {
            integers(column.as_primitive::<Int64Type>().values().iter().map(|value| value.to_le_bytes()), bits);
        }
        DataType::UInt64 => {
            integers(column.as_primitive::<UInt64Type>().values().iter().map(|value| value.to_le_bytes()), bits);
        }
        DataType::Binary => bytes(column.as_binary::<i32>().iter(), bits),
        DataType::LargeBinary => bytes(column.as_binary::<i64>().iter(), bits),
        DataType::BinaryView => bytes(column.as_binary_view().iter(), bits),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            bytes(Strings::try_new(column, "id")?.iter().map(|text| text.map(str::as_bytes)), bits);
        }
        other => return exec_err!("an id of type {other} was not cast before it is hashed"),
    }
    Ok(())
}

/// Returns 64 random bits per id, as `hash_uniform(seed, id)` draws them; NULL ids receive bits too.
pub(crate) fn bits_of_ids(function: &str, seed: u64, ids: &ArrayRef) -> Result<Vec<u64>> {
    let ids = arrow::compute::cast(ids, &coerce(function, ids.data_type())?)?;
    Ok(random_bits(seed, &[ids])?.0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, LargeStringArray, StringArray, StringViewArray, UInt64Array};

    use super::*;
    use crate::kernels::random::unit_interval;

    #[test]
    fn the_layout_of_a_column_changes_nothing() {
        let texts: [ArrayRef; 3] = [
            Arc::new(StringArray::from(vec!["a", "β"])),
            Arc::new(LargeStringArray::from(vec!["a", "β"])),
            Arc::new(StringViewArray::from(vec!["a", "β"])),
        ];
        let bits = texts.map(|column| random_bits(1, &[column]).unwrap().0);
        assert!(bits[0] == bits[1] && bits[1] == bits[2]);
        let integers: [ArrayRef; 2] =
            [Arc::new(Int64Array::from(vec![7, 1 << 40])), Arc::new(UInt64Array::from(vec![7, 1 << 40]))];
        let bits = integers.map(|column| random_bits(1, &[column]).unwrap().0);
        assert_eq!(bits[0], bits[1]);
    }

    #[test]
    fn columns_of_a_key_keep_their_ends() {
        let key = |a: &str, b: &str| -> [ArrayRef; 2] {
            [Arc::new(StringArray::from(vec![a])), Arc::new(StringArray::from(vec![b]))]
        };
        let bits =
            [("ab", "c"), ("a", "bc"), ("", "abc"), ("c", "ab")].map(|(a, b)| random_bits(1, &key(a, b)).unwrap().0);
        assert!(bits.iter().enumerate().all(|(i, x)| bits[..i].iter().all(|y| x != y)));
    }

    #[test]
    fn neighbouring_ids_and_seeds_are_uniform_and_independent() {
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100_000));
        let of_seed = |seed| -> Vec<f64> {
            random_bits(seed, &[Arc::clone(&ids)]).unwrap().0.into_iter().map(unit_interval).collect()
        };
        let (a, b) = (of_seed(1), of_seed(2));
        let mut joint = [[0_f64; 10]; 10];
        for (a, b) in a.iter().zip(&b) {
            joint[(a * 10.0) as usize][(b * 10.0) as usize] += 1.0;
        }
        // Chi-squared with 99 degrees of freedom: mean 99, standard deviation 14.
        let chi: f64 = joint.iter().flatten().map(|count| (count - 1000.0).powi(2) / 1000.0).sum();
        assert!((50.0..170.0).contains(&chi), "{chi}");
        // Lag-1 correlation of consecutive values.
        let lag: f64 = a.windows(2).map(|pair| (pair[0] - 0.5) * (pair[1] - 0.5)).sum::<f64>() * 12.0 / 1e5;
        assert!(lag.abs() < 5.0 / 1e5_f64.sqrt(), "{lag}");
    }
}
