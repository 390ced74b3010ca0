//! Runs `concept_clusters`: reads all rows, finds clusters, then returns every row with the results.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take;
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::metrics::MetricBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

use super::groups::{self, Groups};
use super::parameters::ConceptClusters;
use super::parameters::NAME;
use super::words::{Texts, labels};
use crate::operators::dedup::resolution::NONE;
use crate::operators::frame::Work;
use crate::operators::vectors::table::{Layout, Table};
use crate::operators::workers::Workers;

/// Adds cluster, ranks, label and coordinates to all rows. Memory: O(rows), for a few numbers per row; everything else
/// spills.
pub(super) async fn run(call: ConceptClusters, work: Work) -> Result<SendableRecordBatchStream> {
    let Work { input, columns, schema, context, .. } = work;
    let columns = columns.concat();
    let (vec, id) = (columns[0], columns[1]);
    let layout = Layout { vec, id, partition_by: None, order_by: vec![], seed: Some(call.seed) };
    let table = Table::read(NAME, call.metric, &layout, input, &context).await?;
    let reservation = MemoryConsumer::new(NAME).register(&context.task.runtime_env().memory_pool);
    reservation.try_grow(table.count * groups::ENTRY)?;
    let (metric, words) = (call.metric, call.words as usize);
    let inner = context.clone();
    let (table, groups) = Workers::new(&context.task)
        .run(NAME, move |workers| {
            let groups = groups::find(&call, &table, &inner, workers)?;
            Ok((table, groups))
        })
        .await?;
    MetricBuilder::new(&context.metrics).counter("iterations", 0).add(groups.iterations);
    MetricBuilder::new(&context.metrics).counter("compared_pairs", 0).add(groups.cluster.len() * groups.sizes.len());
    log::debug!("{NAME}: {} rows in {} clusters by {}", groups.cluster.len(), groups.sizes.len(), metric.name());
    let mut vector_of = vec![NONE; table.count];
    table.row_of.iter().enumerate().for_each(|(at, &row)| vector_of[row as usize] = at as u32);
    let labels = match columns.get(2) {
        Some(&text) => {
            let of = |&at: &u32| if at == NONE { NONE } else { groups.cluster[at as usize] };
            let cluster: Vec<u32> = vector_of.iter().map(of).collect();
            // The stored rows lack the vector column.
            let column = text - usize::from(text > vec);
            labels(&Texts { rows: &table.rows, column, cluster: &cluster, sizes: &groups.sizes }, words, &context)
                .await?
        }
        None => vec![None; groups.sizes.len()],
    };
    let added = Added {
        sizes: Arc::new(groups.sizes.iter().map(|size| size.cast_signed()).collect::<Int64Array>()),
        densities: Arc::new(groups.densities.iter().copied().collect::<Float64Array>()),
        labels: Arc::new(labels.into_iter().collect::<StringArray>()),
        vector_of,
        groups,
    };
    let mut first = 0;
    let output_schema = Arc::clone(&schema);
    let output = table.rows.stream()?.map(move |batch| {
        let batch = batch?;
        let _held = (&table, &reservation);
        let mut columns = batch.columns().to_vec();
        columns.extend(added.columns(first, batch.num_rows())?);
        first += batch.num_rows();
        Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(output_schema, output)))
}

/// The added columns.
struct Added {
    /// The index of the vector of each row.
    vector_of: Vec<u32>,
    groups: Groups,
    sizes: ArrayRef,
    densities: ArrayRef,
    labels: ArrayRef,
}

impl Added {
    /// Builds the added columns for `rows` rows, starting at `first`.
    fn columns(&self, first: usize, rows: usize) -> Result<Vec<ArrayRef>> {
        let Groups { cluster, distance, rank, place, sizes, .. } = &self.groups;
        let vectors = &self.vector_of[first..first + rows];
        let vector = |at: &u32| (*at != NONE).then_some(*at as usize);
        let floats = |of: &dyn Fn(usize) -> f64| -> ArrayRef {
            Arc::new(vectors.iter().map(|at| vector(at).map(of)).collect::<Float64Array>())
        };
        let integers = |of: &dyn Fn(usize) -> i64| -> ArrayRef {
            Arc::new(vectors.iter().map(|at| vector(at).map(of)).collect::<Int64Array>())
        };
        let size = |at: usize| sizes[cluster[at] as usize].cast_signed();
        let clusters: UInt32Array = vectors.iter().map(|at| vector(at).map(|at| cluster[at])).collect();
        Ok(vec![
            integers(&|at| i64::from(cluster[at])),
            floats(&|at| distance[at]),
            integers(&|at| i64::from(rank[at]) + 1),
            integers(&|at| size(at) - i64::from(rank[at])),
            take(&self.sizes, &clusters, None)?,
            take(&self.densities, &clusters, None)?,
            take(&self.labels, &clusters, None)?,
            floats(&|at| place[at][0]),
            floats(&|at| place[at][1]),
        ])
    }
}
