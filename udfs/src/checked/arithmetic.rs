//! The functions behind `+`, `-`, `*`, `/`, `<<`, `>>` and the unary minus on integers and decimals.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Datum};
use arrow::compute::kernels::numeric;
use arrow::compute::try_binary;
use arrow::datatypes::{
    ArrowPrimitiveType, DECIMAL32_MAX_PRECISION, DECIMAL64_MAX_PRECISION, DECIMAL128_MAX_PRECISION,
    DECIMAL256_MAX_PRECISION, DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Field, FieldRef,
    Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_datafusion_err, internal_err};
use datafusion::logical_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr_common::datum::apply;

use super::operation::Operation;

/// The function that implements `operation`.
pub fn function(operation: Operation) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Checked { operation, signature: Signature::user_defined(Volatility::Immutable) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    operation: Operation,
    signature: Signature,
}

impl Checked {
    fn result_type(&self, types: &[DataType]) -> Result<DataType> {
        match (self.operation.operator(), types) {
            (None, [data_type]) => Ok(data_type.clone()),
            (Some(operator), [left, right]) => BinaryTypeCoercer::new(left, &operator, right).get_result_type(),
            _ => internal_err!("{} was given {} arguments", self.name(), types.len()),
        }
    }

    fn shown(&self, args: &[Expr], show: &impl Fn(&Expr) -> String) -> String {
        let mut text = String::new();
        write(&mut text, self.operation, args, show);
        text
    }
}

/// Writes the call as the operator that it implements. Operands that are operators themselves are put in parentheses, so that
/// different expressions have different names.
fn write(text: &mut String, operation: Operation, args: &[Expr], show: &impl Fn(&Expr) -> String) {
    let operand = |text: &mut String, expr: &Expr| match expr {
        Expr::ScalarFunction(call) => match Operation::named(call.func.name()) {
            Some(inner) => {
                text.push('(');
                write(text, inner, &call.args, show);
                text.push(')');
            }
            None => text.push_str(&show(expr)),
        },
        Expr::BinaryExpr(_) => text.push_str(&format!("({})", show(expr))),
        _ => text.push_str(&show(expr)),
    };
    match (operation.operator(), args) {
        (Some(operator), [left, right]) => {
            operand(text, left);
            text.push_str(&format!(" {operator} "));
            operand(text, right);
        }
        _ => {
            text.push_str("- ");
            args.iter().for_each(|arg| operand(text, arg));
        }
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        self.operation.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.shown(args, &ToString::to_string))
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.shown(args, &|expr: &Expr| expr.schema_name().to_string()))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match (self.operation.operator(), types) {
            (Some(operator), [left, right]) => {
                let (left, right) = BinaryTypeCoercer::new(left, &operator, right).get_input_types()?;
                Ok(vec![left, right])
            }
            _ => Ok(types.to_vec()),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.result_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.result_type(&types)?, nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let kernel = match self.operation {
            Operation::Add => numeric::add,
            Operation::Subtract => numeric::sub,
            Operation::Multiply => numeric::mul,
            Operation::Divide => numeric::div,
            Operation::ShiftLeft => return shift(&args.args, true),
            Operation::ShiftRight => return shift(&args.args, false),
            Operation::Negate => return negate(&args.args),
        };
        let [left, right] = args.args.as_slice() else {
            return internal_err!("{} takes two arguments", self.name());
        };
        let within = |l: &dyn Datum, r: &dyn Datum| {
            let result = kernel(l, r)?;
            within_precision(&result)?;
            Ok(result)
        };
        apply(left, right, within).map_err(|error| out_of_range(error, args.return_field.data_type()))
    }
}

/// Checks decimals against their precision. Arrow only checks the underlying integers, which hold more digits than the type
/// allows.
fn within_precision(array: &ArrayRef) -> Result<(), ArrowError> {
    let checked = match array.data_type() {
        DataType::Decimal32(DECIMAL32_MAX_PRECISION, _) => {
            array.as_primitive::<Decimal32Type>().validate_decimal_precision(DECIMAL32_MAX_PRECISION)
        }
        DataType::Decimal64(DECIMAL64_MAX_PRECISION, _) => {
            array.as_primitive::<Decimal64Type>().validate_decimal_precision(DECIMAL64_MAX_PRECISION)
        }
        DataType::Decimal128(DECIMAL128_MAX_PRECISION, _) => {
            array.as_primitive::<Decimal128Type>().validate_decimal_precision(DECIMAL128_MAX_PRECISION)
        }
        DataType::Decimal256(DECIMAL256_MAX_PRECISION, _) => {
            array.as_primitive::<Decimal256Type>().validate_decimal_precision(DECIMAL256_MAX_PRECISION)
        }
        // Narrower types were widened enough for any operands.
        _ => Ok(()),
    };
    checked.map_err(|error| ArrowError::ArithmeticOverflow(error.to_string()))
}

