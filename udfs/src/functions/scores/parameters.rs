//! Declarations of arguments, which serve the signature, the coercion and its errors.

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{Signature, Volatility};

/// The kinds of arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::functions) enum Kind {
    /// A list of numbers, which keeps its precision.
    Numbers,
    /// A list of Booleans.
    Flags,
    /// An integer, cast to `Int64`.
    Integer,
    /// A number, cast to `Float64`.
    Number,
    /// A Boolean.
    Flag,
    /// Text of any layout.
    Text,
    /// Any type; the function checks it.
    Any,
}

/// An argument of a function.
#[derive(Debug, Clone, Copy)]
pub(in crate::functions) struct Parameter {
    name: &'static str,
    kind: Kind,
    optional: bool,
}

impl Parameter {
    /// The name of the argument in SQL.
    pub(in crate::functions) fn name(&self) -> &'static str {
        self.name
    }
}

/// A required argument.
pub(in crate::functions) const fn required(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, optional: false }
}

/// An optional argument.
pub(in crate::functions) const fn optional(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, optional: true }
}

/// The signature of a function with `parameters`, which SQL may pass by name.
pub(in crate::functions) fn signature(parameters: &[Parameter]) -> Signature {
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
    let plain = || Signature::user_defined(Volatility::Immutable);
    // This fails only if two names are equal.
    plain().with_parameter_names(names).unwrap_or_else(|_| plain())
}

/// The types to which arguments of types `given` are cast.
pub(in crate::functions) fn coerce(
    function: &str,
    parameters: &[Parameter],
    given: &[DataType],
) -> Result<Vec<DataType>> {
    let least = parameters.iter().filter(|parameter| !parameter.optional).count();
    if !(least..=parameters.len()).contains(&given.len()) {
        let names: Vec<String> = parameters
            .iter()
            .map(
                |parameter| {
                    if parameter.optional { format!("[{}]", parameter.name) } else { parameter.name.to_owned() }
                },
            )
            .collect();
        return plan_err!("{function} takes ({}), not {} arguments", names.join(", "), given.len());
    }
    parameters.iter().zip(given).map(|(parameter, given)| cast(function, parameter, given)).collect()
}

fn cast(function: &str, parameter: &Parameter, given: &DataType) -> Result<DataType> {
    let name = parameter.name;
    match (parameter.kind, given) {
        (Kind::Any, _) => Ok(given.clone()),
        (Kind::Numbers, DataType::Null) => Ok(list_of(DataType::Float64)),
        (Kind::Flags, DataType::Null) => Ok(list_of(DataType::Boolean)),
        (Kind::Numbers, _) => relist(given, |value| match value {
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Some(value.clone()),
            value if value.is_numeric() || value.is_null() => Some(DataType::Float64),
            _ => None,
        })
        .map_or_else(|| plan_err!("{function}: {name} must be a list of numbers, not {given}"), Ok),
        (Kind::Flags, _) => relist(given, |value| match value {
            DataType::Boolean | DataType::Null => Some(DataType::Boolean),
            _ => None,
        })
        .map_or_else(|| plan_err!("{function}: {name} must be a list of Booleans, not {given}"), Ok),
        (Kind::Integer, given) if given.is_integer() || given.is_null() => Ok(DataType::Int64),
        (Kind::Integer, given) => plan_err!("{function}: {name} must be an integer, not {given}"),
        (Kind::Number, given) if given.is_numeric() || given.is_null() => Ok(DataType::Float64),
        (Kind::Number, given) => plan_err!("{function}: {name} must be a number, not {given}"),
        (Kind::Flag, DataType::Boolean | DataType::Null) => Ok(DataType::Boolean),
        (Kind::Flag, given) => plan_err!("{function}: {name} must be true or false, not {given}"),
        (Kind::Text, DataType::Null) => Ok(DataType::Utf8),
        (Kind::Text, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => Ok(given.clone()),
        (Kind::Text, given) => plan_err!("{function}: {name} must be text, not {given}"),
    }
}

/// `List` of nullable values.
pub(in crate::functions) fn list_of(value: DataType) -> DataType {
    DataType::List(Field::new_list_field(value, true).into())
}

/// The same list layout with the value type that `cast` chooses; `None` if `given` is not a list of a suitable type.
fn relist(given: &DataType, cast: impl Fn(&DataType) -> Option<DataType>) -> Option<DataType> {
    let field = |field: &Field| Some(std::sync::Arc::new(field.clone().with_data_type(cast(field.data_type())?)));
    Some(match given {
        DataType::List(inner) => DataType::List(field(inner)?),
        DataType::LargeList(inner) => DataType::LargeList(field(inner)?),
        DataType::FixedSizeList(inner, width) => DataType::FixedSizeList(field(inner)?, *width),
        _ => return None,
    })
}
