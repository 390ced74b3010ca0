//! Functions on JSON texts. Navigation is implemented in [`crate::kernels::json`].

pub mod arrows;
pub mod json_array_length;
pub mod json_extract;
pub mod json_extract_string;
pub mod json_keys;
pub mod json_valid;

use arrow::array::ArrayRef;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};

use crate::functions::compiled::Compiled;
use crate::functions::strings::Strings;
use crate::kernels::json::Path;

/// Number of characters of a document that an error shows.
const SHOWN: usize = 60;

/// The error for a text that is not valid JSON.
fn malformed(function: &str, document: &str, error: &serde_json::Error) -> DataFusionError {
    let mut shown: String = document.chars().take(SHOWN).collect();
    if shown.len() < document.len() {
        shown.push_str("...");
    }
    exec_datafusion_err!("{function}: '{shown}' is no JSON: {error}")
}

/// Calls `put` with the value at the path of each row; `None` if there is no value, or if document or path is NULL.
fn find_each(function: &str, args: &[ArrayRef], mut put: impl FnMut(Option<&str>) -> Result<()>) -> Result<()> {
    let documents = Strings::try_new(&args[0], "json")?;
    let mut paths = Compiled::new(Strings::try_new(&args[1], "path")?);
    let compile = |text: &str| Path::parse(text).map_err(|what| exec_datafusion_err!("{function}: {what}"));
    for (row, document) in documents.iter().enumerate() {
        put(match (document, paths.get(row, compile)?) {
            (Some(document), Some((_, path))) => path.find(document).map_err(|e| malformed(function, document, &e))?,
            _ => None,
        })?;
    }
    Ok(())
}
