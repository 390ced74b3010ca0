//! Runs `kmeans`: samples the rows, fits the centroids and returns them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use datafusion::common::{Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::metrics::MetricBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::TryStreamExt;

use super::NAME;
use super::fit::fit;
use super::problem::Problem;
use super::sample::{ENTRY, Sampler, Shuffler};
use super::{Kmeans, Rounds, mini_batch, seeding};
use crate::functions::sampling::priority::bits_of_ids;
use crate::functions::vector::embeddings::{self, Embeddings};
use crate::operators::frame::Work;
use crate::operators::vectors::table::{Id, comparable};
use crate::operators::workers::Workers;
use crate::storage::vectors::Vectors;

/// Runs `kmeans` and returns a stream of the centroids.
pub(super) async fn run(call: Kmeans, work: Work) -> Result<SendableRecordBatchStream> {
    let Work { mut input, columns, schema, context, .. } = work;
    let columns = columns.concat();
    let (vec, id) = (columns[0], columns[1]);
    let below = input.schema();
    let reservation = MemoryConsumer::new(NAME).register(&context.task.runtime_env().memory_pool);
    let mut chosen = match call.rounds {
        Rounds::MiniBatch(_) => Chosen::All(Shuffler::new(NAME, call.sample, &context)),
        _ => Chosen::Some(Sampler::new(NAME, call.sample, &context)),
    };
    let mut seen = 0;
    let without_vector = MetricBuilder::new(&context.metrics).counter("rows_without_vector", 0);
    while let Some(batch) = input.try_next().await? {
        seen += batch.num_rows();
        let ids = batch.column(id);
        if ids.null_count() > 0 {
            let name = below.field(id).name();
            return exec_err!("{NAME}: column `{name}` has {} NULL of {} ids in a batch", ids.null_count(), ids.len());
        }
        let bits = bits_of_ids(NAME, call.seed, ids)?;
        let found = Embeddings::try_new(NAME, batch.column(vec))?;
        for (row, &bits) in bits.iter().enumerate() {
            let vector = comparable(&found, row, call.metric);
            without_vector.add(usize::from(matches!(vector, Ok(None))));
            vector
                .and_then(|vector| vector.map_or(Ok(()), |(vector, squared)| chosen.offer(bits, vector, squared)))
                .map_err(|error| Id { op: NAME, ids, row }.at(error))?;
        }
        reservation.try_resize(chosen.size())?;
    }
    drop(input);
    if seen == 0 {
        // Without rows there are no clusters.
        return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::empty())));
    }
    let k = usize::try_from(call.k).unwrap_or(usize::MAX);
    let (vectors, squared) = chosen.finish()?;
    let (rows, dimensions) = (vectors.len(), vectors.dimensions());
    let of_rows = match call.rounds {
        Rounds::MiniBatch(batch) => (batch as usize).min(rows),
        _ => rows,
    };
    reservation.try_resize(of_rows * 2 * ENTRY + k.saturating_mul(dimensions * 20 + 64))?;
    let env = context.task.runtime_env();
    let model = Workers::new(&context.task)
        .run(NAME, move |workers| {
            let seeding_squared;
            let squared = match call.rounds {
                Rounds::MiniBatch(_) => {
                    seeding_squared = seeding::squared(&vectors, k)?;
                    &seeding_squared
                }
                _ => &squared,
            };
            let problem = Problem {
                env: &env,
                op: NAME,
                vectors: &vectors,
                squared,
                metric: call.metric,
                k,
                iterations: call.iterations as usize,
                seed: call.seed,
                balanced: call.rounds == Rounds::Balanced,
                rough: false,
            };
            match call.rounds {
                Rounds::MiniBatch(batch) => mini_batch::fit(&problem, batch as usize, workers),
                _ => fit(&problem, workers),
            }
        })
        .await?;
    MetricBuilder::new(&context.metrics).counter("sample_rows", 0).add(rows);
    MetricBuilder::new(&context.metrics).counter("iterations", 0).add(model.iterations);
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

/// Collects the rows that are fitted: a sample or all.
enum Chosen {
    Some(Sampler),
    All(Shuffler),
}

impl Chosen {
    fn offer(&mut self, bits: u64, vector: &[f32], squared: f64) -> Result<()> {
        match self {
            Self::Some(sampler) if sampler.takes(bits) => sampler.add(bits, vector, squared),
            // Check vectors outside the sample too, so that errors do not depend on the sample.
            Self::Some(sampler) => sampler.check(vector),
            Self::All(shuffler) => shuffler.add(bits, vector),
        }
    }

    /// Bytes held outside any other reservation.
    fn size(&self) -> usize {
        match self {
            Self::Some(sampler) => sampler.size(),
            Self::All(_) => 0,
        }
    }

    /// Returns the vectors and, if they were kept, the squared lengths.
    fn finish(self) -> Result<(Vectors, Vec<f64>)> {
        match self {
            Self::Some(sampler) => sampler.finish().map(|sample| (sample.vectors, sample.squared)),
            Self::All(shuffler) => Ok((shuffler.finish()?, vec![])),
        }
    }
}
