use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray, StringViewArray};
use arrow::compute::SortOptions;
use arrow::datatypes::Int64Type;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_expr::expressions::col;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::prelude::SessionConfig;

use super::*;

fn context(limit: usize) -> TaskContext {
    let env = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(limit))).build_arc().unwrap();
    TaskContext::default().with_session_config(SessionConfig::new().with_batch_size(512)).with_runtime(env)
}

/// Batches that are slices of one text column and share its buffers.
fn batches(rows: i64, views: bool, bytes: usize) -> Vec<RecordBatch> {
    let ids = (0..rows).map(|row| row * 7_919 % rows);
    let texts = ids.clone().map(|id| format!("{:07}", id / 3).repeat(bytes / 7));
    let texts: ArrayRef = if views {
        Arc::new(texts.map(Some).collect::<StringViewArray>())
    } else {
        Arc::new(texts.map(Some).collect::<StringArray>())
    };
    let ids: ArrayRef = Arc::new(ids.collect::<Int64Array>());
    let whole = RecordBatch::try_from_iter([("id", ids), ("text", texts)]).unwrap();
    (0..rows as usize).step_by(500).map(|at| whole.slice(at, 500.min(rows as usize - at))).collect()
}

async fn sorted(input: Vec<RecordBatch>, limit: usize) -> (Vec<RecordBatch>, usize, usize) {
    first(input, None, limit).await
}

async fn first(input: Vec<RecordBatch>, fetch: Option<usize>, limit: usize) -> (Vec<RecordBatch>, usize, usize) {
    let schema = input[0].schema();
    let by = |name: &str, options| PhysicalSortExpr::new(col(name, &schema).unwrap(), options);
    let down = SortOptions { descending: true, nulls_first: false };
    let ordering = LexOrdering::new([by("text", down), by("id", SortOptions::default())]).unwrap();
    let context = context(limit);
    let set = ExecutionPlanMetricsSet::new();
    let input = futures::stream::iter(input.into_iter().map(Ok));
    let input = Box::pin(RecordBatchStreamAdapter::new(schema.clone(), input));
    let stream = sort("test", input, ordering, fetch, &context, SpillMetrics::new(&set, 0));
    let rows = stream.try_collect().await.unwrap();
    assert_eq!(context.memory_pool().reserved(), 0);
    let metrics = set.clone_inner();
    (rows, metrics.spill_count().unwrap_or(0), metrics.spilled_bytes().unwrap_or(0))
}

fn ids(batches: &[RecordBatch]) -> Vec<i64> {
    batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}

#[tokio::test]
async fn ten_times_the_limit_is_sorted_whether_texts_are_views_or_not() {
    let mut expected: Vec<i64> = (0..20_000).collect();
    expected.sort_by_key(|id| (-(id / 3), *id));
    for views in [false, true] {
        let input = batches(20_000, views, 700);
        let bytes: usize = input.iter().map(crate::storage::compact::used).sum();
        for limit in [bytes / 10, bytes / 100, usize::MAX] {
            let (rows, spills, spilled) = sorted(input.clone(), limit).await;
            assert_eq!(ids(&rows), expected, "views {views}, limit {limit}");
            assert_eq!(spills > 0, limit < bytes, "views {views}, limit {limit}");
            // Each pass over the runs writes the data once.
            assert!(spilled < 6 * bytes, "views {views}, limit {limit}: {spilled} of {bytes} bytes, {spills} files");
            let largest = rows.iter().map(held).max().unwrap();
            assert!(largest < 5 << 20, "{largest}");
        }
    }
}

#[tokio::test]
async fn rows_larger_than_the_limit_pass() {
    let (rows, spills, _) = sorted(batches(60, true, 200_000), 1_000_000).await;
    let mut expected: Vec<i64> = (0..60).collect();
    expected.sort_by_key(|id| (-(id / 3), *id));
    assert_eq!(ids(&rows), expected);
    assert!(spills > 0);
    assert!(rows.iter().all(|batch| batch.num_rows() == 1));
}

#[tokio::test]
async fn the_first_rows_are_found_without_keeping_or_writing_all() {
    let mut expected: Vec<i64> = (0..40_000).collect();
    expected.sort_by_key(|id| (-(id / 3), *id));
    for views in [false, true] {
        let input = batches(40_000, views, 700);
        let bytes: usize = input.iter().map(crate::storage::compact::used).sum();
        for (fetch, limit) in
            [(1, bytes / 20), (100, bytes / 20), (100, bytes / 500), (5_000, bytes / 20), (50_000, bytes / 20)]
        {
            let (rows, _, spilled) = first(input.clone(), Some(fetch), limit).await;
            // A merge may return one batch more, so take only the first rows.
            let rows: Vec<_> = ids(&rows).into_iter().take(fetch).collect();
            assert_eq!(rows, expected[..fetch.min(40_000)], "views {views}, {fetch} rows, limit {limit}");
            assert!(
                4 * 700 * fetch > limit || spilled < bytes / 2,
                "views {views}, {fetch} rows, limit {limit}: {spilled} of {bytes}"
            );
        }
    }
}
