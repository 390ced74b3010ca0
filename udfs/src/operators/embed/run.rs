//! Runs `embed`: rows stream through in chunks. While the model works on one chunk, the next one is read and waits. No more
//! is held in memory.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::metrics::{Count, MetricBuilder, Time};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt};

use super::Embed;
use super::NAME;
use crate::functions::embedding::arguments::open;
use crate::functions::embedding::embedder::{Embedder, Flush};
use crate::operators::frame::Work;

/// Chunks of a partition in progress at once: one is embedded while the next one waits for the model.
const PORTIONS: usize = 2;

/// Adds the vectors to the rows of one partition.
pub(super) async fn run(call: Embed, work: Work) -> Result<SendableRecordBatchStream> {
    let column = work.column(0);
    let Work { input, schema, context, .. } = work;
    let partition = context.partition;
    let pool = &context.task.runtime_env().memory_pool;
    let count = |name: &'static str| MetricBuilder::new(&context.metrics).counter(name, partition);
    let dimension = call.dimension as usize;
    let opened = blocking(move || {
        let model = open(NAME, &call.model, &call.device, call.prompt.as_deref(), call.modality())?;
        let here = model.info().dimension;
        if here != dimension {
            return exec_err!("{NAME}: the model '{}' has {here} dimensions here and {dimension} there", call.model);
        }
        Embedder::open(NAME, model, call.cache.as_deref())
    });
    let embedder = Arc::new(opened.await?);
    let work = Arc::new(Task {
        column,
        dimension,
        schema: Arc::clone(&schema),
        // Partitions share the cache, so only one of them accounts for its memory.
        index: (partition == 0).then(|| MemoryConsumer::new("places in the embedding cache").register(pool)),
        vectors: MemoryConsumer::new("vectors of embed").register(pool),
        cached: count("cached_rows"),
        tokens: count("tokens"),
        without_vector: count("texts_without_vector"),
        time: MetricBuilder::new(&context.metrics).subset_time("model_time", partition),
        embedder: Arc::clone(&embedder),
    });
    work.account()?;
    let rows = embedder.portion();
    let portions = input.map_ok(move |batch: RecordBatch| {
        let cut = (0..batch.num_rows()).step_by(rows);
        let cut: Vec<Result<RecordBatch>> =
            cut.map(|start| Ok(batch.slice(start, rows.min(batch.num_rows() - start)))).collect();
        futures::stream::iter(cut)
    });
    let flush = Flush(Arc::clone(&embedder));
    let embedded = portions.try_flatten().map(move |portion| {
        let work = Arc::clone(&work);
        let _flushed_when_dropped = &flush;
        async move {
            let portion = portion?;
            blocking(move || work.embed(&portion)).await
        }
    });
    let end = futures::stream::once(blocking(move || embedder.flush()));
    let end = end.filter_map(|flushed| async move { flushed.err().map(Err) });
    let output = embedded.buffered(PORTIONS).chain(end);
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, output)))
}

/// Runs `work` on a thread for blocking work, outside the runtime's workers.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let task = SpawnedTask::spawn_blocking(work);
    task.join_unwind().await.map_err(|error| exec_datafusion_err!("{NAME}: {error}"))?
}

/// State that the chunks of a partition share.
struct Task {
    column: usize,
    dimension: usize,
    schema: SchemaRef,
    index: Option<MemoryReservation>,
    vectors: MemoryReservation,
    cached: Count,
    tokens: Count,
    without_vector: Count,
    time: Time,
    embedder: Arc<Embedder>,
}

impl Task {
    fn account(&self) -> Result<()> {
        match (&self.index, self.embedder.cache()) {
            (Some(index), Some(cache)) => index.try_resize(cache.memory()),
            _ => Ok(()),
        }
    }

    fn embed(&self, portion: &RecordBatch) -> Result<RecordBatch> {
        let held = self.vectors.new_empty();
        // The vectors exist twice: as the model returns them and as a column.
        held.try_grow(2 * portion.num_rows() * self.dimension * size_of::<f32>())?;
        let contents = portion.column(self.column);
        let timer = self.time.timer();
        let embedded = self.embedder.embed(contents)?;
        timer.done();
        self.cached.add(embedded.cached);
        self.tokens.add(embedded.tokens);
        self.without_vector.add(embedded.without_vector);
        self.account()?;
        let mut columns = portion.columns().to_vec();
        columns.push(embedded.vectors);
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}
