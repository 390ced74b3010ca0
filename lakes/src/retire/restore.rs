//! Tables brought back, and originals let go.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::common::{Result, exec_err};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::SessionContext;
use limpid_failpoints::fail_point;

use super::apply::{of, rehearse, session};
use super::done::Done;
use super::matching::Parent;
use super::parent::as_pinned;
use super::pin::is_at;
use super::recipe::{FileRecipe, How, Recipe, write_hashes};
use super::store::Store;
use super::{exact, predicate, rebuild, search};
use crate::discover;
use crate::lake::Lake;
use crate::lake::discover::{Listed, plain};
use crate::lake::links;
use crate::options::{Layout, Names};

/// Restores `tables`, or all, to the lake at `root`. Uses the originals if they still exist, unless `rebuild` is set;
/// otherwise rebuilds from the recipes.
///
/// # Errors
/// Another process works on the lake, or its folder cannot be written. Problems with a single table are reported in its
/// [`Done`].
pub async fn restore(
    root: &Path,
    tables: &[String],
    rebuild: bool,
    listed: Option<Listed>,
    env: &Arc<RuntimeEnv>,
) -> Result<Vec<Done>> {
    let store = Store::open(root)?;
    let entries = store.entries()?;
    let mut done = unknown(tables, &entries);
    let ctx = session(env);
    for (entry, recipe) in &entries {
        if !tables.is_empty() && !tables.contains(&recipe.table) {
            continue;
        }
        let back = bring_back(&store, entry, recipe, rebuild, &listed, &ctx).await;
        done.push(said(recipe, back));
    }
    done.sort_by(|a, b| a.table.cmp(&b.table));
    Ok(done)
}

/// The tables that are named and not set aside.
fn unknown(tables: &[String], entries: &[(PathBuf, Recipe)]) -> Vec<Done> {
    let away = |table: &&String| !entries.iter().any(|(_, recipe)| recipe.table == **table);
    let says =
        |table: &String| Done { table: table.clone(), done: false, bytes: 0, says: "it is not set aside".to_owned() };
    tables.iter().filter(away).map(says).collect()
}

fn said(recipe: &Recipe, result: Result<String>) -> Done {
    let table = recipe.table.clone();
    match result {
        Ok(says) => Done { table, done: true, bytes: recipe.bytes(), says },
        Err(e) => Done { table, done: false, bytes: 0, says: plain(&e.to_string()) },
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
        let parent = as_pinned(recipe, listed, store.root()).await;
        if let Ok(lake) = &parent
            && uses_query(recipe)
        {
            predicate::know(ctx, &lake.tables[0]).await?;
        }
        let (mut now, mut searched) = (None, BTreeSet::new());
        for (at, file) in recipe.files.iter().enumerate() {
            let to = rebuilt.join(&file.pin.path);
            fs::create_dir_all(to.parent().unwrap_or(&rebuilt))?;
            let mut wrong = by_recipe(file, (entry, at), &parent, ctx, &to).await;
            if wrong.is_some() && entry.join(FileRecipe::hashes_file(at)).exists() {
                let lake = match &now {
                    Some(lake) => lake,
                    None => now.insert(lake(recipe, listed).await?),
                };
                let found = search::write(file, (entry, at), (lake, &recipe.from), ctx, &to).await;
                let found = found.and_then(|tables| Ok((tables, rebuild::differs(file, (entry, at), &to)?)));
                wrong = match found {
                    Ok((tables, None)) => {
                        searched.extend(tables);
                        None
                    }
                    Ok((_, Some(also))) => wrong.map(|wrong| format!("{wrong}; {also}")),
                    Err(e) => wrong.map(|wrong| format!("{wrong}; {}", plain(&e.to_string()))),
                };
            }
            if let Some(wrong) = wrong {
                return exec_err!("{} cannot be rebuilt: {wrong}", file.pin.path);
            }
            fail_point!("retire::file-rebuilt");
        }
        store.adopt(entry, &rebuilt)?;
        says = match searched.is_empty() {
            true => format!("rebuilt: {}", recipe.says()),
            false => {
                let tables: Vec<String> = searched.into_iter().collect();
                format!("rebuilt: {} changed, its rows were found in {}", recipe.from, tables.join(", "))
            }
        };
    }
    store.put_back(entry, recipe)?;
    Ok(says)
}

fn uses_query(recipe: &Recipe) -> bool {
    recipe.files.iter().any(|file| matches!(file.how, How::Query(_)))
}

