//! Text arguments that must be compiled, such as paths and patterns. Consecutive rows with the same text share the result.

use datafusion::common::Result;

use super::strings::Strings;

/// A column of texts to compile.
#[derive(Debug)]
pub(in crate::functions) struct Compiled<'a, T> {
    texts: Strings<'a>,
    last: Option<(&'a str, T)>,
}

impl<'a, T> Compiled<'a, T> {
    pub(in crate::functions) fn new(texts: Strings<'a>) -> Self {
        Self { texts, last: None }
    }

    /// Returns the text of a row and the result of `compile`; `None` if the text is NULL.
    pub(in crate::functions) fn get(
        &mut self,
        row: usize,
        compile: impl FnOnce(&str) -> Result<T>,
    ) -> Result<Option<(&'a str, &T)>> {
        let Some(text) = self.texts.get(row) else { return Ok(None) };
        if self.last.as_ref().is_none_or(|(last, _)| *last != text) {
            self.last = Some((text, compile(text)?));
        }
        Ok(self.last.as_ref().map(|(text, compiled)| (*text, compiled)))
    }
}
