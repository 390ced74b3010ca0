//! Literal arguments, fixed for a whole query. They are read and checked in the same way during planning and execution.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use datafusion::common::types::{NativeType, logical_uint64};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{Coercion, ColumnarValue, ReturnFieldArgs, TypeSignatureClass};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;

/// The literal arguments of one call.
#[derive(Debug)]
pub struct Literals<'a> {
    function: &'static str,
    values: Vec<Option<&'a ScalarValue>>,
}

impl<'a> Literals<'a> {
    /// The literals during planning.
    pub fn planned(function: &'static str, args: &ReturnFieldArgs<'a>) -> Self {
        Self { function, values: args.scalar_arguments.to_vec() }
    }

    /// The literals during execution.
    pub fn running(function: &'static str, args: &'a [ColumnarValue]) -> Self {
        let values = args.iter().map(|arg| match arg {
            ColumnarValue::Scalar(value) => Some(value),
            ColumnarValue::Array(_) => None,
        });
        Self { function, values: values.collect() }
    }

    /// The literals of an aggregate call.
    pub fn aggregated(function: &'static str, args: &'a [Arc<dyn PhysicalExpr>]) -> Self {
        Self { function, values: args.iter().map(|arg| arg.downcast_ref::<Literal>().map(Literal::value)).collect() }
    }

    /// The integer at `index`; `None` if the call has no such argument.
    ///
    /// Errors name the argument, the given value and the allowed range.
    pub fn int(&self, index: usize, name: &str, allowed: RangeInclusive<i64>) -> Result<Option<i64>> {
        let Some(value) = self.values.get(index) else { return Ok(None) };
        let (function, least, most) = (self.function, allowed.start(), allowed.end());
        let Some(value) = value else {
            return plan_err!("{function}: {name} must be an integer literal, not a column or an expression");
        };
        match value.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(Some(int))) if value.data_type().is_integer() && allowed.contains(&int) => {
                Ok(Some(int))
            }
            _ => plan_err!("{function}: {name} must be an integer from {least} to {most}, not {value}"),
        }
    }

    /// The number at `index`; `None` if the call has no such argument.
    pub fn number(&self, index: usize, name: &str, allowed: RangeInclusive<f64>) -> Result<Option<f64>> {
        let Some(value) = self.values.get(index) else { return Ok(None) };
        let (function, least, most) = (self.function, allowed.start(), allowed.end());
        let Some(value) = value else {
            return plan_err!("{function}: {name} must be a number literal, not a column or an expression");
        };
        match value.cast_to(&DataType::Float64) {
            Ok(ScalarValue::Float64(Some(number))) if value.data_type().is_numeric() && allowed.contains(&number) => {
                Ok(Some(number))
            }
            _ => plan_err!("{function}: {name} must be a number from {least} to {most}, not {value}"),
        }
    }

    /// The Boolean at `index`; `None` if the call has no such argument.
    pub fn flag(&self, index: usize, name: &str) -> Result<Option<bool>> {
        let Some(value) = self.values.get(index) else { return Ok(None) };
        let function = self.function;
        match value {
            Some(ScalarValue::Boolean(Some(flag))) => Ok(Some(*flag)),
            _ => plan_err!("{function}: {name} must be the literal true or false"),
        }
    }

    /// The word at `index`, which must be one of `allowed`; the first of them if the call has no such argument.
    pub fn choice(&self, index: usize, name: &str, allowed: &[&'static str]) -> Result<&'static str> {
        let given = self.text(index, name)?;
        let chosen = match given {
            None => allowed.first(),
            Some(word) => allowed.iter().find(|choice| **choice == word),
        };
        match chosen {
            Some(choice) => Ok(*choice),
            None => plan_err!(
                "{}: {name} must be '{}', not '{}'",
                self.function,
                allowed.join("' or '"),
                given.unwrap_or_default()
            ),
        }
    }

    /// The values of the list at `index`; `None` if the call has no such argument.
    pub fn list(&self, index: usize, name: &str) -> Result<Option<ArrayRef>> {
        let Some(value) = self.values.get(index) else { return Ok(None) };
        match value {
            Some(ScalarValue::List(list)) if list.len() == 1 && list.is_valid(0) => Ok(Some(list.value(0))),
            _ => plan_err!("{}: {name} must be a list literal such as ['+', '-']", self.function),
        }
    }

    /// Like [`Self::int`], for counts.
    pub fn count(&self, index: usize, name: &str, allowed: RangeInclusive<u16>) -> Result<Option<usize>> {
        let allowed = i64::from(*allowed.start())..=i64::from(*allowed.end());
        Ok(self.int(index, name, allowed)?.and_then(|int| usize::try_from(int).ok()))
    }

    /// The text at `index`; `None` if the call has no such argument.
    pub fn text(&self, index: usize, name: &str) -> Result<Option<&'a str>> {
        let Some(value) = self.values.get(index) else { return Ok(None) };
        let function = self.function;
        match value {
            Some(value) => match value.try_as_str() {
                Some(Some(text)) => Ok(Some(text)),
                _ => plan_err!("{function}: {name} must be a text literal, not {value}"),
            },
            None => plan_err!("{function}: {name} must be a text literal, not a column or an expression"),
        }
    }
}

/// A coercion that leaves an argument unchanged: [`Literals`] checks it and gives a better message.
pub fn literal() -> Coercion {
    Coercion::new_exact(TypeSignatureClass::Any)
}

/// A coercion that casts integers to unsigned 64-bit integers.
pub fn unsigned() -> Coercion {
    Coercion::new_implicit(
        TypeSignatureClass::Native(logical_uint64()),
        vec![TypeSignatureClass::Integer],
        NativeType::UInt64,
    )
}
