//! How values of a type are added up without loss: in an integer so wide that only the result can be out of range.

use std::fmt::Debug;
use std::marker::PhantomData;

use arrow::array::{Array, ArrowNativeTypeOp, ArrowNumericType, ArrowPrimitiveType, PrimitiveArray};
use arrow::datatypes::i256;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Decimal128Type, Decimal256Type};

/// The number behind a value of `T`.
pub type Native<T> = <T as ArrowPrimitiveType>::Native;

/// Values of one type and the wider type of their total. Partial totals of any order of rows are the same: an error must not
/// depend on threads.
pub trait Total: Debug + Send + Sync + 'static {
    /// What is added up.
    type Value: ArrowNumericType + Debug + Send + Sync;
    /// The total.
    type Wide: ArrowNumericType + Debug + Send + Sync;

    /// The type of a total of values of `data_type`.
    fn wide_type(data_type: &DataType) -> DataType;

    /// A value as a total.
    fn widen(value: Native<Self::Value>) -> Native<Self::Wide>;

    /// A total as a value, where it fits.
    fn narrow(total: Native<Self::Wide>) -> Option<Native<Self::Value>>;

    /// Adds to a total; `false` where the total itself is out of range.
    fn add(total: &mut Native<Self::Wide>, other: Native<Self::Wide>) -> bool;

    /// The opposite of [`Total::add`].
    fn subtract(total: &mut Native<Self::Wide>, other: Native<Self::Wide>) -> bool;

    /// The total of a batch; `None` of no values, an error flag as of [`Total::add`].
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

/// Values of at most 64 bits, or of at most 19 digits, in 128 bits: enough for 2^63 rows.
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

/// Decimals of up to 38 digits in 256 bits.
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

/// Decimals of up to 76 digits: there is nothing wider, so every step is checked.
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
