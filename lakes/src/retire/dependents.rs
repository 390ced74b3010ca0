//! Tables that were set aside, and the tables from which they are rebuilt.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::common::Result;

use super::pin::{changed, local};
use super::recipe::Recipe;
use super::store::Store;
use crate::lake::discover::{KnownTables, Listed, find_tables, is_local};
use crate::lake::{Lake, Table};
use crate::options::{Layout, Names};

/// A table that is set aside.
#[derive(Debug, Clone)]
pub struct Aside {
    /// How it is rebuilt.
    pub recipe: Recipe,
    /// Whether its original files are still there.
    pub original: bool,
}

impl Aside {
    /// Describes what changed in the files from which the table is rebuilt; `None` if nothing did.
    ///
    /// # Errors
    /// One of them exists but cannot be read.
    pub fn changed(&self, root: &Path) -> Result<Option<String>> {
        changed(&self.recipe.parent, root)
    }
}

/// The tables set aside in the lake at `root`, by name. Does not lock, so a running change may be seen half done.
pub fn all(root: &Path) -> Vec<Aside> {
    let Ok(entries) = fs::read_dir(Store::retired(root)) else { return vec![] };
    let folders = entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_none());
    let mut found = vec![];
    for folder in folders {
        match Recipe::read(&folder) {
            Ok(recipe) => found.push(Aside { recipe, original: Store::has_files(&folder) }),
            Err(e) => log::warn!("{}: what is set aside there is unknown: {e}", folder.display()),
        }
    }
    found.sort_by(|a, b| a.recipe.table.cmp(&b.recipe.table));
    found
}

/// Finds the tables of a lake, and records for each what prevents setting it aside: links, and tables that are rebuilt from
/// it.
///
/// # Errors
/// Only internal ones: what cannot be read as a table is listed in [`Lake::problems`].
pub async fn discover(listed: Listed, layout: Layout, names: Names) -> Result<Lake> {
    discover_anew(listed, layout, names, None).await
}

/// The same, without reading the footers of tables that `known` has as they are.
///
/// # Errors
/// As [`discover`].
pub async fn discover_anew(
    listed: Listed,
    layout: Layout,
    names: Names,
    known: Option<Arc<dyn KnownTables>>,
) -> Result<Lake> {
    let root = listed.root().to_owned();
    let mut lake = find_tables(listed, layout, names, known).await?;
    if is_local(&lake.url) {
        note(&mut lake.tables, &root);
    }
    Ok(lake)
}

/// Records for each table of a local lake which others are rebuilt from it. `root` is the path of the lake. Tables may also
/// be set aside in folders above and below it.
fn note(tables: &mut [Table], root: &str) {
    let root = Path::new("/").join(root);
    let mut known: HashMap<PathBuf, Vec<Aside>> = HashMap::new();
    for table in tables {
        let files: Vec<PathBuf> = table.files.iter().filter_map(|file| local(&file.meta.location).ok()).collect();
        let Some(first) = files.first() else { continue };
        let path = root.join(&table.name);
        let found = first.ancestors().skip(1).find_map(|folder| {
            let asides = known.entry(folder.to_owned()).or_insert_with(|| all(folder));
            let needs = |aside: &&Aside| {
                // The lake itself may be the table.
                let named =
                    folder.join(&aside.recipe.from) == path || (folder == root && aside.recipe.from == table.name);
                named || aside.recipe.parent.iter().any(|pin| files.contains(&folder.join(&pin.path)))
            };
            let names: Vec<&str> = asides.iter().filter(needs).map(|aside| aside.recipe.table.as_str()).collect();
            (!names.is_empty()).then(|| few(&names))
        });
        if let (None, Some(names)) = (&table.held, found) {
            table.held = Some(format!("it is what {names} is rebuilt from"));
        }
    }
}

/// The first names, and how many there are more.
fn few(names: &[&str]) -> String {
    match names {
        [a, b, c, more @ ..] if !more.is_empty() => format!("{a}, {b}, {c} and {} more", more.len()),
        _ => names.join(", "),
    }
}
