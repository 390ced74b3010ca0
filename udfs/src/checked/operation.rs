//! The checked operators and the types for which they are checked.

use arrow::datatypes::DataType;
use datafusion::logical_expr::Operator;

/// An operator whose result can be out of range of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    ShiftLeft,
    ShiftRight,
    Negate,
}

impl Operation {
    pub const ALL: [Self; 7] =
        [Self::Add, Self::Subtract, Self::Multiply, Self::Divide, Self::ShiftLeft, Self::ShiftRight, Self::Negate];

    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "checked_add",
            Self::Subtract => "checked_subtract",
            Self::Multiply => "checked_multiply",
            Self::Divide => "checked_divide",
            Self::ShiftLeft => "checked_shift_left",
            Self::ShiftRight => "checked_shift_right",
            Self::Negate => "checked_negate",
        }
    }

    /// The operation whose function is called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// The binary operator; `None` for the unary minus.
    pub fn operator(self) -> Option<Operator> {
        Some(match self {
            Self::Add => Operator::Plus,
            Self::Subtract => Operator::Minus,
            Self::Multiply => Operator::Multiply,
            Self::Divide => Operator::Divide,
            Self::ShiftLeft => Operator::BitwiseShiftLeft,
            Self::ShiftRight => Operator::BitwiseShiftRight,
            Self::Negate => return None,
        })
    }

    /// Returns the operation that replaces `operator` for operands of these types. Returns `None` where DataFusion's operator
    /// does not wrap: it checks dates and intervals, integer division, and decimals whose precision can still grow.
    pub fn of(operator: Operator, left: &DataType, right: &DataType) -> Option<Self> {
        let operation = Self::ALL.into_iter().find(|operation| operation.operator() == Some(operator))?;
        let integers = left.is_integer() && right.is_integer();
        let decimals = left.is_decimal() && right.is_decimal();
        let wraps = match operation {
            Self::Divide => decimals,
            Self::ShiftLeft | Self::ShiftRight => integers,
            _ => integers || decimals,
        };
        wraps.then_some(operation)
    }
}