fn negate(args: &[ColumnarValue]) -> Result<ColumnarValue> {
    match args {
        [ColumnarValue::Array(array)] => numeric::neg(array.as_ref())
            .map(ColumnarValue::Array)
            .map_err(|error| out_of_range(error.into(), array.data_type())),
        [ColumnarValue::Scalar(value)] => value
            .arithmetic_negate()
            .map(ColumnarValue::Scalar)
            .map_err(|error| out_of_range(error, &value.data_type())),
        _ => internal_err!("the unary minus takes one argument"),
    }
}

fn shift(args: &[ColumnarValue], left: bool) -> Result<ColumnarValue> {
    let scalar = args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
    let arrays = ColumnarValue::values_to_arrays(args)?;
    let [values, by] = arrays.as_slice() else { return internal_err!("a shift takes two arguments") };
    macro_rules! shifted {
        ($t:ty) => {
            shift_by::<$t>(values, by, |value, by| {
                let bits = <$t as ArrowPrimitiveType>::Native::BITS;
                let by = u32::try_from(by).ok().filter(|by| *by < bits)?;
                if !left {
                    return Some(value >> by);
                }
                let shifted = value << by;
                (shifted >> by == value).then_some(shifted)
            })
        };
    }
    let result = match values.data_type() {
        DataType::Int8 => shifted!(Int8Type),
        DataType::Int16 => shifted!(Int16Type),
        DataType::Int32 => shifted!(Int32Type),
        DataType::Int64 => shifted!(Int64Type),
        DataType::UInt8 => shifted!(UInt8Type),
        DataType::UInt16 => shifted!(UInt16Type),
        DataType::UInt32 => shifted!(UInt32Type),
        DataType::UInt64 => shifted!(UInt64Type),
        other => internal_err!("a shift of {other}"),
    }?;
    if scalar {
        ScalarValue::try_from_array(&result, 0).map(ColumnarValue::Scalar)
    } else {
        Ok(ColumnarValue::Array(result))
    }
}

fn shift_by<T: ArrowPrimitiveType>(
    values: &ArrayRef,
    by: &ArrayRef,
    shifted: impl Fn(T::Native, T::Native) -> Option<T::Native>,
) -> Result<ArrayRef> {
    let result = try_binary::<_, _, _, T>(values.as_primitive::<T>(), by.as_primitive::<T>(), |value, by| {
        shifted(value, by).ok_or_else(|| ArrowError::ArithmeticOverflow(format!("{value:?} shifted by {by:?}")))
    });
    match result {
        Ok(array) => Ok(Arc::new(array)),
        Err(error) => Err(out_of_range(error.into(), &T::DATA_TYPE)),
    }
}

/// Describes an overflow in words; returns other errors unchanged.
fn out_of_range(error: DataFusionError, data_type: &DataType) -> DataFusionError {
    let DataFusionError::ArrowError(inner, _) = &error else { return error };
    let ArrowError::ArithmeticOverflow(text) = inner.as_ref() else { return error };
    if data_type.is_decimal() {
        return exec_datafusion_err!(
            "decimal overflow: the result has more digits than {data_type} holds; cast to DOUBLE, or to fewer digits, first"
        );
    }
    let what = text.trim_start_matches("Overflow happened on: ");
    exec_datafusion_err!(
        "integer overflow: {what} does not fit {}; cast to a wider type, DECIMAL(38, 0) or DOUBLE first",
        type_name(data_type)
    )
}

/// The name of the type in SQL.
pub(super) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::UInt8 => "TINYINT UNSIGNED".to_owned(),
        DataType::UInt16 => "SMALLINT UNSIGNED".to_owned(),
        DataType::UInt32 => "INT UNSIGNED".to_owned(),
        DataType::UInt64 => "BIGINT UNSIGNED".to_owned(),
        other => other.to_string(),
    }
}
