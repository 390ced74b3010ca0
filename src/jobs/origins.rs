//! Counts per source: how many rows came from it, which steps removed them, and how many are left.
//!
//! Steps are arbitrary SQL, so a row is traced by its key: it belongs to the source that has its key, whatever columns the
//! steps pass on. The keys of the sources are written to a small file once. Counting joins keys, which can spill, and never
//! texts.

use std::fs;
use std::path::{Path, PathBuf};

use arrow::datatypes::Schema;
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use parquet::basic::Compression;
use serde::{Deserialize, Serialize};

use super::error::{self, JobError};
use super::job::Job;
use super::manifest::{Manifest, read_json, write_json};
use super::plan::Plan;
use super::recipes::{literal, quote};
use super::tables::{register_folder, rows};
use super::writer::ParquetFile;
use crate::report::data::SourceReport;

/// Number of sources distinguished; rows of further ones are counted together.
const SOURCES: usize = 50;

/// Rows of further sources.
const OTHERS: &str = "(other sources)";
/// Rows whose key no source has.
const NONE: &str = "(no source)";
/// Rows whose key several sources have.
const SEVERAL: &str = "(several sources)";

/// What was counted, and of what.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Origins {
    fingerprint: String,
    /// One entry a source.
    pub sources: Vec<SourceReport>,
    /// Explanations if the table may not be what a user expects.
    pub warnings: Vec<String>,
}

impl Origins {
    /// What an earlier run counted for the same result.
    pub fn read(job: &Job, fingerprint: &str) -> Option<Self> {
        read_json::<Self>(&file(job)).filter(|origins| origins.fingerprint == fingerprint)
    }

    /// Counts the rows of each source in a finished job; returns nothing if there is only one source. The results of all
    /// steps must be registered.
    pub async fn count(
        ctx: &SessionContext,
        job: &Job,
        plan: &Plan,
        done: &[(Manifest, bool)],
        fingerprint: &str,
    ) -> error::Result<Self> {
        let mut origins = Self { fingerprint: fingerprint.to_owned(), ..Self::default() };
        let parts = keys(job, plan);
        let several = parts.len() > 1 || job.origin.is_some();
        if several && !parts.is_empty() {
            // The job has its result. If this table fails, that is worth a warning, not the loss of the result.
            match origins.fill(ctx, job, &parts, done).await {
                Ok(()) => {}
                Err(error) => origins.warnings.push(format!("rows were not counted by source: {error}")),
            }
        }
        write_json(&file(job), &origins)?;
        Ok(origins)
    }

    async fn fill(
        &mut self,
        ctx: &SessionContext,
        job: &Job,
        parts: &[String],
        done: &[(Manifest, bool)],
    ) -> error::Result<()> {
        let folder = job.work.join("keys");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(JobError::io("create", &folder))?;
        let counted = async {
            write_keys(ctx, &parts.join(" UNION ALL "), &folder.join("keys.parquet")).await?;
            register_folder(ctx, "__keys", &folder).await?;
            self.sources = came(ctx).await?;
            let steps = done.iter().map(|(manifest, _)| manifest.step.as_str()).collect::<Vec<_>>();
            self.follow(ctx, job, &steps).await
        };
        let counted: error::Result<()> = counted.await;
        ctx.deregister_table("__keys")?;
        fs::remove_dir_all(&folder).map_err(JobError::io("remove", &folder))?;
        counted
    }

    /// Counts by source what each step removed and what is left.
    async fn follow(&mut self, ctx: &SessionContext, job: &Job, steps: &[&str]) -> error::Result<()> {
        let id = quote(&job.id);
        let output = ctx.table_provider("output").await?.schema();
        let left =
            format!("SELECT -1 AS step, CAST({id} AS VARCHAR) AS id, {} AS bytes FROM output", bytes(job, &output));
        let gone = (0..steps.len()).map(|number| {
            format!(
                "SELECT {number} AS step, CAST({id} AS VARCHAR) AS id, CAST(0 AS BIGINT) AS bytes FROM __removed_{}",
                number + 1
            )
        });
        let all = gone.chain([left]).collect::<Vec<_>>().join(" UNION ALL ");
        let named = self.sources.iter().map(|source| literal(&source.name)).collect::<Vec<_>>().join(", ");
        let others = if named.is_empty() { "false".to_owned() } else { format!("o.origin IN ({named})") };
        let sql = format!(
            "SELECT CASE WHEN o.origin IS NULL THEN '{NONE}' WHEN {others} OR o.origin = '{SEVERAL}' THEN o.origin ELSE '{OTHERS}' END AS source,
               r.step, count(*), sum(r.bytes)
             FROM ({all}) AS r LEFT JOIN (
               SELECT id, CASE WHEN min(origin) = max(origin) THEN min(origin) ELSE '{SEVERAL}' END AS origin FROM __keys GROUP BY id
             ) AS o ON r.id = o.id
             GROUP BY 1, 2 ORDER BY 1, 2"
        );
        for row in rows(ctx, &sql).await? {
            let [Some(name), Some(step), count, bytes] = row.as_slice() else { continue };
            let (count, bytes) = (whole(count.as_ref()), whole(bytes.as_ref()));
            let at = self.sources.iter().position(|source| source.name == *name).unwrap_or_else(|| {
                self.sources.push(SourceReport { name: name.clone(), ..SourceReport::default() });
                self.sources.len() - 1
            });
            let source = &mut self.sources[at];
            match step.parse::<usize>().ok().and_then(|step| steps.get(step)) {
                Some(step) => source.removed.push(((*step).to_owned(), count)),
                None => (source.rows_out, source.bytes_out) = (count, bytes),
            }
        }
        if let Some(lost) = self.sources.iter().find(|source| source.name == NONE) {
            let rows = lost.rows_out + lost.removed.iter().map(|(_, rows)| rows).sum::<u64>();
            let first = lost
                .removed
                .first()
                .map_or_else(String::new, |(step, _)| format!(", the first that went in step `{step}`"));
            self.warnings.push(format!(
                "{rows} rows have a `{}` that no source has{first}: a step made new keys, so their source is not known",
                job.id
            ));
        }
        Ok(())
    }
}

