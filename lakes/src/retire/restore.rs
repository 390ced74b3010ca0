//! Tables brought back, and originals let go.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::SessionContext;

use super::apply::{of, rehearse, session};
use super::matching::Parent;
use super::pin::{changed, is_at};
use super::recipe::{FileRecipe, How, Recipe};
use super::store::{KILLED, Store};
use super::{Done, Hook, exact, predicate, rebuild};
use crate::lake::Lake;
use crate::lake::discover::{Listed, discover, plain};
use crate::options::{Layout, Names};

/// Brings `tables` back into the lake in `root`, or all of them. The originals come back where they are still there, unless
/// `rebuild`; else what the recipes make.
///
/// # Errors
/// Another process works on the lake, or what it is in cannot be written. What speaks against one table is in its [`Done`].
pub async fn restore(
    root: &Path,
    tables: &[String],
    rebuild: bool,
    listed: Option<Listed>,
    env: &Arc<RuntimeEnv>,
    hook: Hook<'_>,
) -> Result<Vec<Done>> {
    let store = Store::open(root, hook)?;
    let entries = store.entries()?;
    let mut done = vec![];
    for table in tables.iter().filter(|table| !entries.iter().any(|(_, recipe)| recipe.table == **table)) {
        done.push(Done { table: table.clone(), done: false, bytes: 0, says: "it is not set aside".to_owned() });
    }
    let ctx = session(env);
    for (entry, recipe) in &entries {
        if !tables.is_empty() && !tables.contains(&recipe.table) {
            continue;
        }
        let back = bring_back(&store, entry, recipe, rebuild, &listed, &ctx, hook).await;
        done.push(said(recipe, back)?);
    }
    done.sort_by(|a, b| a.table.cmp(&b.table));
    Ok(done)
}

fn said(recipe: &Recipe, result: Result<String>) -> Result<Done> {
    let table = recipe.table.clone();
    match result {
        Ok(says) => Ok(Done { table, done: true, bytes: recipe.bytes(), says }),
        Err(e) if e.to_string().contains(KILLED) => Err(e),
        Err(e) => Ok(Done { table, done: false, bytes: 0, says: plain(&e.to_string()) }),
    }
}

/// Whether all originals are there, and are the ones that were set aside.
fn has_originals(entry: &Path, recipe: &Recipe) -> Result<bool> {
    for file in &recipe.files {
        if !is_at(&file.pin, &Store::aside(entry, &file.pin)).unwrap_or(false) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn bring_back(
    store: &Store,
    entry: &Path,
    recipe: &Recipe,
    rebuild: bool,
    listed: &Option<Listed>,
    ctx: &SessionContext,
    hook: Hook<'_>,
) -> Result<String> {
    for file in &recipe.files {
        if store.root().join(&file.pin.path).exists() {
            return exec_err!("something else is at {}: move it away first", file.pin.path);
        }
    }
    let mut says = "the original".to_owned();
    if rebuild || !has_originals(entry, recipe)? {
        let rebuilt = entry.join("rebuilt");
        if rebuilt.exists() {
            fs::remove_dir_all(&rebuilt)?;
        }
        let lake = lake(recipe, listed).await?;
        let parent = parent(recipe, &lake)?;
        if uses_query(recipe) {
            predicate::know(ctx, parent.table).await?;
        }
        for (at, file) in recipe.files.iter().enumerate() {
            let to = rebuilt.join(&file.pin.path);
            fs::create_dir_all(to.parent().unwrap_or(&rebuilt))?;
            let written = rebuild::write(file, (entry, at), &parent, ctx, &to).await;
            let wrong = match written {
                Ok(()) => rebuild::differs(file, (entry, at), &to)?,
                Err(e) => Some(plain(&e.to_string())),
            };
            if let Some(wrong) = wrong {
                let why = changed(&recipe.parent, store.root())?.map_or_else(String::new, |what| {
                    format!("; its source {} is not what it was: {what}", recipe.from)
                });
                return exec_err!("{} cannot be rebuilt: {wrong}{why}", file.pin.path);
            }
            hook("a file is rebuilt")?;
        }
        store.adopt(entry, &rebuilt, hook)?;
        says = format!("rebuilt: {}", recipe.says());
    }
    store.put_back(entry, recipe, hook)?;
    Ok(says)
}

fn uses_query(recipe: &Recipe) -> bool {
    recipe.files.iter().any(|file| matches!(file.how, How::Query(_)))
}

async fn lake(recipe: &Recipe, listed: &Option<Listed>) -> Result<Lake> {
    let Some(listed) = listed else { return exec_err!("the lake is empty, and {} is not in it", recipe.from) };
    discover(listed.clone(), of(Layout::WORDS, &recipe.layout)?, of(Names::WORDS, &recipe.names)?).await
}

fn parent<'a>(recipe: &Recipe, lake: &'a Lake) -> Result<Parent<'a>> {
    let table = lake.tables.iter().find(|table| table.name == recipe.from);
    let table = table.ok_or_else(|| {
        let problem = lake.problems.iter().find(|problem| problem.table == recipe.from);
        let why = problem.map_or("it is gone", |problem| problem.reason.as_str());
        exec_datafusion_err!("{}, which it is rebuilt from, cannot be read: {why}", recipe.from)
    })?;
    Ok(Parent { table, store: &lake.store })
}

