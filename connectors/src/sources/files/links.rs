//! Recognises a file with several names through symbolic links as one file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use object_store::path::Path as ObjectPath;

use super::SourceFile;

/// Another name of a file that was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The name that was left out.
    pub name: ObjectPath,
    /// The name under which the file is read.
    pub file: ObjectPath,
}

/// Keeps each local file once: under its real name if that is among `files`, otherwise under the first. In folders with other
/// partition values it is a different part of the table and stays.
pub(super) fn once(files: &mut Vec<SourceFile>) -> Vec<Alias> {
    let real = |file: &SourceFile| {
        let path = Path::new("/").join(file.meta.location.as_ref());
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        (path != real, real)
    };
    type Identity = (PathBuf, Vec<(String, Option<String>)>);
    let mut kept: HashMap<Identity, (bool, usize)> = HashMap::new();
    let places: Vec<Identity> = files
        .iter()
        .enumerate()
        .map(|(at, file)| {
            let (linked, real) = real(file);
            let identity = (real, file.partitions.clone());
            let best = kept.entry(identity.clone()).or_insert((linked, at));
            *best = (*best).min((linked, at));
            identity
        })
        .collect();
    let keeper: Vec<usize> = places.iter().map(|identity| kept.get(identity).map_or(0, |(_, at)| *at)).collect();
    let aliases: Vec<Alias> = keeper
        .iter()
        .enumerate()
        .filter(|(at, keeper)| *at != **keeper)
        .map(|(at, &keeper)| Alias { name: files[at].meta.location.clone(), file: files[keeper].meta.location.clone() })
        .collect();
    let mut at = 0;
    files.retain(|_| {
        at += 1;
        keeper[at - 1] == at - 1
    });
    for Alias { name, file } in &aliases {
        log::debug!("/{name} is a link to /{file}, which is read once");
    }
    aliases
}