fn file(job: &Job) -> PathBuf {
    job.work.join(".sources.json")
}

/// For each source that is traced, a query for its keys, origins and bytes. Sources without the key, or without the text if
/// the first one has it, are taken for lookup tables.
fn keys(job: &Job, plan: &Plan) -> Vec<String> {
    let id = quote(&job.id);
    let has = |schema: &Schema, name: &str| schema.field_with_name(name).is_ok();
    let first = plan.sources.first().map(|opened| opened.provider().schema());
    let text = job.text.as_deref().filter(|text| first.as_ref().is_some_and(|schema| has(schema, text)));
    let parts = job.sources.iter().zip(&plan.sources).filter_map(|(source, opened)| {
        let schema = opened.provider().schema();
        let read = plan.steps.iter().any(|step| step.reads.contains(&source.name));
        if !read || !has(&schema, &job.id) || text.is_some_and(|text| !has(&schema, text)) {
            return None;
        }
        let named = job.origin.as_deref().filter(|origin| has(&schema, origin));
        let name = literal(&source.name);
        let origin = named
            .map_or_else(|| name.clone(), |origin| format!("coalesce(CAST({} AS VARCHAR), {name})", quote(origin)));
        let table = quote(&source.name);
        Some(format!(
            "SELECT CAST({id} AS VARCHAR) AS id, {origin} AS origin, {} AS bytes FROM {table}",
            bytes(job, &schema)
        ))
    });
    parts.collect()
}

/// Bytes of the text of a row of `schema`, in SQL.
fn bytes(job: &Job, schema: &Schema) -> String {
    match job
        .text
        .as_deref()
        .filter(|text| schema.field_with_name(text).is_ok_and(|field| field.data_type().is_string()))
    {
        Some(text) => format!("CAST(coalesce(octet_length({}), 0) AS BIGINT)", quote(text)),
        None => "CAST(0 AS BIGINT)".to_owned(),
    }
}

async fn write_keys(ctx: &SessionContext, sql: &str, path: &Path) -> error::Result<()> {
    let mut stream = ctx.sql(sql).await?.execute_stream().await?;
    let mut file = ParquetFile::new(path.to_owned(), stream.schema(), None, Compression::LZ4_RAW);
    file.open()?;
    while let Some(batch) = stream.next().await {
        file.write(&batch?)?;
    }
    file.finish().map(drop)
}

/// The largest sources with what came from them, and the others as one.
async fn came(ctx: &SessionContext) -> Result<Vec<SourceReport>> {
    let source = |name: String, rows: u64, bytes: u64| SourceReport {
        name,
        rows_in: rows,
        bytes_in: bytes,
        ..SourceReport::default()
    };
    let sql =
        format!("SELECT origin, count(*), sum(bytes) FROM __keys GROUP BY origin ORDER BY 2 DESC, 1 LIMIT {SOURCES}");
    let mut sources = Vec::new();
    for row in rows(ctx, &sql).await? {
        if let [Some(name), count, bytes] = row.as_slice() {
            sources.push(source(name.clone(), whole(count.as_ref()), whole(bytes.as_ref())));
        }
    }
    let all = rows(ctx, "SELECT count(*), sum(bytes) FROM __keys").await?;
    if let Some([count, bytes]) = all.first().map(Vec::as_slice) {
        let rows = whole(count.as_ref()) - sources.iter().map(|source| source.rows_in).sum::<u64>();
        let bytes = whole(bytes.as_ref()) - sources.iter().map(|source| source.bytes_in).sum::<u64>();
        if rows > 0 {
            sources.push(source(OTHERS.to_owned(), rows, bytes));
        }
    }
    Ok(sources)
}

fn whole(text: Option<&String>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}
