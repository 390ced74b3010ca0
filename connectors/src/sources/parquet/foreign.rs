//! Detects folders whose Parquet files have no meaning on their own: tables of Delta, Iceberg and Hudi.
//!
//! Such tables keep deleted or rewritten files beside current ones, and only their metadata tells them apart. They are
//! recognised by their content: `_delta_log/`, `metadata/*.metadata.json`, `.hoodie/`.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use datafusion::catalog::Session;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, plan_err};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;
use object_store::path::Path as ObjectPath;

use crate::sources::files::place::display_path;
use crate::sources::files::{Format, Listing, SourceFile};

/// A format that keeps a table's files by metadata of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Foreign {
    /// A log in `_delta_log/`.
    Delta,
    /// Metadata in `metadata/`.
    Iceberg,
    /// A timeline in `.hoodie/`.
    Hudi,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delta => "Delta",
            Self::Iceberg => "Iceberg",
            Self::Hudi => "Hudi",
        })
    }
}

/// What lies in the folder of such a table.
const DELTA: &str = "_delta_log";
const ICEBERG: &str = "metadata";
const HUDI: &str = ".hoodie";
/// Folders of an object store that are asked about at the same time.
const REQUESTS: usize = 32;

/// The folders above the files of `listing` that contain such a table, sorted.
///
/// # Errors
/// An object store cannot be listed.
pub async fn foreign_roots(state: &dyn Session, listing: &Listing) -> Result<Vec<(String, Foreign)>> {
    let folders = folders(listing.files.iter().map(|file| file.meta.location.as_ref()));
    if listing.store.as_str() == "file:///" {
        let look = move || folders.into_iter().filter_map(|at| Some((local(&at)?, at))).map(|(kind, at)| (at, kind));
        return SpawnedTask::spawn_blocking(move || look().collect())
            .join()
            .await
            .map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)));
    }
    let store = state.runtime_env().object_store(&listing.store)?;
    let found = stream::iter(folders)
        .map(|folder| {
            let store = &store;
            async move {
                let kind = remote(store.as_ref(), &folder).await.map_err(|e| {
                    exec_datafusion_err!("cannot list {}: {e}", display_path(&listing.store, &at(&folder)))
                })?;
                Ok::<_, DataFusionError>(kind.map(|kind| (folder, kind)))
            }
        })
        .buffered(REQUESTS)
        .try_collect::<Vec<_>>()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// A folder as its store names it.
fn at(folder: &str) -> ObjectPath {
    ObjectPath::parse(folder).unwrap_or_else(|_| ObjectPath::from(folder))
}

/// All folders above these files, except partition folders and those within a log or metadata.
fn folders<'a>(files: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files {
        if file.split('/').any(|name| name == DELTA || name == HUDI) {
            continue;
        }
        let mut folder = file;
        while let Some((above, _)) = folder.rsplit_once('/') {
            folder = above;
            let name = folder.rsplit('/').next().unwrap_or_default();
            if !name.contains('=') && !found.insert(folder.to_owned()) {
                break;
            }
        }
    }
    found
}

fn local(folder: &str) -> Option<Foreign> {
    let folder = Path::new("/").join(folder);
    if folder.join(DELTA).is_dir() {
        return Some(Foreign::Delta);
    }
    if folder.join(HUDI).is_dir() {
        return Some(Foreign::Hudi);
    }
    let metadata = std::fs::read_dir(folder.join(ICEBERG)).ok()?;
    let is_iceberg = |name: &std::ffi::OsStr| name.to_string_lossy().ends_with(".metadata.json");
    metadata.flatten().any(|entry| is_iceberg(&entry.file_name())).then_some(Foreign::Iceberg)
}

async fn remote(store: &dyn ObjectStore, folder: &str) -> object_store::Result<Option<Foreign>> {
    let below = store.list_with_delimiter(Some(&at(folder))).await?;
    let has = |name: &str| below.common_prefixes.iter().any(|prefix| prefix.filename() == Some(name));
    if has(DELTA) {
        return Ok(Some(Foreign::Delta));
    }
    if has(HUDI) {
        return Ok(Some(Foreign::Hudi));
    }
    if !has(ICEBERG) {
        return Ok(None);
    }
    let metadata = store.list_with_delimiter(Some(&at(&format!("{folder}/{ICEBERG}")))).await?;
    let is_iceberg = metadata.objects.iter().any(|object| object.location.as_ref().ends_with(".metadata.json"));
    Ok(is_iceberg.then_some(Foreign::Iceberg))
}

/// Refuses to read the Parquet files of such a table on their own: all files, or only those named as `format`.
pub(super) async fn refuse(state: &dyn Session, listing: &Listing, format: Option<Format>) -> Result<()> {
    let is_parquet = |file: &&SourceFile| {
        let name = file.meta.location.filename().unwrap_or_default();
        format.is_none_or(|format| format.of_name(name).is_some())
    };
    let files: Vec<SourceFile> = listing.files.iter().filter(is_parquet).cloned().collect();
    let listing = Listing { store: listing.store.clone(), files, links: Vec::new() };
    let Some((folder, kind)) = foreign_roots(state, &listing).await?.into_iter().next() else { return Ok(()) };
    let folder = display_path(&listing.store, &at(&folder));
    let reader = match kind {
        Foreign::Delta => "DuckDB's `delta_scan` or Spark",
        Foreign::Iceberg => "DuckDB's `iceberg_scan` or Spark",
        Foreign::Hudi => "Spark",
    };
    plan_err!(
        "{folder} is a {kind} table: only its own metadata says which of its Parquet files count, so they cannot be read on \
         their own; write the table as plain Parquet first, with {reader}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_above_files() {
        let of = |files: &[&str]| folders(files.iter().copied()).into_iter().collect::<Vec<_>>();
        assert_eq!(of(&["a/b/x=1/y.parquet", "a/c.parquet"]), ["a", "a/b"]);
        assert_eq!(of(&["a/_delta_log/1.checkpoint.parquet"]), [] as [&str; 0]);
        assert_eq!(of(&["x.parquet"]), [] as [&str; 0]);
    }
}
