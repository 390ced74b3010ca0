//! Functions from text to text that keep the string layout of the column.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, GenericStringBuilder, OffsetSizeTrait, StringViewBuilder};
use datafusion::common::{Result, exec_err};

use crate::functions::strings::Strings;

/// Rewrites every text of `array`; NULL stays NULL. `function` appears in errors.
pub fn rewrite(array: &ArrayRef, function: &str, change: impl for<'a> Fn(&'a str) -> Cow<'a, str>) -> Result<ArrayRef> {
    let texts = Strings::try_new(array, &format!("the first argument of {function}"))?;
    match texts {
        Strings::Utf8(_) => rewrite_offsets::<i32>(texts, function, change),
        Strings::Large(_) => rewrite_offsets::<i64>(texts, function, change),
        Strings::View(_) => {
            let mut out = StringViewBuilder::with_capacity(texts.len());
            for text in texts.iter() {
                match text {
                    Some(text) => out.try_append_value(change(text))?,
                    None => out.append_null(),
                }
            }
            Ok(Arc::new(out.finish()))
        }
    }
}

fn rewrite_offsets<O: OffsetSizeTrait>(
    texts: Strings<'_>,
    function: &str,
    change: impl for<'a> Fn(&'a str) -> Cow<'a, str>,
) -> Result<ArrayRef> {
    let mut out = GenericStringBuilder::<O>::with_capacity(texts.len(), 0);
    for text in texts.iter() {
        let Some(text) = text else {
            out.append_null();
            continue;
        };
        let text = change(text);
        if O::from_usize(out.values_slice().len() + text.len()).is_none() {
            return exec_err!(
                "{function} makes more than 2 GiB of text in one batch of type Utf8: cast the text to LargeUtf8 or lower the batch size"
            );
        }
        out.append_value(text);
    }
    Ok(Arc::new(out.finish()))
}
