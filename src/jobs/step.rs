//! Computes one step: runs its query, writes each row once to the kept or to the removed ones, and counts on the way.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::Schema;
use datafusion::common::runtime::JoinSet;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::{ExecutionPlan, execute_stream, execute_stream_partitioned};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use limpid_udfs::config::LimpidOptions;
use limpid_udfs::functions::strings::Strings;
use parquet::basic::Compression;

use super::error::{self, JobError};
use super::hash::ContentHash;
use super::manifest::{LAYOUT, Manifest, Part};
use super::progress::StepBar;
use super::recipes::quote;
use super::split::Columns;
use super::tables::{floats, query, register_folder};
use super::writer::{FileEntry, ParquetFile};
use super::{clusters, concepts, histogram, samples};
use crate::report::data::Histogram;
use crate::session::metrics;

/// How often the progress bar looks at the plan.
const TICK: Duration = Duration::from_millis(200);

/// Reasons told apart in a step; rows of further ones are counted together.
const REASONS: usize = 1_000;

/// A step about to be computed.
pub struct StepRun<'a> {
    /// The engine; `input`, the sources and all earlier steps are registered.
    pub ctx: &'a SessionContext,
    /// Name of the step.
    pub name: &'a str,
    /// The query.
    pub sql: &'a str,
    /// Column of the row key.
    pub id: &'a str,
    /// Column of the text.
    pub text: Option<&'a str>,
    /// Columns of the input.
    pub input_schema: &'a Schema,
    /// Rows and bytes of text of the input, where an earlier step counted them.
    pub input: Option<(u64, u64)>,
    /// Rows of the input, where the files say so.
    pub input_rows: Option<u64>,
    /// Its folder, empty.
    pub folder: &'a Path,
    /// Its progress bar.
    pub bar: &'a StepBar,
}

