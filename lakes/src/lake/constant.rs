//! Values of a table's columns that are stored outside its files: in folder names or in a log.

use arrow::array::{ArrayRef, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err};

/// The value that a log writes as `text`, in one row.
///
/// # Errors
/// The text is no value of the type.
pub fn value(text: &str, data_type: &DataType) -> Result<ArrayRef> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(&StringArray::from(vec![text]), data_type, &options)
        .map_err(|_| exec_datafusion_err!("`{text}`, of which its log makes a column, is no {data_type}"))
}
