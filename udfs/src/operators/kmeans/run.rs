//! Reads a sample of the rows, fits, and gives the centroids.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::metrics::MetricBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::TryStreamExt;

use super::Kmeans;
use super::fit::{Problem, fit};
use super::plan::NAME;
use super::sample::{ENTRY, Sampler};
use crate::functions::sampling::priority::bits_of_ids;
use crate::functions::vector::embeddings::{self, Embeddings};
use crate::operators::call::table::{Id, comparable};
use crate::operators::call::workers::Workers;
use crate::operators::dedup::matcher::Surroundings;

/// Gives the centroids.
pub async fn run(
    call: Kmeans,
    columns: Vec<usize>,
    mut input: SendableRecordBatchStream,
    schema: SchemaRef,
    around: Surroundings,
) -> Result<SendableRecordBatchStream> {
    let (vec, id) = (columns[0], columns[1]);
    let below = input.schema();
    let reservation = MemoryConsumer::new(NAME).register(&around.context.runtime_env().memory_pool);
    let mut sampler = Sampler::new(NAME, call.sample, &around);
    while let Some(batch) = input.try_next().await? {
        let ids = batch.column(id);
        if ids.null_count() > 0 {
            let name = below.field(id).name();
            return exec_err!("{NAME}: column `{name}` has {} NULL of {} ids in a batch", ids.null_count(), ids.len());
        }
        let bits = bits_of_ids(NAME, call.seed, ids)?;
        let found = Embeddings::try_new(NAME, batch.column(vec))?;
        for (row, &bits) in bits.iter().enumerate() {
            if !sampler.takes(bits) {
                // Looked at all the same: what is wrong must not depend on the sample.
                comparable(&found, row, call.metric).map_err(|error| Id { op: NAME, ids, row }.at(error))?;
                continue;
            }
            let add = |(vector, squared)| sampler.add(bits, vector, squared);
            let vector = comparable(&found, row, call.metric);
            vector
                .and_then(|vector| vector.map_or(Ok(()), add))
                .map_err(|error| Id { op: NAME, ids, row }.at(error))?;
        }
        reservation.try_resize(sampler.size())?;
    }
    drop(input);
    let sample = sampler.finish()?;
    let k = usize::try_from(call.k).unwrap_or(usize::MAX);
    let dimensions = sample.vectors.dimensions();
    reservation.try_resize(sample.vectors.len() * 2 * ENTRY + k.saturating_mul(dimensions * 16 + 64))?;
    let rows = sample.vectors.len();
    let model = Workers::new(&around.context)
        .run(NAME, move |workers| {
            let problem = Problem {
                vectors: &sample.vectors,
                squared: &sample.squared,
                metric: call.metric,
                k,
                iterations: call.iterations as usize,
                seed: call.seed,
            };
            fit(&problem, workers)
        })
        .await?;
    MetricBuilder::new(&around.metrics).counter("sample_rows", 0).add(rows);
    MetricBuilder::new(&around.metrics).counter("iterations", 0).add(model.iterations);
    let centroids = embeddings::build(schema.field(1).data_type(), model.centroids, &vec![dimensions; k], None)?;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(0..k as i64)),
        centroids,
        Arc::new(Int64Array::from_iter_values(model.counts.iter().map(|n| n.cast_signed()))),
        Arc::new(Float64Array::from(model.inertia)),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter([Ok(batch)]))))
}
