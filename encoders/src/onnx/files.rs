//! The files of a model folder: the graph, the external weights that the graph names, and the tokenizer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::graph;
use crate::folder::{Settings, sha256};
use crate::sentence_transformers::is_inside;
use crate::{Error, Result};

/// The name under which the tokenizer is stored.
pub const TOKENIZER: &str = "tokenizer.json";

/// The external weight files that the graph at `path` names.
pub fn named(path: &Path) -> Result<BTreeSet<String>> {
    let found = graph::facts(path).weights;
    match found.iter().find(|name| name.is_empty() || !is_inside(name)) {
        None => Ok(found),
        Some(name) => Err(outside(path, name)),
    }
}

fn outside(path: &Path, name: &str) -> Error {
    let message = format!("the graph says that weights are in '{name}', which is not in the folder of the model");
    Error::File { path: path.to_owned(), message }
}

/// Returns an error unless every file of `weights` exists and lies in the folder of the graph at `path`.
pub fn present(path: &Path, weights: &BTreeSet<String>) -> Result<()> {
    for name in weights {
        if name.is_empty() || !is_inside(name) {
            return Err(outside(path, name));
        }
        let file = path.with_file_name(name);
        if !file.is_file() {
            let graph = path.file_name().unwrap_or_default().to_string_lossy();
            let message = format!("there is no such file; {graph} says that weights are in it");
            return Err(Error::File { path: file, message });
        }
    }
    Ok(())
}

/// Names and paths of the files of the model in `folder`: the graph, its weights, and the tokenizer if there is one. Names
/// are those used in a folder of its own.
pub fn list(folder: &Path, settings: &Settings) -> Result<Vec<(String, PathBuf)>> {
    let model = settings.model_path(folder);
    let below = |name: &str| match settings.model.rsplit_once('/') {
        Some((parent, _)) => format!("{parent}/{name}"),
        None => name.to_owned(),
    };
    let mut files = vec![(settings.model.clone(), model.clone())];
    let weights = named(&model)?;
    present(&model, &weights)?;
    files.extend(weights.into_iter().map(|name| (below(&name), model.with_file_name(&name))));
    let tokenizer = settings.tokenizer_path(folder);
    if tokenizer.is_file() {
        files.push((TOKENIZER.to_owned(), tokenizer));
    }
    Ok(files)
}

/// Names of those files, each with its SHA-256.
pub fn hashes(folder: &Path, settings: &Settings) -> Result<Vec<(String, String)>> {
    list(folder, settings)?.into_iter().map(|(name, path)| Ok((name, sha256(&path)?))).collect()
}
