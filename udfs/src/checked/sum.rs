//! `sum` without wrap-around: the total is exact, and a total out of range of its type is an error.

use arrow::datatypes::{
    DataType, Decimal32Type, Decimal64Type, Decimal128Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Field, FieldRef, Int64Type, IntervalUnit, IntervalYearMonthType,
    TimeUnit, UInt64Type,
};
use datafusion::common::Result;
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF, SetMonotonicity, Signature,
};

use super::totals::{Long, Longest, Short, Total};

mod accumulators;
mod groups;

/// Replaces DataFusion's `sum` by accumulators that do not wrap. Floats and day intervals still use DataFusion's
/// accumulators.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct CheckedSum {
    inner: Sum,
}

/// Maximum number of digits for which the sum of any number of rows fits 128 bits.
const SHORT_DIGITS: u8 = 19;

/// Runs `$run!(kind of total)` for the type of a sum, or `$other` for types that DataFusion sums itself.
macro_rules! dispatch {
    ($return_type:expr, $input:expr, $run:ident, $other:expr) => {
        match $return_type {
            DataType::Int64 => $run!(Short<Int64Type>),
            DataType::UInt64 => $run!(Short<UInt64Type>),
            DataType::Decimal32(..) => $run!(Short<Decimal32Type>),
            DataType::Decimal64(..) => $run!(Short<Decimal64Type>),
            DataType::Decimal128(..) => match $input {
                DataType::Decimal128(digits, _) if *digits <= SHORT_DIGITS => $run!(Short<Decimal128Type>),
                _ => $run!(Long),
            },
            DataType::Decimal256(..) => $run!(Longest),
            DataType::Duration(TimeUnit::Second) => $run!(Short<DurationSecondType>),
            DataType::Duration(TimeUnit::Millisecond) => $run!(Short<DurationMillisecondType>),
            DataType::Duration(TimeUnit::Microsecond) => $run!(Short<DurationMicrosecondType>),
            DataType::Duration(TimeUnit::Nanosecond) => $run!(Short<DurationNanosecondType>),
            DataType::Interval(IntervalUnit::YearMonth) => $run!(Short<IntervalYearMonthType>),
            _ => $other,
        }
    };
}

fn input(fields: &[FieldRef]) -> &DataType {
    fields.first().map_or(&DataType::Null, |field| field.data_type())
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let result = args.return_field.data_type().clone();
        if args.is_distinct {
            macro_rules! run {
                ($total:ty) => {
                    Ok(Box::new(accumulators::Distinct::<$total>::new(result)))
                };
            }
            return dispatch!(&result, input(args.expr_fields), run, self.inner.accumulator(args));
        }
        macro_rules! run {
            ($total:ty) => {
                Ok(Box::new(accumulators::Running::<$total>::new(result)))
            };
        }
        dispatch!(&result, input(args.expr_fields), run, self.inner.accumulator(args))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let result = args.return_field.data_type().clone();
        if args.is_distinct {
            macro_rules! run {
                ($total:ty) => {
                    Ok(Box::new(accumulators::Distinct::<$total>::new(result)))
                };
            }
            return dispatch!(&result, input(args.expr_fields), run, self.inner.create_sliding_accumulator(args));
        }
        macro_rules! run {
            ($total:ty) => {
                Ok(Box::new(accumulators::Running::<$total>::new(result)))
            };
        }
        dispatch!(&result, input(args.expr_fields), run, self.inner.create_sliding_accumulator(args))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if args.is_distinct {
            return self.inner.state_fields(args);
        }
        macro_rules! run {
            ($total:ty) => {
                Some(<$total>::wide_type(args.return_type()))
            };
        }
        match dispatch!(args.return_type(), input(args.input_fields), run, None) {
            Some(wide) => Ok(vec![Field::new(format_state_name(args.name, "sum"), wide, true).into()]),
            None => self.inner.state_fields(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let result = args.return_field.data_type().clone();
        macro_rules! run {
            ($total:ty) => {
                Ok(Box::new(groups::Groups::<$total>::new(result)))
            };
        }
        dispatch!(&result, input(args.expr_fields), run, self.inner.create_groups_accumulator(args))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.inner.set_monotonicity(data_type)
    }
}

#[cfg(test)]
mod tests;
