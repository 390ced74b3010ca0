//! Computes steps: runs their queries, writes each row once to the kept or the removed rows, and counts them.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use datafusion::common::runtime::JoinSet;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, execute_stream, execute_stream_partitioned};
use datafusion::prelude::SessionContext;
use futures::{StreamExt, TryStreamExt};
use limpid_udfs::config::LimpidOptions;
use parquet::basic::Compression;

use super::counts::Counts;
use super::error::{self, JobError};
use super::manifest::{LAYOUT, Manifest};
use super::output::{Output, PartitionWriter, Rows};
use super::own_time::measure;
use super::progress::StepBar;
use super::recipes::quote;
use super::split::Columns;
use super::tables::{query, register_folder};
use super::tap::{FirstError, Tap};
use super::writer::{ParquetFile, ROW_GROUP_BYTES};
use super::{clusters, concepts, samples};
use crate::session::metrics;

/// How often the progress bar looks at the plan.
const TICK: Duration = Duration::from_millis(200);

/// A row group is no smaller than this, however many steps of a chain write at once.
const LEAST_GROUP_BYTES: usize = 1 << 20;

/// A step about to be computed.
pub struct StepRun<'a> {
    /// The engine; the sources and all earlier steps that were written are registered.
    pub ctx: &'a SessionContext,
    /// Name of the step.
    pub name: &'a str,
    /// The query.
    pub sql: &'a str,
    /// The queries to run: the query itself, or two in sequence, of which the first removes rows and the second does not.
    pub queries: &'a [String],
    /// Column of the row key.
    pub id: &'a str,
    /// Column of the text.
    pub text: Option<&'a str>,
    /// Whether each row of the input is known to be in the result.
    pub whole: bool,
    /// Its folder, empty.
    pub folder: &'a Path,
}

/// What is known of the rows that enter a step.
#[derive(Debug, Clone, Copy, Default)]
pub struct Entering {
    /// Rows and bytes of text, where an earlier step counted them.
    pub counted: Option<(u64, u64)>,
    /// Rows, where the files say so.
    pub in_files: Option<u64>,
}

/// An error, and the place of the step that it belongs to.
pub type Failed = (usize, JobError);

/// Computes a chain of steps into their folders. Each step but the last passes its rows to the next one. `input`, the input
/// of the first step, must be registered. The manifests lack what only the job knows.
///
/// The duration of a chain is divided among its steps in proportion to the time that each took on all threads.
pub async fn compute(steps: &[StepRun<'_>], entering: Entering, bar: &StepBar) -> Result<Vec<Manifest>, Failed> {
    let Some(last) = steps.len().checked_sub(1) else { return Ok(Vec::new()) };
    let started = Instant::now();
    let first_error = FirstError::default();
    let queries: usize = steps.iter().map(|step| step.queries.len()).sum();
    let group_bytes = (ROW_GROUP_BYTES / queries).max(LEAST_GROUP_BYTES);
    let mut taps: Vec<(usize, Arc<Tap>)> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let handed_on = if at == last { step.queries.len() - 1 } else { step.queries.len() };
        for part in 0..handed_on {
            let tap = step.tap(at, part, group_bytes, &first_error).await.map_err(|error| (at, error))?;
            taps.push((at, tap));
        }
    }
    let computed = steps[last].result(taps.first().map(|(_, tap)| &tap.plan), group_bytes, bar).await;
    let (written, read) = match computed {
        Ok(written) => (written, Instant::now()),
        Err(error) => {
            let first = first_error.lock().unwrap_or_else(PoisonError::into_inner).take();
            return Err(first.unwrap_or((last, error)));
        }
    };
    let mut ended = started;
    let mut parts: Vec<Vec<Written>> = steps.iter().map(|_| Vec::new()).collect();
    for (at, tap) in taps {
        let tapped = tap.finish().map_err(|error| (at, error))?;
        ended = ended.max(tapped.ended);
        let metrics = metrics::collect(tap.plan.as_ref());
        parts[at].push((Arc::clone(&tap.output), tapped.counts, metrics, tapped.spent));
    }
    parts[last].push(written);
    let shared = (ended - started).as_secs_f64();
    let all: Duration = parts.iter().flatten().map(|(.., spent)| *spent).sum();
    let mut entering = entering;
    let mut manifests = Vec::new();
    for (at, (step, parts)) in steps.iter().zip(parts).enumerate() {
        let spent: Duration = parts.iter().map(|(.., spent)| *spent).sum();
        let mut took = Duration::from_secs_f64(shared * spent.as_secs_f64() / all.as_secs_f64().max(1e-9));
        if at == last {
            took += read - ended;
        }
        let manifest = step.finish(together(parts), entering, took, bar).await.map_err(|error| (at, error))?;
        entering = Entering { counted: Some((manifest.kept.rows, manifest.kept.bytes)), in_files: None };
        manifests.push(manifest);
    }
    Ok(manifests)
}

