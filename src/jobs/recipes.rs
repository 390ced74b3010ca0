//! Recipes with the arguments of a job file.

use super::yaml::{Entries, Text};

pub use crate::recipes::quote;

/// The query of recipe `name` with `args`; the parameters `id` and `text` default to the job's columns.
/// An error says what the recipe accepts.
pub fn expand(name: &str, args: &Entries<Text>, id: &str, text: Option<&str>) -> Result<String, String> {
    let args: Vec<_> = args.iter().map(|(name, text)| (name.as_str(), text.value.as_str())).collect();
    crate::recipes::expand(name, &args, id, text)
}
