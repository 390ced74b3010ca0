//! Checks: queries that must return no row before the sink is written.

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use super::error::{self, JobError};
use super::job::Job;
use super::tables::query;
use crate::report::data::CheckReport;

/// Rows of a failed check that are shown.
const SHOWN: usize = 5;

/// Runs every check. The error shows the first rows of each one that failed.
pub async fn run(ctx: &SessionContext, job: &Job) -> error::Result<Vec<CheckReport>> {
    let mut reports = Vec::new();
    let mut failed = Vec::new();
    for check in &job.checks {
        let (rows, shown) = first_rows(ctx, &check.sql).await.map_err(|source| JobError::Statement {
            job: job.name.clone(),
            place: format!("check `{}`", check.name),
            sql: check.sql.clone(),
            source,
        })?;
        if rows > 0 {
            failed.push(format!(
                "check `{}` returned {rows} row(s), first {}:\n{shown}",
                check.name,
                SHOWN.min(rows as usize)
            ));
        }
        reports.push(CheckReport { name: check.name.clone(), rows });
    }
    if failed.is_empty() {
        return Ok(reports);
    }
    Err(JobError::Checks { job: job.name.clone(), failed: failed.join("\n") })
}

/// The number of rows of `sql` and its first ones as a table.
async fn first_rows(ctx: &SessionContext, sql: &str) -> Result<(u64, String)> {
    let mut stream = query(ctx, sql).await?.execute_stream().await?;
    let mut rows = 0;
    let mut shown: Vec<RecordBatch> = Vec::new();
    while let Some(batch) = stream.try_next().await? {
        let missing = SHOWN.saturating_sub(rows).min(batch.num_rows());
        if missing > 0 {
            shown.push(batch.slice(0, missing));
        }
        rows += batch.num_rows();
    }
    let table = pretty_format_batches(&shown).map_err(|error| exec_datafusion_err!("{error}"))?;
    Ok((rows as u64, table.to_string()))
}
