//! Records of sources that cannot be read: written as one table per source that skips them, and counted.

use std::path::{Path, PathBuf};

use datafusion::common::Result;
use datafusion::prelude::{SessionContext, col};
use limpid_connectors::sinks::{AtomicDir, Manifest};
use limpid_connectors::sources;

use super::error::{self, JobError};
use super::job::{Job, JobSource};
use super::sink::write_options;
use super::source::{Opened, leaves_records_out};

/// Folder of these tables in the work folder.
const FOLDER: &str = "rejects";

/// The folder of a source's rejected records.
pub fn folder(job: &Job, source: &JobSource) -> PathBuf {
    source.rejects.clone().unwrap_or_else(|| job.work.join(FOLDER).join(&source.name))
}

/// Number of rows in the table in `folder`, if it was written for these files.
pub async fn write(ctx: &SessionContext, job: &Job, sources: &[Opened]) -> error::Result<Vec<String>> {
    let mut told = Vec::new();
    for (source, opened) in job.sources.iter().zip(sources).filter(|(source, _)| leaves_records_out(&source.spec)) {
        let folder = folder(job, source);
        let rows = match current(&folder, &opened.fingerprint) {
            Some(rows) => rows,
            None => records(ctx, job, source, opened, &folder).await.map_err(|error| JobError::Statement {
                job: job.name.clone(),
                place: format!("source `{}`", source.name),
                sql: "the table of rejected records".to_owned(),
                source: error,
            })?,
        };
        let records = if rows == 1 { "1 record was".to_owned() } else { format!("{rows} records were") };
        if rows > 0 {
            told.push(format!("source `{}`: {records} rejected; see {}", source.name, folder.display()));
        }
    }
    Ok(told)
}

/// Rows of the table in `folder`, where it is that of these files.
fn current(folder: &Path, fingerprint: &str) -> Option<u64> {
    let manifest = Manifest::read(folder).ok().flatten()?;
    (manifest.extra.get("fingerprint")? == fingerprint).then_some(manifest.rows)
}

async fn records(ctx: &SessionContext, job: &Job, source: &JobSource, opened: &Opened, folder: &Path) -> Result<u64> {
    let mut spec = opened.spec.clone();
    spec.options.insert("rejects".to_owned(), "true".to_owned());
    spec.provenance = false;
    let table = sources::table(&ctx.state(), &spec).await?;
    let frame = ctx.read_table(table)?.sort_by(vec![col("file"), col("byte")])?;
    let extra = serde_json::json!({ "job": job.name, "source": source.name, "fingerprint": opened.fingerprint });
    let written = AtomicDir::new(folder).write(frame.execute_stream().await?, &write_options(ctx), extra).await?;
    Ok(written.rows)
}
