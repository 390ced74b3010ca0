//! Lossless totals: values are added in an integer type so wide that only the final result can be out of range.

use std::fmt::Debug;
use std::marker::PhantomData;

use arrow::array::{Array, ArrowNativeTypeOp, ArrowNumericType, ArrowPrimitiveType, PrimitiveArray};
use arrow::datatypes::i256;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Decimal128Type, Decimal256Type};

/// The native number of a value of `T`.
pub type Native<T> = <T as ArrowPrimitiveType>::Native;

/// The type of values and the wider type of their total. Partial totals do not depend on the order of rows, so whether a sum
/// fails does not depend on threads.
pub trait Total: Debug + Send + Sync + 'static {
    /// The type of the values.
    type Value: ArrowNumericType + Debug + Send + Sync;
    /// The type of the total.
    type Wide: ArrowNumericType + Debug + Send + Sync;

    /// The Arrow type of a total of values of `data_type`.
    fn wide_type(data_type: &DataType) -> DataType;

    /// Converts a value to a total.
    fn widen(value: Native<Self::Value>) -> Native<Self::Wide>;

    /// Converts a total to a value; `None` if it does not fit.
    fn narrow(total: Native<Self::Wide>) -> Option<Native<Self::Value>>;

    /// Adds to a total. Returns `false` if the total itself overflows.
    fn add(total: &mut Native<Self::Wide>, other: Native<Self::Wide>) -> bool;

    /// Reverses [`Total::add`].
    fn subtract(total: &mut Native<Self::Wide>, other: Native<Self::Wide>) -> bool;

    /// The total of a batch, `None` if it has no values, and whether it is exact as in [`Total::add`].
    fn batch(values: &PrimitiveArray<Self::Value>) -> Option<(Native<Self::Wide>, bool)> {
        if values.null_count() == values.len() {
            return None;
        }
        let mut total = Native::<Self::Wide>::default();
        let mut fits = true;
        let mut run = |values: &[Native<Self::Value>]| {
            for value in values {
                fits &= Self::add(&mut total, Self::widen(*value));
            }
        };
        match values.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => run(values.values()),
            Some(nulls) => nulls.valid_slices().for_each(|(start, end)| run(&values.values()[start..end])),
        }
        Some((total, fits))
    }
}

fn scale(data_type: &DataType) -> i8 {
    match data_type {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => *scale,
        _ => 0,
    }
}

/// Totals in 128 bits of values with at most 64 bits or 19 digits: enough for 2^63 rows.
#[derive(Debug)]
pub struct Short<T>(PhantomData<T>);

impl<T> Total for Short<T>
where
    T: ArrowNumericType + Debug + Send + Sync,
    T::Native: Into<i128> + TryFrom<i128>,
{
    type Value = T;
    type Wide = Decimal128Type;

    fn wide_type(data_type: &DataType) -> DataType {
        DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale(data_type))
    }

    #[inline]
    fn widen(value: T::Native) -> i128 {
        value.into()
    }

    fn narrow(total: i128) -> Option<T::Native> {
        total.try_into().ok()
    }

    #[inline]
    fn add(total: &mut i128, other: i128) -> bool {
        *total = total.wrapping_add(other);
        true
    }

    fn subtract(total: &mut i128, other: i128) -> bool {
        *total = total.wrapping_sub(other);
        true
    }
}

/// Totals in 256 bits of decimals with up to 38 digits.
#[derive(Debug)]
pub struct Long;

impl Total for Long {
    type Value = Decimal128Type;
    type Wide = Decimal256Type;

    fn wide_type(data_type: &DataType) -> DataType {
        DataType::Decimal256(DECIMAL256_MAX_PRECISION, scale(data_type))
    }

    #[inline]
    fn widen(value: i128) -> i256 {
        i256::from_i128(value)
    }

    fn narrow(total: i256) -> Option<i128> {
        total.to_i128()
    }

    #[inline]
    fn add(total: &mut i256, other: i256) -> bool {
        *total = total.wrapping_add(other);
        true
    }

    fn subtract(total: &mut i256, other: i256) -> bool {
        *total = total.wrapping_sub(other);
        true
    }
}

/// Totals of decimals with up to 76 digits. No wider type exists, so every addition is checked.
#[derive(Debug)]
pub struct Longest;

impl Total for Longest {
    type Value = Decimal256Type;
    type Wide = Decimal256Type;

    fn wide_type(data_type: &DataType) -> DataType {
        DataType::Decimal256(DECIMAL256_MAX_PRECISION, scale(data_type))
    }

    fn widen(value: i256) -> i256 {
        value
    }

    fn narrow(total: i256) -> Option<i256> {
        Some(total)
    }

    fn add(total: &mut i256, other: i256) -> bool {
        total.add_checked(other).map(|sum| *total = sum).is_ok()
    }

    fn subtract(total: &mut i256, other: i256) -> bool {
        total.sub_checked(other).map(|sum| *total = sum).is_ok()
    }
}
