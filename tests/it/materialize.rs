//! What stands in `materialize`, and what is costly and stands in several places, is computed once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, Float32Array, Int64Array, ListArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Float32Type, Schema};
use arrow::util::pretty::pretty_format_batches;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::SessionContext;
use limpid::session::statement;

use super::everywhere::{Random, sessions};

const ROWS: usize = 500;

fn rows() -> RecordBatch {
    let mut random = Random(7);
    let vectors: Vec<_> = (0..ROWS).map(|_| Some((0..3).map(|_| Some(random.centred())).collect::<Vec<_>>())).collect();
    let vector = ListArray::from_iter_primitive::<Float32Type, _, _>(vectors);
    let number = Float32Array::from_iter_values((0..ROWS).map(|_| random.centred()));
    let id = Int64Array::from_iter_values(0..ROWS as i64);
    let label = Int64Array::from_iter_values((0..ROWS as i64).map(|id| id % 2));
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("label", DataType::Int64, false),
        Field::new("number", DataType::Float32, false),
        Field::new("vector", vector.data_type().clone(), true),
    ]);
    let columns: Vec<arrow::array::ArrayRef> = vec![Arc::new(id), Arc::new(label), Arc::new(number), Arc::new(vector)];
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &RecordBatchOptions::new()).unwrap()
}

async fn answer(ctx: &SessionContext, sql: &str) -> String {
    let batches = statement::sql(ctx, sql).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

/// A function that counts the rows it has seen.
pub(super) fn counted(ctx: &SessionContext) -> Arc<AtomicUsize> {
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    let count = move |args: &[ColumnarValue]| {
        let values = ColumnarValue::values_to_arrays(args)?.remove(0);
        counter.fetch_add(values.len(), Ordering::Relaxed);
        Ok(ColumnarValue::Array(values))
    };
    let (taken, given) = (vec![DataType::Int64], DataType::Int64);
    ctx.register_udf(create_udf("counted", taken, given, Volatility::Volatile, Arc::new(count)));
    seen
}

/// Three places that need other columns and other rows.
const THREE: &str = "SELECT a.id, a.number, most \
    FROM (SELECT max(seen) AS most FROM kept WHERE number > 0) CROSS JOIN kept AS a JOIN kept AS b ON a.id = b.seen + 1 WHERE a.id % 7 = 0 ORDER BY a.id";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_named_three_times_is_computed_once() {
    let dir = tempfile::tempdir().unwrap();
    for (name, ctx) in sessions("rows", &rows(), dir.path()).await {
        if name == "a cluster" {
            continue;
        }
        let seen = counted(&ctx);
        let written_out = format!("WITH kept AS (SELECT *, counted(id) AS seen FROM rows) {THREE}");
        let expected = answer(&ctx, &written_out).await;
        assert!(seen.swap(0, Ordering::Relaxed) > ROWS, "{name}");
        let kept =
            format!("WITH kept AS (SELECT * FROM materialize((SELECT *, counted(id) AS seen FROM rows))) {THREE}");
        for _ in 0..2 {
            assert_eq!(answer(&ctx, &kept).await, expected, "{name}");
            assert_eq!(seen.swap(0, Ordering::Relaxed), ROWS, "{name}: once for every query");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_in_two_places_runs_once() {
    let dir = tempfile::tempdir().unwrap();
    for (name, ctx) in sessions("rows", &rows(), dir.path()).await {
        if name == "a cluster" {
            continue;
        }
        let seen = counted(&ctx);
        let fitted = "SELECT id, run, margin(probs, label) AS margin FROM \
            fit_softmax((SELECT counted(id) AS id, label, vector FROM rows), epochs => 2, runs => 2)";
        let sql = format!(
            "WITH fitted AS ({fitted}) SELECT a.id, a.margin - b.margin AS change FROM (SELECT * FROM fitted WHERE run = 0) AS a \
             JOIN (SELECT * FROM fitted WHERE run = 1) AS b ON a.id = b.id ORDER BY change, a.id LIMIT 5"
        );
        let first = answer(&ctx, &sql).await;
        assert_eq!(seen.swap(0, Ordering::Relaxed), ROWS, "{name}");
        assert_eq!(answer(&ctx, &sql).await, first, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_leaves_early_leaves_the_rows_to_the_others() {
    let dir = tempfile::tempdir().unwrap();
    for (name, ctx) in sessions("rows", &rows(), dir.path()).await {
        // There every stage computes its own, and takes the limit in every partition.
        if name == "a cluster" {
            continue;
        }
        let sql = "WITH kept AS (SELECT * FROM materialize((SELECT id FROM rows))) \
            SELECT count(*) FROM ((SELECT * FROM kept LIMIT 1) UNION ALL SELECT * FROM kept)";
        let found = answer(&ctx, sql).await;
        assert!(found.contains(&(ROWS + 1).to_string()), "{name}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_hears_of_an_error() {
    let dir = tempfile::tempdir().unwrap();
    for (name, ctx) in sessions("rows", &rows(), dir.path()).await {
        let sql = "WITH kept AS (SELECT * FROM materialize((SELECT id, 1 / (id - 250) AS inverse FROM rows))) \
            SELECT count(*) FROM kept AS a JOIN kept AS b ON a.inverse = b.inverse AND a.id < b.id";
        let error = statement::sql(&ctx, sql).await.unwrap().collect().await.unwrap_err();
        let words = error.to_string().to_lowercase().replace(' ', "");
        assert!(words.contains("dividebyzero"), "{name}: {error}");
    }
}
