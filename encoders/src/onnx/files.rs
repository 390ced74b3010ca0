//! The files that a model in a folder is made of: the graph, the weights that the graph names, the tokenizer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::graph;
use crate::folder::{Settings, sha256};
use crate::sentence_transformers::is_inside;
use crate::{Error, Result};

/// The name under which the tokenizer is kept.
pub const TOKENIZER: &str = "tokenizer.json";

/// The files beside the graph at `path` that its weights are in, as the graph names them.
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

/// An error unless every file of `weights` lies in the folder of the graph at `path`, and is there.
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

/// Names and paths of the files of the model in `folder`: the graph, its weights, the tokenizer where there is one. The names
/// are those within a folder that has nothing else.
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
