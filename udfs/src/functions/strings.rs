//! A common view of the three Arrow string layouts.

use arrow::array::{Array, ArrayRef, AsArray, LargeStringArray, StringArray, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::common::types::logical_string;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{Coercion, TypeSignatureClass};

/// A text column in any of the three layouts: `Utf8`, `LargeUtf8`, `Utf8View`.
#[derive(Debug, Clone, Copy)]
pub enum Strings<'a> {
    /// 32-bit offsets.
    Utf8(&'a StringArray),
    /// 64-bit offsets.
    Large(&'a LargeStringArray),
    /// Views.
    View(&'a StringViewArray),
}

impl<'a> Strings<'a> {
    /// Creates a view of `array` as text. The error names `what` and the type found.
    pub fn try_new(array: &'a ArrayRef, what: &str) -> Result<Self> {
        match array.data_type() {
            DataType::Utf8 => Ok(Self::Utf8(array.as_string())),
            DataType::LargeUtf8 => Ok(Self::Large(array.as_string())),
            DataType::Utf8View => Ok(Self::View(array.as_string_view())),
            other => exec_err!("{what} must be text (Utf8, LargeUtf8 or Utf8View), not {other}"),
        }
    }

    /// The text of `row`; `None` if it is NULL.
    pub fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Utf8(a) => a.is_valid(row).then(|| a.value(row)),
            Self::Large(a) => a.is_valid(row).then(|| a.value(row)),
            Self::View(a) => a.is_valid(row).then(|| a.value(row)),
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Utf8(a) => a.len(),
            Self::Large(a) => a.len(),
            Self::View(a) => a.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Iterates over all rows in order; NULL becomes `None`.
    pub fn iter(&self) -> impl Iterator<Item = Option<&'a str>> + use<'a> {
        let this = *self;
        (0..this.len()).map(move |row| this.get(row))
    }
}

/// Coercion that accepts the three text layouts without a cast.
pub fn text() -> Coercion {
    Coercion::new_exact(TypeSignatureClass::Native(logical_string()))
}
