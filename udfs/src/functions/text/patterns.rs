//! Patterns of functions, compiled once where rows share them.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Int64Type;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use regex::Regex;

use crate::functions::strings::Strings;

/// The pattern and the group of each row.
pub(super) struct Patterns<'a> {
    function: &'static str,
    patterns: Strings<'a>,
    groups: Option<&'a ArrayRef>,
    last: Option<(&'a str, Regex)>,
}

impl<'a> Patterns<'a> {
    /// Of the second and third argument.
    pub(super) fn try_new(function: &'static str, args: &'a [ArrayRef]) -> Result<Self> {
        Ok(Self { function, patterns: Strings::try_new(&args[1], "pattern")?, groups: args.get(2), last: None })
    }

    /// Of a row; `None` where one of them is NULL.
    pub(super) fn get(&mut self, row: usize) -> Result<Option<(&Regex, usize)>> {
        let function = self.function;
        let group = match self.groups {
            None => 0,
            Some(groups) if groups.is_null(row) => return Ok(None),
            Some(groups) => groups.as_primitive::<Int64Type>().value(row),
        };
        let Some(text) = self.patterns.get(row) else { return Ok(None) };
        if self.last.as_ref().is_none_or(|(last, _)| *last != text) {
            let pattern = Regex::new(text)
                .map_err(|e| exec_datafusion_err!("{function}: '{text}' is no regular expression: {e}"))?;
            self.last = Some((text, pattern));
        }
        let Some((_, pattern)) = &self.last else { return Ok(None) };
        match usize::try_from(group).ok().filter(|group| *group < pattern.captures_len()) {
            Some(group) => Ok(Some((pattern, group))),
            None => exec_err!(
                "{function}: there is no group {group}: '{text}' has groups 0 (the whole match) to {}",
                pattern.captures_len() - 1
            ),
        }
    }
}
