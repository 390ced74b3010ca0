//! Job files and recipes.

use std::collections::BTreeMap;
use std::path::Path;

use limpid::jobs::job::Job;
use limpid::recipes;

use crate::engine;

pub(crate) const RECIPE_ARGUMENTS: &[&str] =
    &["minhash_dedup\nthreshold=0.7\ntext=body", "ccs\nfraction=0.1", "data_mixture\nreward=score\nleast=0"];

pub(crate) fn job_yaml(bytes: &[u8]) {
    let path = engine::file("job.yaml", bytes);
    let _ = Job::read(Path::new(&path), &BTreeMap::new());
}

/// A recipe of one's own, without arguments.
pub(crate) fn recipe(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let _ = recipes::parameters(text);
    let _ = recipes::outputs(text);
    let _ = recipes::description(text);
    let path = engine::file("recipe.sql", bytes);
    if let Ok(sql) = recipes::expand(&path, &[], "id", Some("text")) {
        engine::plan(&sql);
    }
}

/// A recipe of limpid's: its name, and arguments as `name=value`, one a line.
pub(crate) fn recipe_arguments(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Some((name, arguments)) = text.split_once('\n') else { return };
    // Another name would be the path of a file.
    let Some(name) = recipes::names().find(|known| *known == name) else { return };
    let arguments: Vec<(&str, &str)> = arguments.lines().filter_map(|line| line.split_once('=')).collect();
    if let Ok(sql) = recipes::expand(name, &arguments, "id", Some("text")) {
        engine::plan(&sql);
    }
}
