//! Values in JSON texts. The navigation is in [`crate::kernels::json`].

pub mod arrows;
pub mod json_array_length;
pub mod json_extract;
pub mod json_extract_string;
pub mod json_keys;
pub mod json_valid;

use datafusion::common::{DataFusionError, Result, exec_datafusion_err};

use crate::functions::strings::Strings;
use crate::kernels::json::Path;

/// Characters of a document that an error shows.
const SHOWN: usize = 60;

/// The error of a text that is no JSON.
fn malformed(function: &str, document: &str, error: &serde_json::Error) -> DataFusionError {
    let mut shown: String = document.chars().take(SHOWN).collect();
    if shown.len() < document.len() {
        shown.push_str("...");
    }
    exec_datafusion_err!("{function}: '{shown}' is no JSON: {error}")
}

/// The paths of the rows, read once where rows share them.
struct Paths<'a> {
    function: &'static str,
    texts: Strings<'a>,
    last: Option<(&'a str, Path)>,
}

impl<'a> Paths<'a> {
    fn new(function: &'static str, texts: Strings<'a>) -> Self {
        Self { function, texts, last: None }
    }

    /// Of a row; `None` where it is NULL.
    fn get(&mut self, row: usize) -> Result<Option<&Path>> {
        let Some(text) = self.texts.get(row) else { return Ok(None) };
        if self.last.as_ref().is_none_or(|(last, _)| *last != text) {
            let path = Path::parse(text).map_err(|what| exec_datafusion_err!("{}: {what}", self.function))?;
            self.last = Some((text, path));
        }
        Ok(self.last.as_ref().map(|(_, path)| path))
    }
}
