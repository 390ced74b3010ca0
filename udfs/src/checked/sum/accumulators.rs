//! Accumulators of one group: over all rows, over a sliding window, and over distinct values.

use std::fmt::Debug;
use std::mem::size_of;

use arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, AsArray, PrimitiveArray};
use arrow::datatypes::{ArrowNativeType, DataType};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::Accumulator;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::checked::arithmetic::type_name;
use crate::checked::totals::{Native, Total};

/// A total and whether it is still exact.
#[derive(Debug)]
pub(super) struct Sum<T: Total> {
    pub(super) total: Native<T::Wide>,
    pub(super) fits: bool,
    range: Range<T>,
}

impl<T: Total> Sum<T> {
    pub(super) fn new(result: DataType) -> Self {
        Self { total: Native::<T::Wide>::default(), fits: true, range: Range::new(result) }
    }

    fn result_type(&self) -> &DataType {
        &self.range.result
    }

    /// The total as a scalar of the result type.
    fn result(&self) -> Result<ScalarValue> {
        let value = self.range.value(self.total, self.fits)?;
        ScalarValue::new_primitive::<T::Value>(Some(value), &self.range.result)
    }
}

/// The range of the result type.
#[derive(Debug)]
pub(super) struct Range<T: Total> {
    pub(super) result: DataType,
    /// For decimals, the smallest number with too many digits.
    end: Option<Native<T::Wide>>,
}

impl<T: Total> Range<T> {
    pub(super) fn new(result: DataType) -> Self {
        let digits = match result {
            DataType::Decimal32(digits, _)
            | DataType::Decimal64(digits, _)
            | DataType::Decimal128(digits, _)
            | DataType::Decimal256(digits, _) => Some(digits),
            _ => None,
        };
        let end = digits.map(|digits| Native::<T::Wide>::usize_as(10).pow_wrapping(u32::from(digits)));
        Self { result, end }
    }

    /// Converts the total to a value of the result type.
    ///
    /// # Errors
    /// The total does not fit.
    pub(super) fn value(&self, total: Native<T::Wide>, fits: bool) -> Result<Native<T::Value>> {
        let fits = fits && self.end.is_none_or(|end| total.is_lt(end) && total.is_gt(end.neg_wrapping()));
        match T::narrow(total).filter(|_| fits) {
            Some(value) => Ok(value),
            None if self.result.is_decimal() => exec_err!(
                "decimal overflow: the result of sum has more digits than {} holds; cast the argument to DOUBLE, or to fewer digits, first",
                self.result
            ),
            None => exec_err!(
                "integer overflow: the result of sum, {total:?}, does not fit {}; cast the argument to DECIMAL(38, 0) or DOUBLE first",
                type_name(&self.result)
            ),
        }
    }
}

/// `sum(x)` over all rows, or over a window that rows enter and leave.
#[derive(Debug)]
pub struct Running<T: Total> {
    sum: Sum<T>,
    count: u64,
}

impl<T: Total> Running<T> {
    pub fn new(result: DataType) -> Self {
        Self { sum: Sum::new(result), count: 0 }
    }

    fn rows(&mut self, values: &ArrayRef, step: impl Fn(&mut Native<T::Wide>, Native<T::Wide>) -> bool) -> u64 {
        let values = values.as_primitive::<T::Value>();
        if let Some((total, fits)) = T::batch(values) {
            self.sum.fits &= fits & step(&mut self.sum.total, total);
        }
        (values.len() - values.null_count()) as u64
    }
}

impl<T: Total> Accumulator for Running<T> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count += self.rows(&values[0], T::add);
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count -= self.rows(&values[0], T::subtract);
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for total in states[0].as_primitive::<T::Wide>().iter().flatten() {
            self.sum.fits &= T::add(&mut self.sum.total, total);
            self.count += 1;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        if !self.sum.fits {
            self.sum.result()?;
        }
        let total = (self.count > 0).then_some(self.sum.total);
        Ok(vec![ScalarValue::new_primitive::<T::Wide>(total, &T::wide_type(self.sum.result_type()))?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.count == 0 {
            return ScalarValue::try_from(self.sum.result_type());
        }
        self.sum.result()
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// `sum(DISTINCT x)`.
#[derive(Debug)]
pub struct Distinct<T: Total> {
    sum: Sum<T>,
    /// The number of occurrences of each value.
    counts: HashMap<Key<T>, u64>,
}

/// Keys are compared by their bytes; every number summed here has a single byte representation.
type Key<T> = Native<<T as Total>::Wide>;

impl<T: Total> Distinct<T>
where
    Key<T>: std::hash::Hash + Eq,
{
    pub fn new(result: DataType) -> Self {
        Self { sum: Sum::new(result), counts: HashMap::new() }
    }

    fn add(&mut self, values: &PrimitiveArray<T::Value>) {
        for value in values.iter().flatten() {
            let value = T::widen(value);
            let count = self.counts.entry(value).or_insert(0);
            if *count == 0 {
                self.sum.fits &= T::add(&mut self.sum.total, value);
            }
            *count += 1;
        }
    }
}

impl<T: Total> Accumulator for Distinct<T>
where
    Key<T>: std::hash::Hash + Eq,
{
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(values[0].as_primitive());
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<T::Value>().iter().flatten() {
            let value = T::widen(value);
            if let Entry::Occupied(mut count) = self.counts.entry(value) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                    self.sum.fits &= T::subtract(&mut self.sum.total, value);
                }
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for values in states[0].as_list::<i32>().iter().flatten() {
            self.add(values.as_primitive());
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = self.counts.keys().map(|value| match T::narrow(*value) {
            Some(value) => ScalarValue::new_primitive::<T::Value>(Some(value), self.sum.result_type()),
            None => ScalarValue::try_from(self.sum.result_type()),
        });
        let values: Vec<ScalarValue> = values.collect::<Result<_>>()?;
        Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&values, self.sum.result_type()))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.counts.is_empty() {
            return ScalarValue::try_from(self.sum.result_type());
        }
        self.sum.result()
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.counts.capacity() * size_of::<(Key<T>, u64)>()
    }
}
