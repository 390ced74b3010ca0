//! Sources: files that become tables, and the fingerprint that tells whether they changed.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use limpid_connectors::url_table::{self, FilesTable, Format, SourceFile, SourceSpec};

use super::hash::digest;

/// Formats a source may have.
pub const FORMATS: [&str; 5] = ["parquet", "json", "csv", "tsv", "text"];

/// A source and its files as they were when it was opened.
#[derive(Debug, Clone)]
pub struct Opened {
    /// What was asked for.
    pub spec: SourceSpec,
    /// The table; it reads exactly the files that were found.
    pub table: Arc<FilesTable>,
    /// Hash of the specification and of the paths, sizes and times of change of the files.
    pub fingerprint: String,
}

impl Opened {
    /// The table, for the engine.
    pub fn provider(&self) -> Arc<dyn TableProvider> {
        Arc::clone(&self.table) as _
    }

    /// Number of files.
    pub fn files(&self) -> u64 {
        self.table.files().len() as u64
    }

    /// The format of the files.
    pub fn format(&self) -> Format {
        self.table.parts().kind.format
    }

    /// Whether the files are no longer those that were found.
    pub async fn has_changed(&self, ctx: &SessionContext) -> bool {
        let now = url_table::list(&ctx.state(), &self.spec).await;
        now.map_or(true, |now| fingerprint(&self.spec, &now.files) != self.fingerprint)
    }
}

/// Finds the files of `spec` and reads their columns.
pub async fn open(ctx: &SessionContext, spec: &SourceSpec) -> Result<Opened> {
    let table = url_table::table(&ctx.state(), spec).await?;
    let fingerprint = fingerprint(spec, table.files());
    Ok(Opened { spec: spec.clone(), table, fingerprint })
}

fn fingerprint(spec: &SourceSpec, files: &[SourceFile]) -> String {
    // Which patterns found the files does not matter, how they are read does.
    let mut parts = vec![format!("{:?} {:?} {:?}", spec.format, spec.options, spec.partitions)];
    parts.extend(files.iter().map(|file| {
        let meta = &file.meta;
        format!("{} {} {:?} {:?}", meta.location, meta.size, meta.last_modified, meta.e_tag)
    }));
    digest(parts.iter().map(String::as_str))
}
