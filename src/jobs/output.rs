//! Output of a step: each row is written once, to the kept or the removed rows, and counted.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use futures::TryStreamExt;
use parquet::basic::{Compression, ZstdLevel};

use super::clusters;
use super::counts::Counts;
use super::error;
use super::own_time::measure;
use super::split::Columns;
use super::writer::ParquetFile;

/// State that all partitions of a step share.
#[derive(Debug, Clone)]
pub struct Output {
    /// Name of the step.
    pub step: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Where the columns of its result are.
    pub columns: Columns,
    /// Column of the text.
    pub text: Option<String>,
    /// Whether kept rows are written, rather than only passed on.
    pub keeps: bool,
    /// Whether there are removed rows.
    pub removes: bool,
    /// Encoded bytes after which a row group is closed.
    pub group_bytes: usize,
    /// Where the memory of writers is asked for.
    pub pool: Arc<dyn MemoryPool>,
}

/// The kind of rows in a stream.
#[derive(Debug, Clone, Copy)]
pub enum Rows {
    /// The step's result.
    Result,
    /// Rows of the input that the result lacks.
    Missing,
}

/// Writes one partition.
pub struct PartitionWriter {
    output: Arc<Output>,
    rows: Rows,
    kept: ParquetFile,
    removed: ParquetFile,
    clusters: ParquetFile,
    counts: Counts,
    reservation: MemoryReservation,
}

impl PartitionWriter {
    /// A writer of the partition's files, which begin with `stem`.
    pub fn new(output: &Arc<Output>, stem: &str, partition: usize, rows: Rows) -> error::Result<Self> {
        let file = format!("{stem}-{partition:05}.parquet");
        let create = |folder: &str, schema: &Arc<Schema>| {
            let compression = Compression::ZSTD(ZstdLevel::default());
            let (path, text) = (output.folder.join(folder).join(&file), output.text.as_deref());
            ParquetFile::new(path, Arc::clone(schema), text, compression).with_group_bytes(output.group_bytes)
        };
        let mut kept = create("kept", &output.columns.kept);
        let mut removed = create("removed", &output.columns.removed);
        let mut clusters = create("clusters", &clusters::schema());
        if partition == 0 && matches!(rows, Rows::Result) {
            // Even an empty result has columns.
            if output.removes {
                removed.open()?;
            }
            if output.keeps {
                kept.open()?;
                clusters.open()?;
            }
        }
        let consumer = MemoryConsumer::new(format!("StepWriter[{partition}]"));
        let reservation = consumer.register(&output.pool);
        Ok(Self { output: Arc::clone(output), rows, kept, removed, clusters, counts: Counts::default(), reservation })
    }

    /// Writes a whole stream, adding the time it takes to `spent`.
    pub async fn drain(
        mut self,
        mut stream: SendableRecordBatchStream,
        spent: Arc<AtomicU64>,
    ) -> error::Result<Counts> {
        while let Some(batch) = stream.try_next().await? {
            measure(&spent, || self.write(&batch))?;
        }
        self.finish()
    }

    /// Splits `batch`, writes it, and returns the kept rows.
    pub fn write(&mut self, batch: &RecordBatch) -> error::Result<RecordBatch> {
        let Output { columns, step, keeps, .. } = self.output.as_ref();
        let text = columns.text.map(|_| columns.removed.field(1).name().as_str());
        let (kept, removed) = match self.rows {
            Rows::Result => {
                let split = columns.split(batch, step)?;
                if let Some(hashes) = clusters::hashes(columns, batch)? {
                    self.clusters.write(&hashes)?;
                }
                self.counts.kept.add(&split.kept, text)?;
                if *keeps {
                    self.kept.write(&split.kept)?;
                }
                (split.kept, split.removed)
            }
            Rows::Missing => (RecordBatch::new_empty(Arc::clone(&columns.kept)), columns.missing(batch, step)?),
        };
        self.counts.removed.add(&removed, text)?;
        self.counts.explain(&removed)?;
        self.removed.write(&removed)?;
        self.reservation.resize(self.kept.memory_size() + self.removed.memory_size());
        Ok(kept)
    }

    /// Completes the files.
    pub fn finish(mut self) -> error::Result<Counts> {
        self.counts.kept.files.extend(self.kept.finish()?);
        self.counts.removed.files.extend(self.removed.finish()?);
        self.clusters.finish()?;
        Ok(self.counts)
    }
}
