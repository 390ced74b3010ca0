//! Executes a plan.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::{SessionConfig, SessionContext};
use limpid_failpoints::fail_point;

use super::done::Done;
use super::matching::{self, Parent};
use super::pin::{Pin, PlanFile, changed, pinned};
use super::recipe::{FileRecipe, How, Recipe, write_order, write_rows};
use super::store::Store;
use super::{predicate, rebuild};
use crate::discover;
use crate::lake::discover::{Listed, plain};
use crate::lake::{File, Lake, Source, Table};
use crate::options::{Layout, Names};

/// Sets the tables of `plan` aside, each after a rehearsal of its rebuild. `listed` is the current lake.
///
/// # Errors
/// Another process works on the lake, or its folder cannot be written. Problems with a single table are reported in its
/// [`Done`].
pub async fn apply(plan: &PlanFile, listed: Listed, env: &Arc<RuntimeEnv>) -> Result<Vec<Done>> {
    let store = Store::open(&plan.lake)?;
    let (layout, names) = (of(Layout::WORDS, &plan.layout)?, of(Names::WORDS, &plan.names)?);
    let lake = discover(listed, layout, names).await?;
    let ctx = session(env);
    let mut done = vec![];
    for retire in &plan.retire {
        let one = one(plan, &retire.table, &retire.from, &lake, &store, &ctx).await;
        done.push(match one {
            Ok((recipe, before)) => {
                let says = if before { format!("before: {}", recipe.says()) } else { recipe.says() };
                Done { table: retire.table.clone(), done: true, bytes: recipe.bytes(), says }
            }
            Err(e) => Done { table: retire.table.clone(), done: false, bytes: 0, says: plain(&e.to_string()) },
        });
    }
    Ok(done)
}

/// The value of a word.
pub(super) fn of<T: Copy>(words: &[(&str, T)], word: &str) -> Result<T> {
    let found = words.iter().find(|(known, _)| *known == word);
    found.map(|(_, value)| *value).ok_or_else(|| exec_datafusion_err!("`{word}` is nothing that this program knows"))
}

/// A session for the queries of recipes.
pub(super) fn session(env: &Arc<RuntimeEnv>) -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(1);
    // In nanoseconds INT96 timestamps before 1677 and after 2262 would become others.
    config.options_mut().execution.parquet.coerce_int96 = Some("us".to_owned());
    SessionContext::new_with_config_rt(config, Arc::clone(env))
}

async fn one(
    plan: &PlanFile,
    table: &str,
    from: &str,
    lake: &Lake,
    store: &Store,
    ctx: &SessionContext,
) -> Result<(Recipe, bool)> {
    let root = store.root();
    if table == from {
        return exec_err!("{table} cannot be rebuilt from itself");
    }
    for (_, recipe) in store.entries()? {
        if recipe.from == table {
            return exec_err!("{table} is what {} is rebuilt from", recipe.table);
        }
    }
    if let Some(recipe) = went_before(plan, table, store) {
        return Ok((recipe, true));
    }
    let (child, parent) = (pinned(lake, table, plan, root)?, pinned(lake, from, plan, root)?);
    if let Some(why) = child.why_it_stays() {
        return exec_err!("{why}");
    }
    let pins = |name: &str| plan.tables.get(name).cloned().unwrap_or_default();
    let prepared = store.prepare(table)?;
    fail_point!("retire::prepared");
    let source = Parent { table: parent, store: &lake.store };
    let names = (plan.layout.clone(), plan.names.clone());
    let recipe = write_recipe((child, pins(table)), (&source, pins(from)), names, (root, &prepared), ctx).await;
    let recipe = match recipe {
        Ok(recipe) => recipe,
        Err(e) => {
            fs::remove_dir_all(&prepared)?;
            return Err(e);
        }
    };
    // Neither may have changed while all that was read.
    for name in [table, from] {
        if let Some(what) = changed(&pins(name), root)?.or_else(|| plan.moved_on(name, root)) {
            fs::remove_dir_all(&prepared)?;
            return exec_err!("{name}: {what} meanwhile");
        }
    }
    store.set_aside(&prepared, &recipe)?;
    Ok((recipe, false))
}

/// The recipe of a table whose files of the plan are set aside already, as after a run that was cut short.
fn went_before(plan: &PlanFile, table: &str, store: &Store) -> Option<Recipe> {
    let (pins, recipe) = (plan.tables.get(table)?, Recipe::read(&store.entry(table)).ok()?);
    let same = pins.len() == recipe.files.len() && recipe.files.iter().all(|file| pins.contains(&file.pin));
    let is_back = pins.iter().any(|pin| store.root().join(&pin.path).exists());
    (same && !is_back).then_some(recipe)
}

