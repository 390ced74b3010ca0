//! Runs `assign_nearest`: rows stream through, and only the centroids are kept in memory.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch, UInt32Array, new_empty_array};
use arrow::compute::{concat, take};
use arrow::row::{RowConverter, SortField};
use datafusion::common::{DataFusionError, Result, exec_err, internal_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::metrics::MetricBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt};
use tokio::sync::OnceCell;

use super::AssignNearest;
use super::NAME;
use crate::functions::vector::embeddings::{self, Embeddings};
use crate::kernels::vector::arithmetic::squared_norm;
use crate::kernels::vector::search::{Best, Metric, NOBODY, Rows, Scores, improve};
use crate::operators::frame::{OperatorContext, Work};
use crate::operators::vectors::table::LONGEST;

/// The centroids, read once per process by the first partition that needs them. If reading fails, all partitions fail,
/// because the plan of the centroids cannot run twice.
type SharedCentroids = OnceCell<Result<Arc<Centroids>, Arc<DataFusionError>>>;

/// The centroids in ascending order of their ids, so that ties go to the smallest id.
#[derive(Debug)]
pub struct Centroids {
    ids: ArrayRef,
    values: Vec<f32>,
    squared: Vec<f64>,
    dimensions: usize,
    _reservation: MemoryReservation,
}

/// Approximate number of dot products held at once.
const PRODUCTS: usize = 1 << 20;

impl Centroids {
    async fn read(
        metric: Metric,
        columns: &[usize],
        mut input: SendableRecordBatchStream,
        context: &OperatorContext,
    ) -> Result<Self> {
        let reservation = MemoryConsumer::new("centroids").register(&context.task.runtime_env().memory_pool);
        let below = input.schema();
        let (mut ids, mut values, mut squared, mut dimensions) = (vec![], vec![], vec![], None);
        while let Some(batch) = input.try_next().await? {
            let [id, centroid] = [columns[0], columns[1]].map(|column| batch.column(column));
            if id.null_count() > 0 {
                return exec_err!("{NAME}: a centroid_id is NULL");
            }
            reservation
                .try_grow(centroid.get_array_memory_size() + id.get_array_memory_size() + 16 * batch.num_rows())?;
            let centroids = Embeddings::try_new(NAME, centroid)?;
            for row in 0..batch.num_rows() {
                let Some(vector) = centroids.finite(row)? else { return exec_err!("{NAME}: a centroid is NULL") };
                let own = *dimensions.get_or_insert(vector.len());
                if own != vector.len() {
                    return embeddings::mixed(NAME, own, vector.len());
                }
                let length = squared_norm(vector);
                if vector.is_empty() || length > LONGEST || (metric == Metric::Cosine && length < 1.0 / LONGEST) {
                    return exec_err!(
                        "{NAME}: a centroid has length {}; lengths must be between 1e-15 and 1e15",
                        length.sqrt()
                    );
                }
                values.extend_from_slice(vector);
                squared.push(length);
            }
            ids.push(Arc::clone(id));
        }
        let dimensions = dimensions.unwrap_or_default();
        let ids = match ids.as_slice() {
            [] => new_empty_array(below.field(columns[0]).data_type()),
            ids => concat(&ids.iter().map(AsRef::as_ref).collect::<Vec<_>>())?,
        };
        let converter = RowConverter::new(vec![SortField::new(below.field(columns[0]).data_type().clone())])?;
        let rows = converter.convert_columns(std::slice::from_ref(&ids))?;
        let mut order: Vec<u32> = (0..ids.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| rows.row(a as usize).cmp(&rows.row(b as usize)));
        if let Some(pair) = order.windows(2).find(|pair| rows.row(pair[0] as usize) == rows.row(pair[1] as usize)) {
            let id = arrow::util::display::array_value_to_string(&ids, pair[0] as usize)?;
            return exec_err!("{NAME}: centroid_id `{id}` appears more than once");
        }
        let sorted = order.iter().flat_map(|&at| &values[at as usize * dimensions..(at as usize + 1) * dimensions]);
        Ok(Self {
            values: sorted.copied().collect(),
            squared: order.iter().map(|&at| squared[at as usize]).collect(),
            ids: take(&ids, &UInt32Array::from(order), None)?,
            dimensions,
            _reservation: reservation,
        })
    }

