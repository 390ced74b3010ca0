//! Finds the files of a source.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use datafusion::catalog::Session;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::execution::object_store::ObjectStoreUrl;
use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStoreExt};
use walkdir::WalkDir;

use super::key_value::key_value;
use super::links::{Alias, once};
use super::pattern::{Base, Exclude, Glob, Pattern};
use super::place::display_path;
use super::spec::SourceSpec;

/// The file in which a sink describes its folder; it is not part of the table.
pub const MANIFEST: &str = "_manifest.json";

/// The files of a source, sorted by path, each once.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The store of all files.
    pub store: ObjectStoreUrl,
    /// The files.
    pub files: Vec<SourceFile>,
    /// Other names of these files: symbolic links that are not read a second time.
    pub links: Vec<Alias>,
}

/// A file that was found.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Location, size and modification time.
    pub meta: ObjectMeta,
    /// The `key=value` folders below the fixed part of the pattern, outermost first. A value is `None` if the folder stands
    /// for NULL.
    pub partitions: Vec<(String, Option<String>)>,
}

impl SourceFile {
    fn new(meta: ObjectMeta, base: &str) -> Self {
        let relative = meta.location.as_ref().strip_prefix(base).unwrap_or_default();
        let folders = relative.rsplit_once('/').map_or("", |(folders, _)| folders);
        let partitions =
            if folders.contains('=') { folders.split('/').filter_map(key_value).collect() } else { Vec::new() };
        Self { meta, partitions }
    }

    /// Value of the folder `name=value`; `None` if there is no such folder, `Some(None)` if it stands for NULL.
    pub fn partition(&self, name: &str) -> Option<Option<&str>> {
        self.partitions.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_deref())
    }
}

/// Lists the files of `spec`.
///
/// # Errors
/// A pattern is malformed or matches nothing; patterns lie in different stores; a store is not registered; a folder cannot be
/// read (unless the option `skip_unreadable` is `true`).
pub async fn list(state: &dyn Session, spec: &SourceSpec) -> Result<Listing> {
    if spec.paths.is_empty() {
        return plan_err!("a source needs at least one path");
    }
    let exclude = Exclude::parse(&spec.exclude)?;
    let skip_unreadable = spec.options.iter().any(|(key, value)| {
        key.trim_start_matches("format.") == "skip_unreadable" && value.eq_ignore_ascii_case("true")
    });
    let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let mut found = Found { exclude, skip_unreadable, files: Vec::new(), excluded: 0, dropped: 0, linked: false };
    let mut store: Option<ObjectStoreUrl> = None;
    for text in &spec.paths {
        let before = (found.files.len(), found.excluded);
        let mut searched = BTreeSet::new();
        for pattern in Pattern::parse(text, &folder)? {
            searched.insert(pattern.base.to_string());
            let here = pattern.base.store();
            if let Some(other) = store.as_ref().filter(|other| **other != here) {
                return plan_err!(
                    "one source cannot span two stores: '{text}' is in {here}, a path before it in {other}"
                );
            }
            found = match pattern.base {
                Base::Local(base) => SpawnedTask::spawn_blocking(move || found.walk(&base, pattern.glob.as_ref()))
                    .await
                    .map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))??,
                Base::Remote { ref prefix, .. } => found.list(state, &here, prefix, pattern.glob.as_ref()).await?,
            };
            store = Some(here);
        }
        if found.files.len() == before.0 {
            return nothing_found(text, &searched, found.excluded - before.1);
        }
    }
    if found.dropped > 0 {
        log::warn!("{} entries were left out: broken links, or names that are not valid UTF-8", found.dropped);
    }
    let mut files = found.files;
    files.sort_unstable_by(|a, b| a.meta.location.as_ref().cmp(b.meta.location.as_ref()));
    files.dedup_by(|a, b| a.meta.location == b.meta.location);
    let links = if found.linked { once(&mut files) } else { Vec::new() };
    Ok(Listing { store: store.unwrap_or_else(ObjectStoreUrl::local_filesystem), files, links })
}

fn nothing_found<T>(text: &str, searched: &BTreeSet<String>, excluded: usize) -> Result<T> {
    let searched: Vec<&str> = searched.iter().map(String::as_str).collect();
    let searched = searched.join(", ");
    if excluded > 0 {
        return plan_err!("no file is left of '{text}': exclude takes out all {excluded} matches below {searched}");
    }
    plan_err!("no file matches '{text}' (searched: {searched})")
}

impl Base {
    fn store(&self) -> ObjectStoreUrl {
        match self {
            Self::Local(_) => ObjectStoreUrl::local_filesystem(),
            Self::Remote { store, .. } => store.clone(),
        }
    }
}

impl std::fmt::Display for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(path) if path.exists() => write!(f, "{}", path.display()),
            Self::Local(path) => write!(f, "{}, which does not exist", path.display()),
            Self::Remote { store, prefix } => f.write_str(&display_path(store, prefix)),
        }
    }
}

/// What was found so far.
struct Found {
    exclude: Exclude,
    skip_unreadable: bool,
    files: Vec<SourceFile>,
    /// Number of matches removed by `exclude`.
    excluded: usize,
    /// Number of entries that cannot be files of a table.
    dropped: usize,
    /// Whether a symbolic link was followed.
    linked: bool,
}

