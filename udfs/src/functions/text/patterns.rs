//! Arguments of the functions that search regular expressions.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Int64Type;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use regex::Regex;

use crate::functions::compiled::Compiled;
use crate::functions::scores::parameters::{Kind, Parameter, optional, required};
use crate::functions::strings::Strings;

/// `(text, pattern [, group])`.
pub(super) const PARAMETERS: [Parameter; 3] =
    [required("text", Kind::Text), required("pattern", Kind::Text), optional("group", Kind::Integer)];

/// Calls `put` with text, pattern and group of each row; `None` if one of them is NULL.
pub(super) fn search_each(
    function: &str,
    args: &[ArrayRef],
    mut put: impl FnMut(Option<(&str, &Regex, usize)>) -> Result<()>,
) -> Result<()> {
    let texts = Strings::try_new(&args[0], "text")?;
    let mut patterns = Compiled::new(Strings::try_new(&args[1], "pattern")?);
    let compile = |text: &str| {
        Regex::new(text).map_err(|e| exec_datafusion_err!("{function}: '{text}' is no regular expression: {e}"))
    };
    for (row, text) in texts.iter().enumerate() {
        let group = match args.get(2) {
            None => Some(0),
            Some(groups) => groups.is_valid(row).then(|| groups.as_primitive::<Int64Type>().value(row)),
        };
        let pattern = match group {
            Some(group) => patterns.get(row, compile)?.map(|found| checked(function, found, group)).transpose()?,
            None => None,
        };
        put(text.zip(pattern).map(|(text, (pattern, group))| (text, pattern, group)))?;
    }
    Ok(())
}

/// Returns the pattern and the number of the group, if the pattern has such a group.
fn checked<'a>(function: &str, (written, pattern): (&str, &'a Regex), group: i64) -> Result<(&'a Regex, usize)> {
    let groups = pattern.captures_len();
    match usize::try_from(group).ok().filter(|group| *group < groups) {
        Some(group) => Ok((pattern, group)),
        None => exec_err!(
            "{function}: there is no group {group}: '{written}' has groups 0 (the whole match) to {}",
            groups - 1
        ),
    }
}
