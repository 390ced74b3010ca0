//! Chooses landmarks by the hash of their ids, passes three times over the rows in the order of ids, and clusters the
//! resulting features by k-means.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

use super::{NAME, SpectralClusters};
use crate::kernels::learn::spectral::{Nystrom, cluster};
use crate::kernels::random::mix;
use crate::operators::examples::{Buffer, Examples};
use crate::operators::frame::Work;

/// Numbers held per pair of landmarks: affinities, eigenvectors, features and their products.
const MATRICES: usize = 6;

/// Runs `spectral_clusters`.
pub(super) async fn run(parameters: SpectralClusters, mut work: Work) -> Result<SendableRecordBatchStream> {
    let rows = Examples::gather(NAME, &mut work).await?;
    let landmarks = (parameters.landmarks as usize).min(rows.len());
    let memory = MemoryConsumer::new(format!("clusters of {NAME}")).register(work.context.task.memory_pool());
    let numbers = MATRICES * landmarks * landmarks
        + landmarks * rows.dimensions()
        + rows.len() * (parameters.k as usize).min(landmarks);
    memory.try_grow(numbers * size_of::<f64>() + rows.len() * 2 * size_of::<u64>())?;
    let schema = Arc::clone(&work.schema);
    let task = SpawnedTask::spawn_blocking(move || {
        let batch = clusters(&parameters, &rows, landmarks, schema);
        drop(memory);
        batch
    });
    let batch = task.join().await.map_err(|e| internal_datafusion_err!("{NAME}: {e}"))??;
    Ok(Box::pin(RecordBatchStreamAdapter::new(work.schema, futures::stream::iter([Ok(batch)]))))
}

fn clusters(
    parameters: &SpectralClusters,
    rows: &Examples,
    landmarks: usize,
    schema: SchemaRef,
) -> Result<RecordBatch> {
    let salt = mix(parameters.seed);
    let mut order: Vec<(u64, usize)> = (0..rows.len()).map(|at| (mix(rows.hash(at) ^ salt), at)).collect();
    let first = order.iter().min().map_or(0, |(_, at)| *at);
    order.sort_unstable();
    order.truncate(landmarks);
    let mut buffer = Buffer::default();
    let mut vectors = Vec::with_capacity(landmarks * rows.dimensions());
    for (_, at) in order {
        vectors.extend_from_slice(rows.vector(at, &mut buffer)?);
    }
    let nystrom = Nystrom::new(vectors, rows.dimensions(), parameters.sigma.get());
    let visit = |each: &mut dyn FnMut(&[f32])| -> Result<(), DataFusionError> {
        let mut buffer = Buffer::default();
        for at in 0..rows.len() {
            each(rows.vector(at, &mut buffer)?);
        }
        Ok(())
    };
    let (places, k) = nystrom.embed(parameters.k as usize, &visit)?;
    let found: Int32Array = cluster(&places, k, first).into_iter().map(|of| of as i32).collect();
    let columns: Vec<ArrayRef> = vec![rows.ids(0..rows.len())?, Arc::new(found)];
    Ok(RecordBatch::try_new(schema, columns)?)
}