impl Found {
    /// Adds the local files below `base`, or `base` itself.
    fn walk(mut self, base: &Path, glob: Option<&Glob>) -> Result<Self> {
        let Some(root) = base.to_str() else { return plan_err!("{} is not valid UTF-8", base.display()) };
        let metadata = match std::fs::metadata(base) {
            Ok(metadata) => metadata,
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(self),
            Err(e) => return exec_err!("cannot read {root}: {e}"),
        };
        let below = root.trim_start_matches('/');
        if !metadata.is_dir() {
            if glob.is_none() && metadata.is_file() {
                let parent = below.rsplit_once('/').map_or("", |(parent, _)| parent);
                self.add_local(base, &metadata, parent);
            }
            return Ok(self);
        }
        let hidden = |name: &str| match glob {
            // A manifest is never data, however it was matched.
            Some(glob) => name == MANIFEST || !glob.hidden && name.starts_with('.'),
            None => name.starts_with(['.', '_']),
        };
        let depth = glob.and_then(|glob| glob.depth).unwrap_or(usize::MAX);
        let mut entries = WalkDir::new(base).follow_links(true).min_depth(1).max_depth(depth).into_iter();
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(e) => {
                    self.walk_error(&e)?;
                    continue;
                }
            };
            self.linked |= entry.path_is_symlink();
            let kind = entry.file_type();
            let name = entry.file_name().to_str();
            if name.is_none_or(&hidden) {
                self.dropped += usize::from(name.is_none());
                if kind.is_dir() {
                    entries.skip_current_dir();
                }
                continue;
            }
            if kind.is_dir() {
                if entry.path().to_str().is_some_and(|path| self.exclude.matches(path)) {
                    self.excluded += 1;
                    entries.skip_current_dir();
                }
                continue;
            }
            let path = entry.path();
            let relative = path.strip_prefix(base).ok().and_then(Path::to_str).unwrap_or_default();
            if !kind.is_file() || !glob.is_none_or(|glob| glob.matches(relative)) {
                continue;
            }
            match entry.metadata() {
                Ok(metadata) => self.add_local(path, &metadata, below),
                Err(e) => self.walk_error(&e)?,
            }
        }
        Ok(self)
    }

    fn add_local(&mut self, path: &Path, metadata: &std::fs::Metadata, base: &str) {
        // Object store paths cannot contain control characters.
        let Some((path, location)) = path.to_str().and_then(|path| Some((path, ObjectPath::parse(path).ok()?))) else {
            self.dropped += 1;
            return;
        };
        if self.exclude.matches(path) {
            self.excluded += 1;
            return;
        }
        let last_modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH).into();
        let meta = ObjectMeta { location, last_modified, size: metadata.len(), e_tag: None, version: None };
        self.files.push(SourceFile::new(meta, base));
    }

    fn walk_error(&mut self, error: &walkdir::Error) -> Result<()> {
        let path = error.path().unwrap_or_else(|| Path::new("?")).display();
        if let Some(ancestor) = error.loop_ancestor() {
            log::warn!("{path} is a link back to {}: it is not followed", ancestor.display());
            return Ok(());
        }
        let gone = error.io_error().is_some_and(|e| e.kind() == ErrorKind::NotFound);
        if gone || self.skip_unreadable {
            log::debug!("left out: {error}");
            self.dropped += 1;
            return Ok(());
        }
        exec_err!("cannot read {path}: {}", error.io_error().map_or_else(|| error.to_string(), ToString::to_string))
    }

    /// Adds the objects below `prefix`, or the one that `prefix` names.
    async fn list(
        mut self,
        state: &dyn Session,
        url: &ObjectStoreUrl,
        prefix: &ObjectPath,
        glob: Option<&Glob>,
    ) -> Result<Self> {
        let store = state
            .runtime_env()
            .object_store(url)
            .map_err(|_| exec_datafusion_err!("no object store is registered for {url}"))?;
        if glob.is_none() && !prefix.as_ref().is_empty() {
            match store.head(prefix).await {
                Ok(meta) => {
                    let parent = prefix.as_ref().rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
                    self.add_remote(url, meta, &parent);
                    return Ok(self);
                }
                Err(object_store::Error::NotFound { .. }) => {}
                Err(e) => return exec_err!("cannot read {}: {e}", display_path(url, prefix)),
            }
        }
        let mut objects = store.list(Some(prefix));
        let unreadable = |e| exec_datafusion_err!("cannot list {}: {e}", display_path(url, prefix));
        while let Some(meta) = objects.try_next().await.map_err(unreadable)? {
            let relative = meta.location.as_ref().strip_prefix(prefix.as_ref()).unwrap_or_default();
            let relative = relative.trim_start_matches('/');
            let wanted = match glob {
                Some(glob) => glob.matches(relative),
                None => !relative.split('/').any(|name| name.starts_with(['.', '_'])),
            };
            if wanted && !relative.is_empty() {
                self.add_remote(url, meta, prefix.as_ref());
            }
        }
        Ok(self)
    }

    fn add_remote(&mut self, url: &ObjectStoreUrl, meta: ObjectMeta, base: &str) {
        if self.exclude.matches(&display_path(url, &meta.location)) {
            self.excluded += 1;
        } else {
            self.files.push(SourceFile::new(meta, base));
        }
    }
}
