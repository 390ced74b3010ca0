//! Text arguments that are compiled before they are used, such as paths and patterns: once where neighbouring rows share one.

use datafusion::common::Result;

use super::strings::Strings;

/// A column of such texts.
#[derive(Debug)]
pub(in crate::functions) struct Compiled<'a, T> {
    texts: Strings<'a>,
    last: Option<(&'a str, T)>,
}

impl<'a, T> Compiled<'a, T> {
    pub(in crate::functions) fn new(texts: Strings<'a>) -> Self {
        Self { texts, last: None }
    }

    /// The text of a row and what `compile` makes of it; `None` where it is NULL.
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
