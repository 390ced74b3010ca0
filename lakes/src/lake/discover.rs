//! Finds tables and reads their footers, many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::DataType;
use datafusion::catalog::Session;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::execution::object_store::ObjectStoreUrl;
use futures::{StreamExt, TryStreamExt};
use limpid_connectors::sources::parquet::folders::agrees;
use limpid_connectors::sources::{Alias, Foreign, Listing, SourceSpec, foreign_roots, list};
use object_store::{ObjectMeta, ObjectStore};
use parquet::file::metadata::ParquetMetaData;

use super::delta::{Log, LogFile, Snapshot};
use super::footer::{self, Constant, FileColumns};
use super::grouping::{self, Group, KeyValues, Kind};
use super::links;
use super::reader::FileReader;
use super::shared::Shared;
use super::{File, Lake, Problem, Table};
use crate::options::{Layout, Names};

/// Tables whose footers are read at the same time.
const CONCURRENT: usize = 64;
/// Number of bytes at the end of a file in an object store that are fetched at once; almost every footer fits. For a local
/// file only the footer is read: a second read is free there, and most tables are no larger than this.
const TAIL: usize = 16 << 10;
/// Maximum number of bytes of footers kept for later scans. Beyond that, footers are read again.
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
    /// Length of the common prefix of all paths.
    pub prefix: usize,
    /// Last name of the prefix.
    pub prefix_name: String,
    /// Symbolic links that are other names of the files.
    pub links: Vec<Alias>,
    /// Folders of tables of other formats, with their whole paths.
    pub foreign: Vec<(String, Foreign)>,
}

impl Listed {
    /// The part of every path that names the prefix.
    pub fn root(&self) -> &str {
        self.files.first().map_or("", |file| &file.location.as_ref()[..self.prefix])
    }
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
    let foreign = foreign_roots(state, &parquet_only(&found)).await?;
    let fixed = url.split(wild).next().unwrap_or_default();
    let fixed = if fixed.len() == url.len() { fixed.trim_end_matches('/') } else { parent(fixed) };
    let (links, files) = (found.links, found.files.into_iter().map(|file| file.meta).collect::<Vec<ObjectMeta>>());
    let prefix = prefix(&files, fixed);
    let first = files.first().map(|file| file.location.as_ref()).unwrap_or_default();
    let prefix_name = first[..prefix].trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    let root = first[..prefix].trim_end_matches('/');
    if let Some((above, kind)) = foreign.iter().find(|(folder, _)| root.len() > folder.len() && is_in(root, folder)) {
        return exec_err!("/{root} is a part of the {kind} table /{above}: name the whole table");
    }
    let store = state.runtime_env().object_store(&found.store)?;
    Ok(Listed { url: found.store, store, files, prefix, prefix_name, links, foreign })
}

fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The Parquet files of a listing, one of each folder: enough to know what governs it.
fn parquet_only(found: &Listing) -> Listing {
    let mut folder = None;
    let mut files = vec![];
    for file in &found.files {
        let path = file.meta.location.as_ref();
        if grouping::is_parquet(path) && folder != Some(parent(path)) {
            folder = Some(parent(path));
            files.push(file.clone());
        }
    }
    Listing { store: found.store.clone(), files, links: vec![] }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Length of the part of the paths that names the prefix: up to the last names of `fixed` if all paths contain them there,
/// otherwise up to the deepest folder that contains all files.
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

/// Tables that were seen before.
pub trait KnownTables: Send + Sync {
    /// The table `name`, if these are its files and this its version, as they were.
    fn table(&self, name: &str, files: &[&ObjectMeta], version: Option<u64>) -> Option<Table>;
}

/// Groups the files into tables and reads their footers, except for tables that `known` has unchanged.
/// [`discover`](crate::discover) also notes what prevents tables from being set aside.
///
/// # Errors
/// Only internal ones: what cannot be read as a table is listed in [`Lake::problems`].
pub async fn find_tables(
    listed: Listed,
    layout: Layout,
    names: Names,
    known: Option<Arc<dyn KnownTables>>,
) -> Result<Lake> {
    let root = listed.root().to_owned();
    let Listed { url, store, files, prefix, prefix_name, links, foreign } = listed;
    let paths: Vec<&str> = files.iter().map(|file| &file.location.as_ref()[prefix..]).collect();
    let foreign: Vec<(String, Kind)> = foreign
        .into_iter()
        .map(|(folder, kind)| {
            let below = folder.get(prefix..).unwrap_or_default().to_owned();
            let kind = match kind {
                Foreign::Delta => Kind::Delta,
                Foreign::Iceberg => Kind::Iceberg,
                Foreign::Hudi => Kind::Hudi,
            };
            (below, kind)
        })
        .collect();
    let groups = grouping::group(&paths, &prefix_name, layout, &foreign);
    let bytes_read = Arc::new(AtomicU64::new(0));
    let kept = AtomicU64::new(0);
    let tail = (!is_local(&url)).then_some(TAIL);
    let log = groups.values().any(|group| group.kind == Kind::Delta).then(|| Arc::new(Log::new(&store)));
    let prefix_path = root.clone();
    let work =
        Arc::new(Work { store: Arc::clone(&store), url: url.clone(), root, files, log, tail, names, bytes_read, kept });
    let tasks = groups.into_iter().map(|(name, group)| {
        let (work, known) = (Arc::clone(&work), known.clone());
        SpawnedTask::spawn(async move {
            let (kind, count) = (group.kind, group.files.len());
            let bytes = group.files.iter().map(|(at, _)| work.files[*at].size).sum();
            let table = work.table(name.clone(), group, known.as_deref()).await;
            table.map_err(|e| Problem { table: name, kind, files: count, bytes, reason: plain(&e.to_string()) })
        })
    });
    let (mut tables, mut problems, mut shared) = (vec![], vec![], Shared::default());
    let mut found = futures::stream::iter(tasks)
        .map(|task| async move { task.join().await.map_err(|e| exec_datafusion_err!("{e}")) })
        .buffered(CONCURRENT);
    while let Some(table) = found.try_next().await? {
        match table {
            Ok(table) => tables.push(shared.table(table)),
            Err(problem) => problems.push(problem),
        }
    }
    drop(found);
    if is_local(&url) {
        links::note(&mut tables, &links, &prefix_path);
        problems.extend(links::problems(&links, &prefix_path));
        problems.sort_by(|a, b| a.table.cmp(&b.table));
    }
    let bytes_read = work.bytes_read.load(Ordering::Relaxed);
    Ok(Lake { store, url, tables, problems, bytes_read })
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

/// A file, what its footer says, and the columns that it does not hold itself.
struct Read {
    meta: ObjectMeta,
    footer: Arc<ParquetMetaData>,
    columns: FileColumns,
    constants: Vec<Constant>,
    deleted: Arc<[u64]>,
}

/// What finding tables shares.
struct Work {
    store: Arc<dyn ObjectStore>,
    url: ObjectStoreUrl,
    /// The path of the prefix.
    root: String,
    files: Vec<ObjectMeta>,
    /// Reads the logs of Delta tables, if there are any.
    log: Option<Arc<Log>>,
    tail: Option<usize>,
    names: Names,
    bytes_read: Arc<AtomicU64>,
    /// Bytes of footers kept.
    kept: AtomicU64,
}

impl Work {
    /// The table of a group of files.
    async fn table(&self, name: String, group: Group, known: Option<&dyn KnownTables>) -> Result<Table> {
        if group.kind == Kind::Iceberg {
            return exec_err!("an Iceberg table: only its metadata knows which files count");
        }
        if group.kind == Kind::Hudi {
            return exec_err!("a Hudi table: only its timeline knows which files count");
        }
        let snapshot = match &self.log {
            Some(log) if group.kind == Kind::Delta => {
                Some(log.snapshot(&self.url, &format!("{}{}", self.root, group.root)).await?)
            }
            _ => None,
        };
        let version = snapshot.as_ref().map(|snapshot| snapshot.version);
        let places = match &snapshot {
            Some(snapshot) => snapshot.files.iter().map(|file| self.listed(file)).collect::<Result<Vec<usize>>>()?,
            None => group.files.iter().map(|(place, _)| *place).collect(),
        };
        // Rows that do not count are not among what is known.
        let whole = snapshot.iter().flat_map(|snapshot| &snapshot.files).all(|file| file.deleted.is_empty());
        if let Some(known) = known.filter(|_| whole) {
            let files: Vec<&ObjectMeta> = places.iter().map(|&place| &self.files[place]).collect();
            if let Some(table) = known.table(&name, &files, version) {
                return Ok(table);
            }
        }
        let reads = places.into_iter().enumerate().map(|(at, place)| {
            let folders = group.files.get(at).map(|(_, folders)| folders).filter(|_| snapshot.is_none());
            self.read(place, folders, snapshot.as_ref().map(|snapshot| (snapshot, &snapshot.files[at])))
        });
        let parts: Vec<Read> = futures::stream::iter(reads).buffered(16).try_collect().await?;
        let all = snapshot.as_ref().map(Snapshot::columns);
        let folded: Vec<footer::Part<'_>> = all
            .iter()
            .map(|all| (all, &[] as &[Constant]))
            .chain(parts.iter().map(|part| (&part.columns, part.constants.as_slice())))
            .collect();
        let (columns, mut sources) = footer::fold(&folded, self.names)?;
        sources.drain(..usize::from(all.is_some()));
        if columns.is_empty() {
            return exec_err!("it has no columns");
        }
        let stays = match group.kind {
            Kind::Delta => {
                Some("it is a Delta table: its log names its files, so that none may go on its own".to_owned())
            }
            _ => parts.iter().find_map(|part| part.columns.stays.clone()),
        };
        let rows = parts.iter().map(|part| part.columns.rows).sum();
        let bytes = parts.iter().map(|part| part.meta.size).sum();
        let files = parts.into_iter().zip(sources).map(|(Read { meta, footer, deleted, .. }, sources)| {
            let size = footer.memory_size() as u64;
            let keep = self.kept.fetch_add(size, Ordering::Relaxed) + size <= KEPT;
            File { meta, footer: keep.then_some(footer), sources: sources.into(), deleted }
        });
        let (kind, files, columns) = (group.kind, files.collect(), Arc::new(columns));
        Ok(Table { name, kind, files, columns, rows, bytes, version, stays, held: None })
    }

    /// A file that a log names, as it was listed.
    fn listed(&self, file: &LogFile) -> Result<usize> {
        let at = self.files.binary_search_by(|meta| meta.location.as_ref().cmp(file.location.as_ref()));
        let name = file.location.filename().unwrap_or_default();
        match at.map(|at| (at, self.files[at].size)) {
            Ok((at, size)) if size == file.size => Ok(at),
            Ok((_, size)) => exec_err!("{name} has {size} bytes and its log says {}", file.size),
            Err(_) => exec_err!("{name}, which its log names, is not there"),
        }
    }

    /// Reads the footer of a file of a table.
    async fn read(
        &self,
        place: usize,
        folders: Option<&KeyValues>,
        log: Option<(&Snapshot, &LogFile)>,
    ) -> Result<Read> {
        let meta = &self.files[place];
        let footer =
            FileReader::new(&self.store, meta, None, &self.bytes_read).with_tail(self.tail).read_footer().await;
        let named = |e: &str| {
            exec_datafusion_err!("cannot read {}: {}", meta.location.filename().unwrap_or_default(), plain(e))
        };
        let footer = footer.map_err(|e| named(&e.to_string()))?;
        let mut columns = footer::read(&footer).map_err(|e| named(&e.to_string()))?;
        columns.file =
            meta.location.as_ref().strip_prefix(&self.root).unwrap_or_else(|| meta.location.as_ref()).to_owned();
        let (columns, constants, deleted) = match log {
            Some((snapshot, file)) => {
                (snapshot.of_file(file, columns)?, snapshot.constants(file)?, Arc::clone(&file.deleted))
            }
            None => {
                for (key, value) in folders.into_iter().flatten() {
                    self.agree(meta, &footer, &columns, (key, value.as_deref())).await?;
                }
                let constants = folders.into_iter().flatten().map(|(name, text)| Constant {
                    name: name.clone(),
                    text: text.clone(),
                    data_type: DataType::Utf8,
                });
                (columns, constants.collect(), Arc::default())
            }
        };
        Ok(Read { meta: meta.clone(), footer, columns, constants, deleted })
    }

    /// Checks that a column of a file says what the folder of that name does.
    async fn agree(
        &self,
        meta: &ObjectMeta,
        footer: &Arc<ParquetMetaData>,
        columns: &FileColumns,
        (key, value): (&str, Option<&str>),
    ) -> Result<()> {
        let key = footer::normal(key, self.names);
        let same = columns.columns.iter().find(|column| footer::normal(&column.leaf.name, self.names) == key);
        let Some(column) = same else { return Ok(()) };
        let reader = Box::new(FileReader::new(&self.store, meta, Some(footer), &self.bytes_read));
        let path = meta.location.as_ref().strip_prefix(&self.root).unwrap_or_else(|| meta.location.as_ref());
        agrees(reader, footer, (path, &column.leaf.name, value)).await
    }
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
