//! Finds tables and reads their footers, many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::catalog::Session;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::execution::object_store::ObjectStoreUrl;
use futures::{StreamExt, TryStreamExt};
use limpid_connectors::url_table::{SourceSpec, list};
use object_store::{ObjectMeta, ObjectStore};
use parquet::file::metadata::ParquetMetaData;

use super::footer::{self, FileColumns};
use super::grouping::{self, Group, Kind};
use super::reader::FileReader;
use super::{File, Lake, Problem, Table};
use crate::options::{Layout, Names};
use crate::state::{Known, identity};

/// Tables whose footers are read at the same time.
const CONCURRENT: usize = 64;
/// Bytes at the end of a file in an object store that are fetched at once: almost every footer fits. Of a local file just the
/// footer is read: a second read costs nothing there, and most tables are no larger than this.
const TAIL: usize = 16 << 10;
/// Bytes of footers kept for the scans that may follow; beyond it they are read again.
const KEPT: u64 = 128 << 20;

/// The files below a prefix, before they are opened.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Store of the files.
    pub url: ObjectStoreUrl,
    /// The store itself.
    pub store: Arc<dyn ObjectStore>,
    /// The files, by path.
    pub files: Vec<ObjectMeta>,
    /// Length of the part of every path that names the prefix.
    pub prefix: usize,
    /// Last name of the prefix.
    pub prefix_name: String,
}

