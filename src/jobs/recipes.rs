//! Recipes with the arguments of a job file.

use super::yaml::{Entries, Text};

pub use crate::recipes::{literal, quote};

/// A parameter of a recipe with its value.
#[derive(Debug, Clone)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Line in the job file; for a default, the line of the step.
    pub is_column: bool,
    /// Line in the job file, or of the step where it is a default.
    pub line: u64,
}

/// The query of recipe `name` with `args`; the parameters `id` and `text` default to the job's columns.
/// An error says what the recipe accepts.
pub fn expand(name: &str, args: &Entries<Text>, id: &str, text: Option<&str>) -> Result<String, String> {
    let args: Vec<_> = args.iter().map(|(name, text)| (name.as_str(), text.value.as_str())).collect();
    crate::recipes::expand(name, &args, id, text)
}

/// The parameters of recipe `name` with their values; `line` stands for those that `args` lacks.
pub fn values(name: &str, args: &Entries<Text>, id: &str, text: Option<&str>, line: u64) -> Vec<Argument> {
    let given: Vec<_> = args.iter().map(|(name, text)| (name.as_str(), text.value.as_str())).collect();
    let values = crate::recipes::values(name, &given, id, text).into_iter();
    let argument = |(name, value, is_column): (String, String, bool)| {
        let line = args.get(&name).map_or(line, |text| text.line);
        Argument { name, value, is_column, line }
    };
    values.map(argument).collect()
}