/// The parts of a step as one.
fn together(parts: Vec<Written>) -> Option<Written> {
    parts.into_iter().reduce(|(_, first, metrics, before), (output, counts, mut more, spent)| {
        metrics.iter().for_each(|(name, count)| metrics::add(&mut more, name, *count));
        (output, counts.after(first), more, before + spent)
    })
}

/// What a plan wrote: output, counts, counters of operators, and its own time.
type Written = (Arc<Output>, Counts, Vec<(String, u64)>, Duration);

impl StepRun<'_> {
    /// The output for `plan`. Columns are looked up again, because text in files has another layout than in the tables with
    /// which the step was planned.
    fn output(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        part: usize,
        group_bytes: usize,
        keeps: bool,
    ) -> error::Result<Arc<Output>> {
        let mut columns = Columns::find(&plan.schema(), self.id, self.text).map_err(JobError::Other)?;
        // A condition may well be that there is a key.
        columns.without_key = part + 1 < self.queries.len();
        let parts: &[&str] = if keeps { &["kept", "clusters", "removed"] } else { &["removed"] };
        for folder in parts.iter().map(|part| self.folder.join(part)) {
            fs::create_dir_all(&folder).map_err(JobError::io("create", &folder))?;
        }
        Ok(Arc::new(Output {
            step: self.name.to_owned(),
            folder: self.folder.to_owned(),
            columns,
            text: self.text.map(str::to_owned),
            keeps,
            removes: part == 0,
            group_bytes,
            pool: Arc::clone(&self.ctx.runtime_env().memory_pool),
        }))
    }

    /// Plans query number `part`, and makes the rows that it keeps the input of the next one.
    async fn tap(
        &self,
        at: usize,
        part: usize,
        group_bytes: usize,
        first_error: &FirstError,
    ) -> error::Result<Arc<Tap>> {
        let plan = self.physical(&self.queries[part]).await?;
        let output = self.output(&plan, part, group_bytes, false)?;
        let tap = Tap::new(at, plan, output, Arc::clone(first_error));
        self.ctx.deregister_table("input")?;
        self.ctx.register_table("input", tap.table())?;
        Ok(tap)
    }

    /// Writes the result. `lowest` is the plan whose scans show the progress, if it is a different one.
    async fn result(
        &self,
        lowest: Option<&Arc<dyn ExecutionPlan>>,
        group_bytes: usize,
        bar: &StepBar,
    ) -> error::Result<Written> {
        let without_vector = || LimpidOptions::of(self.ctx.copied_config().options()).without_vector();
        let before = without_vector();
        let part = self.queries.len() - 1;
        let plan = self.physical(&self.queries[part]).await?;
        let output = self.output(&plan, part, group_bytes, true)?;
        let (counts, spent) = self.write(&plan, lowest.unwrap_or(&plan), "part", Rows::Result, &output, bar).await?;
        let mut metrics = metrics::collect(plan.as_ref());
        metrics::add(&mut metrics, metrics::TEXTS_WITHOUT_VECTOR, without_vector() - before);
        Ok((output, counts, metrics, spent))
    }

    /// The manifest of a step whose result is written or handed on; `took` is what that took.
    async fn finish(
        &self,
        written: Option<Written>,
        entering: Entering,
        took: Duration,
        bar: &StepBar,
    ) -> error::Result<Manifest> {
        let started = Instant::now();
        let Some((output, mut counts, metrics, _)) = written else {
            return Err(JobError::Other("a step without a query; this is a bug in limpid".to_owned()));
        };
        if !self.whole {
            counts.merge(self.missing(&output, &counts, entering, bar).await?);
        }
        if output.keeps {
            bar.message("choosing samples");
        }
        let columns = &output.columns;
        self.register("__removed", "removed").await?;
        let (mut concepts, mut cluster_sizes) = (None, Vec::new());
        if output.keeps {
            self.register("__kept", "kept").await?;
            let notes = self.folder.join("clusters");
            concepts = concepts::find(self.ctx, &columns.kept, self.id, self.text).await?;
            cluster_sizes = match concepts {
                Some(_) => concepts::sizes(self.ctx).await?,
                None => clusters::sizes(self.ctx, columns, &notes).await?,
            };
            fs::remove_dir_all(&notes).map_err(JobError::io("remove", &notes))?;
        }
        let samples = samples::choose(self.ctx, self.folder, self.id, self.text).await?;
        let (kept, removed) = (&counts.kept, &counts.removed);
        let rows_in = entering.counted.map(|(rows, _)| rows).or(entering.in_files);
        Ok(Manifest {
            layout: LAYOUT,
            step: self.name.to_owned(),
            sql: self.sql.to_owned(),
            id: self.id.to_owned(),
            text: self.text.map(str::to_owned),
            seconds: (took + started.elapsed()).as_secs_f64(),
            rows_in: rows_in.unwrap_or(kept.rows + removed.rows),
            bytes_in: entering.counted.map_or(kept.bytes + removed.bytes, |(_, bytes)| bytes),
            kept: kept.part(&columns.kept),
            removed: removed.part(&columns.removed),
            reasons: counts.reasons(),
            similarities: counts.similarities,
            cluster_sizes,
            metrics,
            samples,
            concepts,
            passed_on: !output.keeps,
            ..Manifest::default()
        })
    }

    async fn register(&self, name: &str, part: &str) -> Result<()> {
        register_folder(self.ctx, name, &self.folder.join(part)).await
    }

    /// Writes input rows whose key the result lacks to the removed rows. Their keys are determined first, from keys alone:
    /// usually there are none, and texts need not be read again.
    async fn missing(
        &self,
        output: &Arc<Output>,
        counts: &Counts,
        entering: Entering,
        bar: &StepBar,
    ) -> error::Result<Counts> {
        let mut found = Counts::default();
        let input = self.ctx.table_provider("input").await?.schema();
        let (keep, seen) = (output.columns.keep, counts.kept.rows + counts.removed.rows);
        let rows_in = entering.counted.map(|(rows, _)| rows).or(entering.in_files);
        let incomplete = keep.is_none() || rows_in.is_some_and(|rows| rows > seen);
        if !incomplete || input.field_with_name(self.id).is_err() {
            return Ok(found);
        }
        bar.message("looking for missing rows");
        self.register("__kept", "kept").await?;
        self.register("__removed", "removed").await?;
        let id = quote(self.id);
        let mut keys = format!("SELECT {id} AS key FROM input WHERE {id} IS NOT NULL EXCEPT SELECT {id} FROM __kept");
        if keep.is_some() {
            keys.push_str(&format!(" EXCEPT SELECT {id} FROM __removed"));
        }
        let folder = self.folder.join("missing");
        fs::create_dir_all(&folder).map_err(JobError::io("create", &folder))?;
        let missing = self.write_keys(&keys, &folder).await?;
        let has = |name: &&str| input.field_with_name(name).is_ok();
        let wanted =
            [Some(self.id), self.text].into_iter().flatten().filter(has).map(|name| format!("i.{}", quote(name)));
        let wanted = wanted.collect::<Vec<_>>().join(", ");
        if missing > 0 {
            register_folder(self.ctx, "__missing", &folder).await?;
            let sql = format!("SELECT {wanted} FROM input AS i LEFT SEMI JOIN __missing AS m ON i.{id} = m.key");
            let plan = self.physical(&sql).await?;
            found.merge(self.write(&plan, &plan, "missing", Rows::Missing, output, bar).await?.0);
            self.ctx.deregister_table("__missing")?;
        }
        // No kept row is without a key.
        let plan = self.physical(&format!("SELECT {wanted} FROM input AS i WHERE i.{id} IS NULL")).await?;
        found.merge(self.write(&plan, &plan, "missing-null", Rows::Missing, output, bar).await?.0);
        fs::remove_dir_all(&folder).map_err(JobError::io("remove", &folder))?;
        Ok(found)
    }

    /// Writes the keys that `sql` yields into `folder`, and counts them.
    async fn write_keys(&self, sql: &str, folder: &Path) -> error::Result<u64> {
        let plan = self.physical(sql).await?;
        let mut rows = execute_stream(plan, self.ctx.task_ctx())?;
        let mut file = ParquetFile::new(folder.join("keys.parquet"), rows.schema(), None, Compression::LZ4_RAW);
        let mut found = 0;
        while let Some(batch) = rows.try_next().await? {
            found += batch.num_rows() as u64;
            file.write(&batch)?;
        }
        file.finish()?;
        Ok(found)
    }

    async fn physical(&self, sql: &str) -> Result<Arc<dyn ExecutionPlan>> {
        query(self.ctx, sql).await?.create_physical_plan().await
    }

    /// Writes all partitions of `plan` concurrently. Also returns the plan's own time on all threads.
    async fn write(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        lowest: &Arc<dyn ExecutionPlan>,
        stem: &str,
        rows: Rows,
        output: &Arc<Output>,
        bar: &StepBar,
    ) -> error::Result<(Counts, Duration)> {
        let mut tasks = JoinSet::new();
        let spent = Arc::new(AtomicU64::new(0));
        let streams = execute_stream_partitioned(Arc::clone(plan), self.ctx.task_ctx())?;
        for (partition, mut stream) in streams.into_iter().enumerate() {
            let writer = PartitionWriter::new(output, stem, partition, rows)?;
            let (schema, here) = (stream.schema(), Arc::clone(&spent));
            let timed = futures::stream::poll_fn(move |cx| measure(&here, || stream.poll_next_unpin(cx)));
            tasks.spawn(writer.drain(Box::pin(RecordBatchStreamAdapter::new(schema, timed)), Arc::clone(&spent)));
        }
        let mut counts = Counts::default();
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                done = tasks.join_next() => match done {
                    Some(done) => counts.merge(done.map_err(|error| exec_datafusion_err!("a task of the step failed: {error}"))??),
                    None => return Ok((counts, Duration::from_nanos(spent.load(Ordering::Relaxed)))),
                },
                _ = tick.tick() => bar.read(metrics::rows_read(lowest.as_ref())),
            }
        }
    }
}
