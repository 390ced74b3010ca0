//! The table that a recipe takes rows from, as it was when the recipe was written.

use std::collections::HashSet;
use std::path::Path;

use datafusion::common::{Result, exec_err};

use super::apply::of;
use super::pin::{self, changed};
use super::recipe::Recipe;
use crate::discover;
use crate::lake::Lake;
use crate::lake::discover::Listed;
use crate::lake::grouping::is_parquet;
use crate::options::{Layout, Names};

/// A lake of a single table: the parent with exactly the files that the recipe pins. Rows added since then neither shift
/// positions nor match conditions.
///
/// # Errors
/// A pinned file is gone or changed, or the files now form a different table.
pub async fn as_pinned(recipe: &Recipe, listed: &Option<Listed>, root: &Path) -> Result<Lake> {
    let from = &recipe.from;
    if let Some(what) = changed(&recipe.parent, root)? {
        return exec_err!("its source {from} is not what it was: {what}");
    }
    let Some(listed) = listed else { return exec_err!("the lake is empty, and {from} is not in it") };
    let (top, mut listed) = (pin::root(listed)?, listed.clone());
    let pinned: HashSet<&str> = recipe.parent.iter().map(|pin| pin.path.as_str()).collect();
    // Other files than Parquet say what a folder is.
    listed.files.retain(|file| {
        !is_parquet(file.location.as_ref()) || pin::below(&top, file).is_ok_and(|path| pinned.contains(path.as_str()))
    });
    let mut lake = discover(listed, of(Layout::WORDS, &recipe.layout)?, of(Names::WORDS, &recipe.names)?).await?;
    if let [table] = lake.tables.as_mut_slice() {
        let files = table.files.iter().map(|file| pin::below(&top, &file.meta)).collect::<Result<Vec<String>>>()?;
        if files.iter().eq(recipe.parent.iter().map(|pin| &pin.path)) {
            table.name.clone_from(from);
            return Ok(lake);
        }
    }
    match lake.problems.first() {
        Some(problem) => exec_err!("{from}, which it is rebuilt from, cannot be read: {}", problem.reason),
        None => exec_err!("its source {from} is not what it was: its files are not one table any more"),
    }
}
