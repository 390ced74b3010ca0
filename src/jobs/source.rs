//! Sources: files that become tables, and a fingerprint that tells whether they changed.
//!
//! A file counts as changed if its path, size or modification time differs or, in a local Unix file system, its inode or
//! status change time. Tools can reset the modification time (`cp -p`, `rsync -t`, `touch -r`) but not the status change
//! time, so an edit that preserves size and modification time is detected without reading the file. Changes of metadata only
//! (`chmod`, a restored backup) make a step run again needlessly, but never make it use an old result.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use limpid_connectors::sources::{self, FORMATS, FilesTable, Format, SourceFile, SourceSpec};

use super::hash::digest;

/// The formats that a source may have, each by its first name.
pub fn formats() -> Vec<&'static str> {
    FORMATS.all().filter_map(|format| format.info().words.first().copied()).collect()
}

/// All names of formats, the first ones before the others.
pub fn format_words() -> Vec<&'static str> {
    let others = FORMATS.all().flat_map(|format| format.info().words.iter().skip(1).copied());
    formats().into_iter().chain(others).collect()
}

/// Whether unreadable records of a source are skipped or partly NULL, rather than being errors.
pub fn leaves_records_out(spec: &SourceSpec) -> bool {
    spec.options.iter().any(|(key, value)| {
        let key = key.to_ascii_lowercase();
        match key.strip_prefix("format.").unwrap_or(&key) {
            "on_error" => !value.eq_ignore_ascii_case("fail"),
            "ignore_errors" => value.eq_ignore_ascii_case("true"),
            _ => false,
        }
    })
}

/// A source and its files as they were when it was opened.
#[derive(Debug, Clone)]
pub struct Opened {
    /// What was asked for.
    pub spec: SourceSpec,
    /// The table; it reads exactly the files that were found.
    pub table: Arc<FilesTable>,
    /// Hash of the specification and of the states of the files.
    pub fingerprint: String,
    /// The state of each file, by its location.
    states: BTreeMap<String, String>,
}

impl Opened {
    /// The files that `table` found.
    pub fn of(table: Arc<FilesTable>) -> Self {
        let spec = table.parts().spec.clone();
        let states = states(table.files());
        // The patterns that found the files do not matter, but the way they are read does.
        let mut parts = vec![format!("{:?} {:?} {:?}", spec.format, spec.options, spec.partitions)];
        parts.extend(spec.provenance.then(|| "provenance".to_owned()));
        parts.extend(states.iter().flat_map(|(location, state)| [location.clone(), state.clone()]));
        let fingerprint = digest(parts.iter().map(String::as_str));
        Self { spec, table, fingerprint, states }
    }

    /// The table, for the engine.
    pub fn provider(&self) -> Arc<dyn TableProvider> {
        Arc::clone(&self.table) as _
    }

    /// What the user calls it: its paths.
    pub fn paths(&self) -> String {
        format!("'{}'", self.spec.paths.join("', '"))
    }

    /// Number of files.
    pub fn files(&self) -> u64 {
        self.table.files().len() as u64
    }

    /// The format of the files.
    pub fn format(&self) -> Format {
        self.table.parts().kind.format
    }

    /// A description of what happened to the files since they were found, if something did: `x.jsonl was changed`.
    pub async fn change(&self, ctx: &SessionContext) -> Option<String> {
        let now = match sources::list(&ctx.state(), &self.spec).await {
            Ok(now) => states(&now.files),
            Err(error) => return Some(format!("it can no longer be listed: {}", super::error::words(&error))),
        };
        let path = |location: &str| if location.contains("://") { location.to_owned() } else { format!("/{location}") };
        let gone = |(location, state): (&String, &String)| match now.get(location) {
            None => Some(format!("{} is gone", path(location))),
            Some(now) if now != state => Some(format!("{} was changed", path(location))),
            Some(_) => None,
        };
        let new = now.keys().find(|location| !self.states.contains_key(*location));
        self.states.iter().find_map(gone).or_else(|| new.map(|location| format!("{} is new", path(location))))
    }
}

/// Finds the files of `spec` and reads their columns.
pub async fn open(ctx: &SessionContext, spec: &SourceSpec) -> Result<Opened> {
    Ok(Opened::of(sources::table(&ctx.state(), spec).await?))
}

fn states(files: &[SourceFile]) -> BTreeMap<String, String> {
    let state = |file: &SourceFile| {
        let meta = &file.meta;
        let noted = noted(meta.location.as_ref());
        (meta.location.to_string(), format!("{} {:?} {:?} {noted}", meta.size, meta.last_modified, meta.e_tag))
    };
    files.iter().map(state).collect()
}

/// Inode and status change time of a local file; empty if there is none.
#[cfg(unix)]
fn noted(location: &str) -> String {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(format!("/{location}"));
    found.map(|file| format!("{} {}.{}", file.ino(), file.ctime(), file.ctime_nsec())).unwrap_or_default()
}

#[cfg(not(unix))]
fn noted(_: &str) -> String {
    String::new()
}