impl StepRun<'_> {
    /// Computes the step into its folder; the manifest lacks what only the job knows.
    pub async fn compute(&self) -> error::Result<Manifest> {
        let started = Instant::now();
        let notes = self.folder.join("clusters");
        for folder in [self.kept(), self.removed(), notes.clone()] {
            fs::create_dir_all(&folder).map_err(JobError::io("create", &folder))?;
        }
        let without_vector = || LimpidOptions::of(self.ctx.copied_config().options()).without_vector();
        let before = without_vector();
        let plan = self.physical(self.sql).await?;
        // Found anew, because files have other layouts of text than the tables that the step was planned with.
        let columns = Columns::find(&plan.schema(), self.id, self.text).map_err(JobError::Other)?;
        let mut counts = self.write(&plan, "part", Rows::Result, &columns).await?;
        let mut metrics = metrics::collect(plan.as_ref());
        metrics::add(&mut metrics, metrics::TEXTS_WITHOUT_VECTOR, without_vector() - before);
        register_folder(self.ctx, "__kept", &self.kept()).await?;
        register_folder(self.ctx, "__removed", &self.removed()).await?;
        let seen = counts.kept.rows + counts.removed.rows;
        let rows_in = self.input.map(|(rows, _)| rows).or(self.input_rows);
        let incomplete = columns.keep.is_none() || rows_in.is_some_and(|rows| rows > seen);
        if incomplete && self.input_schema.field_with_name(self.id).is_ok() {
            self.bar.message("looking for missing rows");
            counts.merge(self.missing(&columns).await?);
        }
        self.bar.message("choosing samples");
        let concepts = concepts::find(self.ctx, &columns.kept, self.id, self.text).await?;
        let cluster_sizes = match concepts {
            Some(_) => concepts::sizes(self.ctx).await?,
            None => clusters::sizes(self.ctx, &columns, &notes).await?,
        };
        let samples = samples::choose(self.ctx, self.folder, self.id, self.text).await?;
        fs::remove_dir_all(&notes).map_err(JobError::io("remove", &notes))?;
        let (kept, removed) = (&counts.kept, &counts.removed);
        Ok(Manifest {
            layout: LAYOUT,
            step: self.name.to_owned(),
            sql: self.sql.to_owned(),
            id: self.id.to_owned(),
            text: self.text.map(str::to_owned),
            seconds: started.elapsed().as_secs_f64(),
            rows_in: rows_in.unwrap_or(kept.rows + removed.rows),
            bytes_in: self.input.map_or(kept.bytes + removed.bytes, |(_, bytes)| bytes),
            kept: kept.part(&columns.kept),
            removed: removed.part(&columns.removed),
            reasons: counts.reasons(),
            similarities: counts.similarities,
            cluster_sizes,
            metrics,
            samples,
            concepts,
            ..Manifest::default()
        })
    }

    fn kept(&self) -> PathBuf {
        self.folder.join("kept")
    }

    fn removed(&self) -> PathBuf {
        self.folder.join("removed")
    }

    /// Writes the rows of the input whose key the result lacks to the removed ones. Their keys are found first, from keys alone:
    /// most often there are none, and texts need not be read again.
    async fn missing(&self, columns: &Columns) -> error::Result<Counts> {
        let id = quote(self.id);
        let mut keys = format!("SELECT {id} AS key FROM input WHERE {id} IS NOT NULL EXCEPT SELECT {id} FROM __kept");
        if columns.keep.is_some() {
            keys.push_str(&format!(" EXCEPT SELECT {id} FROM __removed"));
        }
        let folder = self.folder.join("missing");
        fs::create_dir_all(&folder).map_err(JobError::io("create", &folder))?;
        let found = self.write_keys(&keys, &folder).await?;
        let has = |name: &&str| self.input_schema.field_with_name(name).is_ok();
        let wanted =
            [Some(self.id), self.text].into_iter().flatten().filter(has).map(|name| format!("i.{}", quote(name)));
        let wanted = wanted.collect::<Vec<_>>().join(", ");
        let mut counts = Counts::default();
        if found > 0 {
            register_folder(self.ctx, "__missing", &folder).await?;
            let sql = format!("SELECT {wanted} FROM input AS i LEFT SEMI JOIN __missing AS m ON i.{id} = m.key");
            let plan = self.physical(&sql).await?;
            counts.merge(self.write(&plan, "missing", Rows::Missing, columns).await?);
            self.ctx.deregister_table("__missing")?;
        }
        // No kept row is without a key.
        let plan = self.physical(&format!("SELECT {wanted} FROM input AS i WHERE i.{id} IS NULL")).await?;
        counts.merge(self.write(&plan, "missing-null", Rows::Missing, columns).await?);
        fs::remove_dir_all(&folder).map_err(JobError::io("remove", &folder))?;
        Ok(counts)
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

    /// Writes all partitions of `plan` at once.
    async fn write(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        stem: &str,
        rows: Rows,
        columns: &Columns,
    ) -> error::Result<Counts> {
        let mut tasks = JoinSet::new();
        for (partition, stream) in
            execute_stream_partitioned(Arc::clone(plan), self.ctx.task_ctx())?.into_iter().enumerate()
        {
            let writer =
                PartitionWriter::new(self, columns, &format!("{stem}-{partition:05}.parquet"), partition, rows)?;
            tasks.spawn(writer.drain(stream));
        }
        let mut counts = Counts::default();
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                done = tasks.join_next() => match done {
                    Some(done) => counts.merge(done.map_err(|error| exec_datafusion_err!("a task of the step failed: {error}"))??),
                    None => return Ok(counts),
                },
                _ = tick.tick() => self.bar.read(metrics::rows_read(plan.as_ref())),
            }
        }
    }
}

/// What a stream of rows is.
#[derive(Debug, Clone, Copy)]
enum Rows {
    /// The step's result.
    Result,
    /// Rows of the input that the result lacks.
    Missing,
}

/// Writes one partition.
struct PartitionWriter {
    columns: Columns,
    step: String,
    rows: Rows,
    kept: ParquetFile,
    removed: ParquetFile,
    clusters: ParquetFile,
    counts: Counts,
    reservation: MemoryReservation,
}

impl PartitionWriter {
    fn new(run: &StepRun<'_>, columns: &Columns, file: &str, partition: usize, rows: Rows) -> error::Result<Self> {
        let columns = columns.clone();
        let create = |folder: PathBuf, schema: &Arc<Schema>| {
            ParquetFile::new(folder.join(file), Arc::clone(schema), run.text, Compression::LZ4_RAW)
        };
        let mut kept = create(run.kept(), &columns.kept);
        let mut removed = create(run.removed(), &columns.removed);
        let mut clusters = create(run.folder.join("clusters"), &clusters::schema());
        if partition == 0 && matches!(rows, Rows::Result) {
            // Even an empty result has columns.
            for file in [&mut kept, &mut removed, &mut clusters] {
                file.open()?;
            }
        }
        let consumer = MemoryConsumer::new(format!("StepWriter[{partition}]"));
        let reservation = consumer.register(&run.ctx.runtime_env().memory_pool);
        Ok(Self {
            columns,
            step: run.name.to_owned(),
            rows,
            kept,
            removed,
            clusters,
            counts: Counts::default(),
            reservation,
        })
    }