/// Lists the files below `url`: a folder, a file or a glob.
///
/// # Errors
/// Nothing is there, or it cannot be listed.
pub async fn list_files(state: &dyn Session, url: &str) -> Result<Listed> {
    let wild = |c: char| matches!(c, '*' | '?' | '[' | '{');
    let found = if url.contains(wild) {
        list(state, &SourceSpec::new(url)).await?
    } else {
        // Names that begin with `_` say what a folder is; only a wildcard shows them.
        match list(state, &SourceSpec::new(format!("{}/**/*", url.trim_end_matches('/')))).await {
            Ok(found) => found,
            Err(_) => list(state, &SourceSpec::new(url)).await?,
        }
    };
    let fixed = url.split(wild).next().unwrap_or_default();
    let fixed = if fixed.len() == url.len() { fixed.trim_end_matches('/') } else { parent(fixed) };
    let files: Vec<ObjectMeta> = found.files.into_iter().map(|file| file.meta).collect();
    let prefix = prefix(&files, fixed);
    let first = files.first().map(|file| file.location.as_ref()).unwrap_or_default();
    let prefix_name = first[..prefix].trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    let store = state.runtime_env().object_store(&found.store)?;
    Ok(Listed { url: found.store, store, files, prefix, prefix_name })
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// How much of the paths names the prefix: where the last names of `fixed` end in all of them, else the folder that holds
/// them all.
fn prefix(files: &[ObjectMeta], fixed: &str) -> usize {
    let Some(first) = files.first().map(|file| file.location.as_ref()) else { return 0 };
    let common = files.iter().skip(1).fold(parent(first), |common, file| {
        let path = parent(file.location.as_ref());
        let same =
            common.split('/').zip(path.split('/')).take_while(|(a, b)| a == b).map(|(a, _)| a.len() + 1).sum::<usize>();
        &common[..same.saturating_sub(1).min(common.len())]
    });
    let names: Vec<&str> = fixed
        .split('/')
        .rev()
        .take_while(|name| !matches!(*name, "." | ".." | "~" | ""))
        .filter(|name| !name.contains(':'))
        .collect();
    // The longest folder above all files that ends like the prefix that was written.
    let mut folder = common;
    while !folder.is_empty() {
        let here: Vec<&str> = folder.split('/').rev().take(names.len()).collect();
        if !names.is_empty() && here == names {
            return folder.len() + 1;
        }
        folder = parent(folder);
    }
    if common.is_empty() { 0 } else { common.len() + 1 }
}

/// Groups the files into tables and reads their footers.
///
/// # Errors
/// Only those of the machinery: what cannot be read as a table is among [`Lake::problems`].
pub async fn discover(listed: Listed, layout: Layout, names: Names) -> Result<Lake> {
    discover_anew(listed, layout, names, None).await
}

/// The same, without reading the footers of tables that `known` has as they are.
///
/// # Errors
/// As [`discover`].
pub async fn discover_anew(listed: Listed, layout: Layout, names: Names, known: Option<&Arc<Known>>) -> Result<Lake> {
    let Listed { url, store, files, prefix, prefix_name } = listed;
    let paths: Vec<&str> = files.iter().map(|file| &file.location.as_ref()[prefix..]).collect();
    let groups = grouping::group(&paths, &prefix_name, layout);
    let bytes_read = Arc::new(AtomicU64::new(0));
    let kept = Arc::new(AtomicU64::new(0));
    let tail = (!is_local(&url)).then_some(TAIL);
    let files: Arc<Vec<ObjectMeta>> = Arc::new(files.clone());
    let tasks = groups.into_iter().map(|(name, group)| {
        let (store, files) = (Arc::clone(&store), Arc::clone(&files));
        let (bytes_read, kept, known) = (Arc::clone(&bytes_read), Arc::clone(&kept), known.map(Arc::clone));
        SpawnedTask::spawn(async move {
            let (kind, count) = (group.kind, group.files.len());
            let bytes = group.files.iter().map(|(at, _)| files[*at].size).sum();
            let before = known.as_ref().and_then(|known| known.tables.get(&name)).filter(|_| !kind.is_foreign());
            if let Some(before) = before {
                let metas: Vec<ObjectMeta> = group.files.iter().map(|(at, _)| files[*at].clone()).collect();
                let same = before.identity == identity(metas.iter());
                if let Some(table) = same.then(|| before.table(name.clone(), metas)).flatten() {
                    return Ok(table);
                }
            }
            let table = read_table(name.clone(), group, &files, (&store, tail), names, &bytes_read, &kept).await;
            table.map_err(|e| Problem { table: name, kind, files: count, bytes, reason: plain(&e.to_string()) })
        })
    });
    let (mut tables, mut problems) = (vec![], vec![]);
    let mut found = futures::stream::iter(tasks)
        .map(|task| async move { task.join().await.map_err(|e| exec_datafusion_err!("{e}")) })
        .buffered(CONCURRENT);
    while let Some(table) = found.try_next().await? {
        match table {
            Ok(table) => tables.push(table),
            Err(problem) => problems.push(problem),
        }
    }
    drop(found);
    Ok(Lake { store, url, tables, problems, bytes_read: bytes_read.load(Ordering::Relaxed) })
}

/// Whether the files are of this machine.
pub fn is_local(url: &ObjectStoreUrl) -> bool {
    url.as_str().starts_with("file:")
}

/// An error without the names of layers.
pub(crate) fn plain(error: &str) -> String {
    let mut text = error.split("\n\nbacktrace:").next().unwrap_or(error).to_owned();
    for prefix in ["Execution error: ", "Arrow error: ", "External error: ", "External: ", "Parquet error: "] {
        text = text.replace(prefix, "");
    }
    text.replace('\n', " ")
}

async fn read_table(
    name: String,
    group: Group,
    metas: &[ObjectMeta],
    (store, tail): (&Arc<dyn ObjectStore>, Option<usize>),
    names: Names,
    bytes_read: &Arc<AtomicU64>,
    kept: &AtomicU64,
) -> Result<Table> {
    match group.kind {
        Kind::Delta => return exec_err!("a Delta table: only its log knows which files count"),
        Kind::Iceberg => return exec_err!("an Iceberg table: only its metadata knows which files count"),
        Kind::File | Kind::Folder | Kind::Hive => {}
    }
    let reads = group.files.into_iter().map(|(at, partitions)| {
        let meta = metas[at].clone();
        async move {
            let footer = FileReader::new(store, &meta, None, bytes_read).with_tail(tail).read_footer().await;
            let named = |e: &str| {
                exec_datafusion_err!("cannot read {}: {}", meta.location.filename().unwrap_or_default(), plain(e))
            };
            let footer = footer.map_err(|e| named(&e.to_string()))?;
            let columns = footer::read(&footer).map_err(|e| named(&e.to_string()))?;
            Ok::<_, datafusion::common::DataFusionError>((meta, footer, partitions, columns))
        }
    });
    let parts: Vec<(ObjectMeta, Arc<ParquetMetaData>, _, FileColumns)> =
        futures::stream::iter(reads).buffered(16).try_collect().await?;
    let folded: Vec<footer::Part<'_>> =
        parts.iter().map(|(_, _, partitions, columns): &(_, _, Vec<_>, _)| (columns, partitions.as_slice())).collect();
    let (columns, sources) = footer::fold(&folded, names)?;
    if columns.is_empty() {
        return exec_err!("it has no columns");
    }
    let rows = parts.iter().map(|(.., columns)| columns.rows).sum();
    let bytes = parts.iter().map(|(meta, ..)| meta.size).sum();
    let files = parts.into_iter().zip(sources).map(|((meta, footer, ..), sources)| {
        let size = footer.memory_size() as u64;
        let keep = kept.fetch_add(size, Ordering::Relaxed) + size <= KEPT;
        File { meta, footer: keep.then_some(footer), sources }
    });
    Ok(Table { name, kind: group.kind, files: files.collect(), columns, rows, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> Vec<ObjectMeta> {
        let meta = |path: &&str| ObjectMeta {
            location: object_store::path::Path::from(*path),
            last_modified: std::time::SystemTime::UNIX_EPOCH.into(),
            size: 1,
            e_tag: None,
            version: None,
        };
        paths.iter().map(meta).collect()
    }

    #[test]
    fn what_names_the_prefix() {
        let two = files(&["data/lake/a/x.parquet", "data/lake/b/y.parquet"]);
        assert_eq!(prefix(&two, "/data/lake"), "data/lake/".len());
        assert_eq!(prefix(&two, "data"), "data/".len());
        assert_eq!(prefix(&two, "../lake"), "data/lake/".len());
        let one = files(&["data/lake/a/x.parquet"]);
        assert_eq!(prefix(&one, "/data/lake"), "data/lake/".len());
        assert_eq!(prefix(&one, "s3://data/lake"), "data/lake/".len());
        assert_eq!(prefix(&one, "."), "data/lake/a/".len());
        assert_eq!(prefix(&one, "/data/lake/a/x.parquet"), "data/lake/a/".len());
        assert_eq!(prefix(&files(&["x.parquet"]), ""), 0);
    }
}