async fn lake(recipe: &Recipe, listed: &Option<Listed>) -> Result<Lake> {
    let Some(listed) = listed else { return exec_err!("the lake is empty, and {} is not in it", recipe.from) };
    discover(listed.clone(), of(Layout::WORDS, &recipe.layout)?, of(Names::WORDS, &recipe.names)?).await
}

/// Writes a file as its recipe says; what is wrong with it, if anything.
async fn by_recipe(
    file: &FileRecipe,
    (entry, at): (&Path, usize),
    parent: &Result<Lake>,
    ctx: &SessionContext,
    to: &Path,
) -> Option<String> {
    let lake = match parent {
        Ok(lake) => lake,
        Err(e) => return Some(plain(&e.to_string())),
    };
    let parent = Parent { table: &lake.tables[0], store: &lake.store };
    let written = rebuild::write(file, (entry, at), &parent, ctx, to).await;
    let wrong = written.and_then(|()| rebuild::differs(file, (entry, at), to));
    wrong.unwrap_or_else(|e| Some(plain(&e.to_string())))
}

/// Deletes the originals of `tables`, or of all tables set aside, if they can still be rebuilt: each rebuild is rehearsed
/// once more, and the hashes of the rows are kept. With `dry`, rehearses but deletes nothing.
///
/// # Errors
/// As [`restore`].
pub async fn purge(
    root: &Path,
    tables: &[String],
    dry: bool,
    listed: Option<Listed>,
    env: &Arc<RuntimeEnv>,
) -> Result<Vec<Done>> {
    let store = Store::open(root)?;
    let (ctx, entries) = (session(env), store.entries()?);
    let mut done = unknown(tables, &entries);
    for (entry, recipe) in &entries {
        if (!tables.is_empty() && !tables.contains(&recipe.table)) || !Store::has_files(entry) {
            continue;
        }
        // A file that has another name takes its room still.
        let files = recipe.files.iter().map(|file| &file.pin);
        let alone = files.filter(|pin| !links::has_other_names(&Store::aside(entry, pin)));
        let bytes = alone.map(|pin| pin.size).sum();
        let freed = let_go(&store, entry, recipe, dry, &listed, &ctx).await;
        let freed = said(recipe, freed);
        done.push(Done { bytes: if freed.done { bytes } else { 0 }, ..freed });
    }
    Ok(done)
}

async fn let_go(
    store: &Store,
    entry: &Path,
    recipe: &Recipe,
    dry: bool,
    listed: &Option<Listed>,
    ctx: &SessionContext,
) -> Result<String> {
    let lake = as_pinned(recipe, listed, store.root()).await?;
    let parent = Parent { table: &lake.tables[0], store: &lake.store };
    if uses_query(recipe) {
        predicate::know(ctx, parent.table).await?;
    }
    for (at, file) in recipe.files.iter().enumerate() {
        let expected = as_stored(file, (entry, at), dry)?;
        if let Some(wrong) = rehearse(&expected, (entry, at), &parent, ctx).await? {
            return exec_err!("{} cannot be rebuilt: {wrong}", file.pin.path);
        }
    }
    if !dry {
        fail_point!("retire::hashes-written");
        store.free(entry)?;
    }
    Ok(recipe.says())
}

/// The expected content of a file: what its original contains when read again, not what was read earlier. Unless `dry`,
/// writes the hashes of its rows beside the recipe, so that rows can be found anywhere in the lake.
fn as_stored(file: &FileRecipe, (entry, at): (&Path, usize), dry: bool) -> Result<FileRecipe> {
    let original = Store::aside(entry, &file.pin);
    if let Some(what) = rebuild::lost(&original, &entry.join(FileRecipe::schema_file(at)))? {
        return exec_err!("{}: {what}", file.pin.path);
    }
    let (mut print, mut bytes) = (exact::Print::default(), vec![]);
    let mut read = |keep: &mut dyn FnMut(u128) -> Result<()>| -> Result<()> {
        exact::each_batch(&original, |batch| {
            let rows = exact::Rows::try_new(batch.columns())?;
            (0..batch.num_rows()).try_for_each(|row| {
                rows.encode(row, &mut bytes);
                keep(print.add(&bytes))
            })
        })
        .map(|_| ())
    };
    match dry {
        true => read(&mut |_| Ok(()))?,
        false => write_hashes(&entry.join(FileRecipe::hashes_file(at)), read)?,
    }
    Ok(FileRecipe {
        rows: print.rows.rows,
        sum: format!("{:032x}", print.rows.sum),
        sequence: Some(format!("{:032x}", print.sequence)),
        ..file.clone()
    })
}