    /// Returns the nearest centroid of every row; [`NOBODY`] if the row has no vector or its vector has no direction.
    fn nearest(&self, metric: Metric, vectors: &ArrayRef, scores: &mut Scores) -> Result<Vec<Best>> {
        let centroids = Rows { values: &self.values, squared: &self.squared, dimensions: self.dimensions };
        let vectors = Embeddings::try_new(NAME, vectors)?;
        let mut found = vec![Best::NONE; vectors.len()];
        match (vectors.len(), centroids.len()) {
            (0, _) => return Ok(found),
            (_, 0) => return exec_err!("{NAME}: `centroids` has no row"),
            _ => {}
        }
        let block = (PRODUCTS / centroids.len()).clamp(16, 1024);
        let (mut values, mut squared, mut rows) = (vec![], vec![], vec![]);
        for row in 0..vectors.len() {
            if let Some(vector) = vectors.finite(row)? {
                if vector.len() != self.dimensions {
                    return exec_err!(
                        "{NAME}: a vector has {} dimensions and the centroids have {}",
                        vector.len(),
                        self.dimensions
                    );
                }
                let length = squared_norm(vector);
                if length > LONGEST || (length < 1.0 / LONGEST && length > 0.0) {
                    return exec_err!(
                        "{NAME}: a vector has length {}; lengths must be between 1e-15 and 1e15",
                        length.sqrt()
                    );
                }
                if metric == Metric::L2 || length > 0.0 {
                    values.extend_from_slice(vector);
                    squared.push(length);
                    rows.push(row);
                }
            }
            if squared.len() == block || (row + 1 == vectors.len() && !squared.is_empty()) {
                let here = Rows { values: &values, squared: &squared, dimensions: self.dimensions };
                scores.fill(metric, here, centroids);
                for (at, &row) in rows.iter().enumerate() {
                    let (pair, limit) = ((here, centroids), (at, centroids.len()));
                    improve(metric, pair, scores, limit, |there| there as u32, &mut found[row]);
                }
                (values, squared, rows) = (vec![], vec![], vec![]);
            }
        }
        Ok(found)
    }
}

/// Adds the nearest centroid to each row of one partition.
pub(super) async fn run(call: AssignNearest, work: Work) -> Result<SendableRecordBatchStream> {
    let metric = call.metric;
    let Work { input, columns, schema, context, others, .. } = work;
    let Some(centroids) = others.first() else { return internal_err!("{NAME} takes two relations") };
    let shared = context.shared.get::<SharedCentroids>();
    let read = || async { Centroids::read(metric, &columns[1], centroids.rows()?, &context).await };
    let read = || async { read().await.map(Arc::new).map_err(Arc::new) };
    let centroids = shared.get_or_init(read).await.clone().map_err(DataFusionError::Shared)?;
    let compared = MetricBuilder::new(&context.metrics).counter("compared_pairs", 0);
    let vec = columns[0][0];
    let mut scores = Scores::default();
    let output_schema = Arc::clone(&schema);
    let output = input.map(move |batch| {
        let batch = batch?;
        let found = centroids.nearest(metric, batch.column(vec), &mut scores)?;
        compared.add(found.len() * centroids.squared.len());
        let nearest: UInt32Array = found.iter().map(|best| (best.number != NOBODY).then_some(best.number)).collect();
        let distances: Float64Array =
            found.iter().map(|best| (best.number != NOBODY).then(|| metric.distance(best.score))).collect();
        let mut columns = batch.columns().to_vec();
        columns.push(take(&centroids.ids, &nearest, None)?);
        columns.push(Arc::new(distances));
        Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(output_schema, output)))
}