/// For each leaf of a file, the parent's column with the same normalised name.
fn columns(file: &File, child: &Table, parent: &Table) -> Result<Vec<usize>> {
    let mut found: Vec<(u32, usize)> = vec![];
    for (column, source) in child.columns.iter().zip(file.sources.iter()) {
        if let Source::Leaf(at) = source {
            let place = parent.columns.iter().position(|theirs| theirs.name == column.name);
            let place = place.ok_or_else(|| exec_datafusion_err!("{} has no column `{}`", parent.name, column.name))?;
            found.push((*at, place));
        }
    }
    found.sort_unstable();
    if found.iter().enumerate().any(|(at, (leaf, _))| at != *leaf as usize) {
        return exec_err!("not all of its columns were compared");
    }
    Ok(found.into_iter().map(|(_, place)| place).collect())
}

async fn write_recipe(
    (child, pins): (&Table, Vec<Pin>),
    (parent, parent_pins): (&Parent<'_>, Vec<Pin>),
    (layout, names): (String, String),
    (root, folder): (&Path, &Path),
    ctx: &SessionContext,
) -> Result<Recipe> {
    let known = predicate::know(ctx, parent.table).await.unwrap_or(false);
    let mut files = vec![];
    for (at, file) in child.files.iter().enumerate() {
        let path = super::pin::local(&file.meta.location)?;
        let below = super::pin::below(root, &file.meta)?;
        let pin = pins.iter().find(|pin| pin.path == below).cloned();
        let pin = pin.ok_or_else(|| exec_datafusion_err!("the plan does not pin {below}"))?;
        let places = columns(file, child, parent.table)?;
        rebuild::write_schema(&path, &folder.join(FileRecipe::schema_file(at)))?;
        let matched = matching::find(&path, parent, &places, &ctx.runtime_env()).await?;
        let rows_file = format!("{at}.rows");
        let order_file = matched.order.as_ref().map(|_| format!("{at}.order"));
        let mut recipe = FileRecipe {
            pin,
            rows: matched.print.rows.rows,
            sum: format!("{:032x}", matched.print.rows.sum),
            sequence: Some(format!("{:032x}", matched.print.sequence)),
            order: order_file,
            columns: places.iter().map(|&place| parent.table.columns[place].name.to_string()).collect(),
            null_structs: matched.null_structs,
            how: How::Rows(rows_file.clone()),
        };
        fail_point!("retire::rows-found");
        // If a query cannot be planned, or returns other rows, that is no failure: the positions of the rows are known. A
        // query returns rows in the parent's order.
        let query = match known && matched.order.is_none() {
            true => predicate::infer(ctx, &path, parent.table, &places, recipe.rows).await.unwrap_or(None),
            false => None,
        };
        let by_query = match query {
            Some(sql) => {
                let candidate = FileRecipe { how: How::Query(sql), ..recipe.clone() };
                match rehearse(&candidate, (folder, at), parent, ctx).await {
                    Ok(None) => Some(candidate),
                    Ok(Some(_)) | Err(_) => None,
                }
            }
            None => None,
        };
        match by_query {
            Some(candidate) => recipe = candidate,
            None => {
                write_rows(&folder.join(&rows_file), &matched.rows)?;
                if let (Some(file), Some(order)) = (&recipe.order, &matched.order) {
                    write_order(&folder.join(file), order)?;
                }
                fail_point!("retire::positions-written");
                if let Some(what) = rehearse(&recipe, (folder, at), parent, ctx).await? {
                    return exec_err!("it cannot be rebuilt from {}: {what}", parent.table.name);
                }
            }
        }
        files.push(recipe);
    }
    let (table, from) = (child.name.clone(), parent.table.name.clone());
    let recipe = Recipe { version: 1, table, from, layout, names, parent: parent_pins, files };
    recipe.write(folder)?;
    fail_point!("retire::recipe-written");
    Ok(recipe)
}

/// Rebuilds a file beside its recipe, compares it, and removes it. Returns what is wrong with it, if anything.
pub(super) async fn rehearse(
    recipe: &FileRecipe,
    (folder, at): (&Path, usize),
    parent: &Parent<'_>,
    ctx: &SessionContext,
) -> Result<Option<String>> {
    let rehearsal = folder.join("rehearsal");
    if rehearsal.exists() {
        fs::remove_dir_all(&rehearsal)?;
    }
    fs::create_dir(&rehearsal)?;
    let to = rehearsal.join(format!("{at}.parquet"));
    let wrong = match rebuild::write(recipe, (folder, at), parent, ctx, &to).await {
        Ok(()) => rebuild::differs(recipe, (folder, at), &to),
        Err(e) => Err(e),
    };
    fail_point!("retire::rehearsed");
    fs::remove_dir_all(&rehearsal)?;
    wrong
}