    async fn drain(mut self, mut stream: SendableRecordBatchStream) -> error::Result<Counts> {
        while let Some(batch) = stream.try_next().await? {
            self.write(&batch)?;
            self.reservation.resize(self.kept.memory_size() + self.removed.memory_size());
        }
        self.counts.kept.files.extend(self.kept.finish()?);
        self.counts.removed.files.extend(self.removed.finish()?);
        self.clusters.finish()?;
        Ok(self.counts)
    }

    fn write(&mut self, batch: &RecordBatch) -> error::Result<()> {
        let removed = match self.rows {
            Rows::Result => {
                let split = self.columns.split(batch, &self.step)?;
                if let Some(hashes) = clusters::hashes(&self.columns, batch)? {
                    self.clusters.write(&hashes)?;
                }
                self.counts
                    .kept
                    .add(&split.kept, self.columns.text.map(|at| batch.schema_ref().field(at).name().as_str()))?;
                self.kept.write(&split.kept)?;
                split.removed
            }
            Rows::Missing => self.columns.missing(batch, &self.step)?,
        };
        let text = self.columns.text.map(|_| self.columns.removed.field(1).name().as_str());
        self.counts.removed.add(&removed, text)?;
        self.counts.explain(&removed)?;
        self.removed.write(&removed)
    }
}

/// What a partition, or a whole step, counted.
#[derive(Debug, Default)]
struct Counts {
    kept: Tally,
    removed: Tally,
    reasons: HashMap<String, u64>,
    similarities: Histogram,
}

impl Counts {
    fn merge(&mut self, other: Self) {
        self.kept.merge(other.kept);
        self.removed.merge(other.removed);
        for (reason, rows) in other.reasons {
            self.count(&reason, rows);
        }
        histogram::merge(&mut self.similarities, &other.similarities);
    }

    /// Counts the reasons and similarities of removed rows.
    fn explain(&mut self, removed: &RecordBatch) -> Result<()> {
        let column = |name: &str| removed.column_by_name(name).ok_or_else(|| exec_datafusion_err!("no column {name}"));
        for reason in column("reason")?.as_string::<i32>().iter().flatten() {
            self.count(reason, 1);
        }
        if self.similarities.edges.is_empty() {
            self.similarities = histogram::similarities();
        }
        floats(column("similarity")?).flatten().for_each(|value| histogram::count(&mut self.similarities, value));
        Ok(())
    }

    fn count(&mut self, reason: &str, rows: u64) {
        if let Some(count) = self.reasons.get_mut(reason) {
            *count += rows;
        } else {
            let reason = if self.reasons.len() < REASONS { reason } else { "(other reasons)" };
            *self.reasons.entry(reason.to_owned()).or_insert(0) += rows;
        }
    }

    fn reasons(&self) -> Vec<(String, u64)> {
        let mut reasons: Vec<_> = self.reasons.iter().map(|(reason, rows)| (reason.clone(), *rows)).collect();
        reasons.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        reasons
    }
}

/// Rows of one kind.
#[derive(Debug, Default)]
struct Tally {
    rows: u64,
    bytes: u64,
    lengths: Histogram,
    content: ContentHash,
    files: Vec<FileEntry>,
}

impl Tally {
    fn add(&mut self, batch: &RecordBatch, text: Option<&str>) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        self.content.add(batch)?;
        if self.lengths.edges.is_empty() {
            self.lengths = histogram::lengths();
        }
        if let Some(column) = text.and_then(|name| batch.column_by_name(name)) {
            self.measure(column)?;
        }
        Ok(())
    }

    fn measure(&mut self, column: &ArrayRef) -> Result<(), DataFusionError> {
        for text in Strings::try_new(column, "the job's text column")?.iter().flatten() {
            self.bytes += text.len() as u64;
            histogram::count(&mut self.lengths, text.chars().count() as f64);
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        histogram::merge(&mut self.lengths, &other.lengths);
        self.content.merge(&other.content);
        self.files.extend(other.files);
    }

    fn part(&self, schema: &Schema) -> Part {
        let mut files = self.files.clone();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let lengths = self.lengths.clone();
        Part { rows: self.rows, bytes: self.bytes, lengths, content: self.content.finish(schema), files }
    }
}