/// Deletes the originals of `tables`, or of all, that are set aside and can still be rebuilt: each is rehearsed once more.
///
/// # Errors
/// As [`restore`].
pub async fn purge(
    root: &Path,
    tables: &[String],
    listed: Option<Listed>,
    env: &Arc<RuntimeEnv>,
    hook: Hook<'_>,
) -> Result<Vec<Done>> {
    let store = Store::open(root, hook)?;
    let ctx = session(env);
    let mut done = vec![];
    for (entry, recipe) in &store.entries()? {
        if (!tables.is_empty() && !tables.contains(&recipe.table)) || !entry.join("files").exists() {
            continue;
        }
        let freed = let_go(&store, entry, recipe, &listed, &ctx, hook).await;
        done.push(said(recipe, freed)?);
    }
    Ok(done)
}

async fn let_go(
    store: &Store,
    entry: &Path,
    recipe: &Recipe,
    listed: &Option<Listed>,
    ctx: &SessionContext,
    hook: Hook<'_>,
) -> Result<String> {
    let lake = lake(recipe, listed).await?;
    let parent = parent(recipe, &lake)?;
    if let Some(what) = changed(&recipe.parent, store.root())? {
        return exec_err!("its source {} is not what it was: {what}", recipe.from);
    }
    if uses_query(recipe) {
        predicate::know(ctx, parent.table).await?;
    }
    for (at, file) in recipe.files.iter().enumerate() {
        let expected = as_stored(file, (entry, at))?;
        if let Some(wrong) = rehearse(&expected, (entry, at), &parent, ctx, hook).await? {
            return exec_err!("{} cannot be rebuilt: {wrong}", file.pin.path);
        }
    }
    store.free(entry, hook)?;
    Ok(recipe.says())
}

/// What must come back of a file: what its original holds now that it is read once more, not what was once read of it.
fn as_stored(file: &FileRecipe, (entry, at): (&Path, usize)) -> Result<FileRecipe> {
    let original = Store::aside(entry, &file.pin);
    if let Some(what) = rebuild::lost(&original, &entry.join(FileRecipe::schema_file(at)))? {
        return exec_err!("{}: {what}", file.pin.path);
    }
    let (_, print) = exact::print(&original)?;
    Ok(FileRecipe {
        rows: print.rows.rows,
        sum: format!("{:032x}", print.rows.sum),
        sequence: Some(format!("{:032x}", print.sequence)),
        ..file.clone()
    })
}
