//! Analyses against twins: over 1 and 7 partitions, in little memory, on a cluster, and through the codec.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeListArray, Float64Array, Int64Array, ListBuilder, RecordBatch,
    StringBuilder,
};
use arrow::datatypes::{Float32Type, Float64Type, Int32Type, Int64Type};
use datafusion::prelude::SessionContext;
use limpid::session::statement;

use super::everywhere::{self, Random};

/// The rows in sessions of every kind.
async fn sessions(rows: &RecordBatch, dir: &Path) -> Vec<(String, SessionContext)> {
    everywhere::sessions("t", rows, dir).await
}

async fn run(ctx: &SessionContext, sql: &str) -> Vec<RecordBatch> {
    statement::sql(ctx, sql).await.unwrap().collect().await.unwrap()
}

async fn error(ctx: &SessionContext, sql: &str) -> String {
    match statement::sql(ctx, sql).await {
        Ok(frame) => frame.collect().await.unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

/// A log of retrievals: query, rank, source, group of the source, utility.
fn retrievals(queries: u64, results: u64) -> RecordBatch {
    let mut random = Random(3);
    let mut rows: Vec<[i64; 4]> = vec![];
    let mut utility = vec![];
    for query in 0..queries {
        for rank in 0..1 + random.below(results) {
            let source = random.below(12) as i64;
            rows.push([query as i64, rank as i64 * 2 - 3, source, source / 3]);
            utility.push(random.below(3) as f64 / 2.0);
        }
    }
    for at in (1..rows.len()).rev() {
        let other = random.below(at as u64 + 1) as usize;
        rows.swap(at, other);
        utility.swap(at, other);
    }
    let column = |at: usize| -> ArrayRef { Arc::new(rows.iter().map(|row| row[at]).collect::<Int64Array>()) };
    let columns = [
        ("query_id", column(0)),
        ("rank", column(1)),
        ("source_id", column(2)),
        ("host", column(3)),
        ("utility", Arc::new(Float64Array::from(utility)) as ArrayRef),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// The definition: the derivative of the expectation over all subsets of a query's results, then projected ascent.
fn importance_twin(rows: &RecordBatch, k: usize, rate: f64, steps: usize, grouped: bool) -> BTreeMap<i64, f64> {
    let ints = |at: usize| rows.column(at).as_primitive::<Int64Type>().values().to_vec();
    let (query, rank, source, host) = (ints(0), ints(1), ints(2), ints(3));
    let utility = rows.column(4).as_primitive::<Float64Type>().values().to_vec();
    let mut queries: BTreeMap<i64, Vec<(i64, i64, f64)>> = BTreeMap::new();
    for at in 0..rows.num_rows() {
        queries.entry(query[at]).or_default().push((rank[at], source[at], utility[at]));
    }
    queries.values_mut().for_each(|results| results.sort_by_key(|result| result.0));
    let hosts: BTreeMap<i64, i64> = source.iter().copied().zip(host).collect();
    let mut v: BTreeMap<i64, f64> = source.iter().map(|source| (*source, 0.5)).collect();
    for _ in 0..steps {
        let mut slope: BTreeMap<i64, f64> = BTreeMap::new();
        for results in queries.values() {
            let p: Vec<f64> = results.iter().map(|(_, source, _)| v[source]).collect();
            for subset in 0_u32..1 << results.len() {
                let there = |at: usize| subset >> at & 1 == 1;
                let first: f64 = (0..p.len()).filter(|at| there(*at)).take(k).map(|at| results[at].2).sum();
                for (out, result) in results.iter().enumerate() {
                    let others: f64 = (0..p.len())
                        .filter(|at| *at != out)
                        .map(|at| if there(at) { p[at] } else { 1.0 - p[at] })
                        .product();
                    let sign = if there(out) { 1.0 } else { -1.0 };
                    *slope.entry(result.1).or_default() += sign * others * first / k as f64;
                }
            }
        }
        for (source, v) in &mut v {
            *v = (*v + rate * slope[source] / queries.len() as f64).clamp(0.0, 1.0);
        }
        if grouped {
            let mut sums: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
            for (source, v) in &v {
                let sum = sums.entry(hosts[source]).or_default();
                *sum = (sum.0 + v, sum.1 + 1.0);
            }
            v.iter_mut().for_each(|(source, v)| *v = sums[&hosts[source]].0 / sums[&hosts[source]].1);
        }
    }
    v
}

#[tokio::test(flavor = "multi_thread")]
async fn multilinear_importance_equals_brute_force_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let rows = retrievals(40, 8);
    for (name, ctx) in sessions(&rows, dir.path()).await {
        for (k, grouped) in [(1, false), (3, false), (3, true)] {
            let group = if grouped { ", group => host" } else { "" };
            let sql = format!(
                "SELECT source_id, importance FROM multilinear_importance(t, k => {k}, learning_rate => 0.7, steps => 6{group})"
            );
            let mut found = BTreeMap::new();
            for batch in run(&ctx, &sql).await {
                let sources = batch.column(0).as_primitive::<Int64Type>();
                let importance = batch.column(1).as_primitive::<Float64Type>();
                found.extend(sources.values().iter().copied().zip(importance.values().iter().copied()));
            }
            let twin = importance_twin(&rows, k, 0.7, 6, grouped);
            assert_eq!(found.len(), twin.len(), "{name}");
            for (source, importance) in found {
                assert!((importance - twin[&source]).abs() < 1e-12, "{name}: {source} {importance} {}", twin[&source]);
            }
        }
    }
}

/// Clouds of three classes in four dimensions: id, vector, label, whether it is for validation.
fn clouds(count: usize) -> RecordBatch {
    let mut random = Random(11);
    let mut ids: Vec<i64> = (0..count as i64).map(|at| at * 7 - 50).collect();
    for at in (1..count).rev() {
        ids.swap(at, random.below(at as u64 + 1) as usize);
    }
    let labels: Vec<i64> = (0..count).map(|_| random.below(3) as i64).collect();
    let vectors = labels.iter().map(|label| {
        let mut vector: Vec<Option<f32>> = (0..4).map(|_| Some((2.0 * random.unit() - 1.0) as f32)).collect();
        vector[*label as usize] = vector[*label as usize].map(|value| value + 0.8);
        Some(vector)
    });
    let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(vectors.collect::<Vec<_>>(), 4);
    let valid: BooleanArray = ids.iter().map(|id| Some(id.rem_euclid(3) == 0)).collect();
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(Int64Array::from(ids))),
        ("vector", Arc::new(vectors)),
        ("label", Arc::new(Int64Array::from(labels))),
        ("valid", Arc::new(valid)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Logs of training: (id, run, step) to probabilities.
fn dynamics(batches: &[RecordBatch]) -> BTreeMap<(i64, i32, i32), Vec<f32>> {
    let mut found = BTreeMap::new();
    for batch in batches {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let (runs, steps) = (batch.column(1).as_primitive::<Int32Type>(), batch.column(2).as_primitive::<Int32Type>());
        for row in 0..batch.num_rows() {
            let probs = batch.column(3).as_list::<i32>().value(row).as_primitive::<Float32Type>().values().to_vec();
            let key = (ids.value(row), runs.value(row), steps.value(row));
            assert!(found.insert(key, probs).is_none(), "a row came twice");
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn fit_softmax_is_the_same_everywhere_and_learns() {
    let dir = tempfile::tempdir().unwrap();
    let rows = clouds(300);
    let sql = "SELECT id, run, step, probs FROM fit_softmax(t, hidden => 8, runs => 3, epochs => 4, seed => 5)";
    let mut first = None;
    for (name, ctx) in sessions(&rows, dir.path()).await {
        let found = dynamics(&run(&ctx, sql).await);
        assert_eq!(found.len(), 300 * 3 * 4, "{name}");
        assert_eq!(&found, first.get_or_insert_with(|| found.clone()), "{name}");
        let other = dynamics(&run(&ctx, &sql.replace("seed => 5", "seed => 6")).await);
        assert!(found != other, "{name}");
    }
    let (_, ctx) = sessions(&rows, dir.path()).await.swap_remove(0);
    let held_out = "SELECT avg(CASE WHEN margin(probs, f.label) > 0 THEN 1.0 ELSE 0.0 END) FROM \
                    fit_softmax((SELECT *, NOT valid AS train FROM t), train => train, epochs => 20, log => 'last') AS f \
                    JOIN t ON t.id = f.id WHERE valid";
    let batches = run(&ctx, held_out).await;
    assert!(batches[0].column(0).as_primitive::<Float64Type>().value(0) > 0.55);
    // Probabilities are those of the logits where there is no bias to speak of, and the norms are those of the inputs.
    let sql = "SELECT bool_and(abs(h_sq - array_sum(v)) < 1e-4) FROM (SELECT h_sq, \
               [power(vector[1], 2), power(vector[2], 2), power(vector[3], 2), power(vector[4], 2)] AS v \
               FROM fit_softmax(t, log => 'last') AS f JOIN t ON t.id = f.id)";
    assert!(run(&ctx, sql).await[0].column(0).as_boolean().value(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn influence_is_the_same_everywhere_and_predicts_retraining() {
    let dir = tempfile::tempdir().unwrap();
    let rows = clouds(150);
    let sql = "SELECT id, influence FROM influence(t, target => valid, l2 => 0.01)";
    let mut first: Option<BTreeMap<i64, f64>> = None;
    for (name, ctx) in sessions(&rows, dir.path()).await {
        let mut found = BTreeMap::new();
        for batch in run(&ctx, sql).await {
            let ids = batch.column(0).as_primitive::<Int64Type>().values().to_vec();
            found.extend(ids.into_iter().zip(batch.column(1).as_primitive::<Float64Type>().values().to_vec()));
        }
        assert!(found.keys().all(|id| id.rem_euclid(3) != 0), "{name}");
        assert_eq!(&found, first.get_or_insert_with(|| found.clone()), "{name}");
    }
    // The vector gives the same scores by plain SQL.
    let (_, ctx) = sessions(&rows, dir.path()).await.swap_remove(0);
    let by_hand = "WITH s AS (SELECT * FROM inverse_hvp(t, target => valid, l2 => 0.01)), \
        z AS (SELECT t.id, t.label, s.class, inner_product(s.weights, t.vector) AS logit, inner_product(s.inverse_hvp, t.vector) AS along \
          FROM t CROSS JOIN s WHERE NOT valid), \
        p AS (SELECT *, exp(logit) / sum(exp(logit)) OVER (PARTITION BY id) AS p FROM z) \
        SELECT id, sum((p - CASE WHEN label = class THEN 1.0 ELSE 0.0 END) * along) / (SELECT count(*) FROM t WHERE NOT valid) \
        FROM p GROUP BY id";
    let expected = first.unwrap();
    let mut seen = 0;
    for batch in run(&ctx, by_hand).await {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let scores = batch.column(1).as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            let twin = expected[&ids.value(row)];
            assert!((scores.value(row) - twin).abs() < 1e-12, "{} {twin}", scores.value(row));
            seen += 1;
        }
    }
    assert_eq!(seen, expected.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (_, ctx) = sessions(&clouds(30), dir.path()).await.swap_remove(0);
    for (sql, said) in [
        (
            "SELECT * FROM fit_softmax(t, vector => id)",
            "vector must be a list of 16, 32 or 64-bit floats, `id` is Int64",
        ),
        ("SELECT * FROM fit_softmax(t, label => vector)", "label must be an integer or text"),
        ("SELECT * FROM fit_softmax(t, epochs => 0)", "`epochs` must be a whole number from 1 to 100000, not 0"),
        ("SELECT * FROM fit_softmax(t, train => id)", "`id` must be Boolean, not Int64"),
        ("SELECT * FROM fit_softmax(t, learning_rate => 1000, l2 => 1, epochs => 300)", "diverged in epoch"),
        ("SELECT * FROM fit_softmax((SELECT * FROM t UNION ALL SELECT * FROM t))", "comes twice"),
        ("SELECT * FROM fit_softmax((SELECT id, vector, -1 AS label FROM t))", "has label -1"),
        (
            "SELECT * FROM fit_softmax((SELECT id, CASE WHEN id > 0 THEN [1.0] ELSE [1.0, 2.0] END AS vector, label FROM t))",
            "values",
        ),
        (
            "SELECT * FROM fit_softmax((SELECT id, vector, NULL::INT AS label FROM t))",
            "no row has a label to learn from",
        ),
        (
            "SELECT * FROM influence((SELECT id, vector, NULLIF(label, 1) AS label, valid FROM t), target => valid)",
            "has no label",
        ),
        ("SELECT * FROM influence((SELECT *, false AS no FROM t), target => no)", "there is no target row"),
        ("SELECT * FROM influence(t, target => valid, depth => 4)", "`depth` belongs to solver => 'lissa'"),
        (
            "SELECT * FROM influence(t, target => valid, solver => 'lissa', scale => 0.001)",
            "the LiSSA recursion diverged",
        ),
        (
            "SELECT * FROM multilinear_importance(t, query => id, rank => id, source => id, utility => vector)",
            "utility must be a number",
        ),
        (
            "SELECT * FROM multilinear_importance(t, query => label, rank => label, source => id, utility => id)",
            "comes twice in a query",
        ),
        (
            "SELECT * FROM multilinear_importance(t, query => label, rank => id, source => label, utility => id, group => valid)",
            "is in two groups",
        ),
    ] {
        let found = error(&ctx, sql).await;
        assert!(found.contains(said), "{sql}\n{found}");
    }
    let empty = run(&ctx, "SELECT * FROM fit_softmax((SELECT * FROM t WHERE false))").await;
    assert_eq!(empty.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
    let empty = run(&ctx, "SELECT * FROM influence((SELECT * FROM t WHERE false), target => valid)").await;
    assert_eq!(empty.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undamped_lissa_comes_near_the_exact_solution() {
    let dir = tempfile::tempdir().unwrap();
    let (_, ctx) = sessions(&clouds(200), dir.path()).await.swap_remove(0);
    let sql = "SELECT corr(a.influence, b.influence) FROM influence(t, target => valid, l2 => 0.1) AS a \
               JOIN influence(t, target => valid, l2 => 0.1, solver => 'lissa', damp => 0, scale => 50, depth => 50000) AS b USING (id)";
    assert!(run(&ctx, sql).await[0].column(0).as_primitive::<Float64Type>().value(0) > 0.98);
}

/// Rows with a score from few values, and up to four of nine concepts.
fn concept_rows(count: usize) -> RecordBatch {
    let mut random = Random(17);
    let mut ids: Vec<i64> = (0..count as i64).collect();
    for at in (1..count).rev() {
        ids.swap(at, random.below(at as u64 + 1) as usize);
    }
    let scores: Float64Array =
        (0..count).map(|_| (random.below(9) > 0).then(|| random.below(6) as f64 / 2.0)).collect();
    let mut lists = ListBuilder::new(StringBuilder::new());
    for _ in 0..count {
        let length = random.below(5);
        lists.append_value((0..length).map(|_| Some(format!("c{}", random.below(9)))).collect::<Vec<_>>());
    }
    let columns: [(&str, ArrayRef); 3] =
        [("id", Arc::new(Int64Array::from(ids))), ("score", Arc::new(scores)), ("concepts", Arc::new(lists.finish()))];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, name != "id"))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn graph_filter_equals_its_twin_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let rows = concept_rows(120);
    let (ids, scores) = (rows.column(0).as_primitive::<Int64Type>(), rows.column(1).as_primitive::<Float64Type>());
    let mut order: Vec<usize> = (0..rows.num_rows()).collect();
    order.sort_by(|a, b| {
        let key = |row: usize| if scores.is_valid(row) { scores.value(row) } else { -1.0 };
        key(*b).total_cmp(&key(*a)).then(ids.value(*a).cmp(&ids.value(*b)))
    });
    let (mut kept, mut twin) = (Vec::<BTreeSet<String>>::new(), BTreeMap::new());
    for row in order {
        let concepts = rows.column(2).as_list::<i32>().value(row);
        let concepts: BTreeSet<String> = concepts.as_string::<i32>().iter().flatten().map(str::to_owned).collect();
        let known = |concept: &String| kept.iter().any(|row| row.contains(concept));
        let linked = |a: &String, b: &String| kept.iter().any(|row| row.contains(a) && row.contains(b));
        let conflict =
            concepts.iter().any(|a| concepts.iter().any(|b| a != b && known(a) && known(b) && !linked(a, b)));
        twin.insert(ids.value(row), !conflict);
        if !conflict {
            kept.push(concepts);
        }
    }
    assert!(twin.values().filter(|keep| !**keep).count() > 10);
    for (name, ctx) in sessions(&rows, dir.path()).await {
        let mut found = BTreeMap::new();
        for batch in run(&ctx, "SELECT id, keep, reason FROM graph_filter(t)").await {
            let ids = batch.column(0).as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                let keep = batch.column(1).as_boolean().value(row);
                assert_eq!(keep, batch.column(2).is_null(row), "{name}");
                found.insert(ids.value(row), keep);
            }
        }
        assert_eq!(found, twin, "{name}");
    }
}

/// Two rings around each other and a bar beside them: shapes that no centroid describes.
fn shapes() -> (RecordBatch, BTreeMap<i64, usize>) {
    let points: Vec<([f32; 2], usize)> = (0_i32..180)
        .map(|at| {
            let turn = f64::from(at) * 2.399_963;
            let point = match at % 3 {
                0 => [turn.sin(), turn.cos()],
                1 => [3.0 * turn.sin(), 3.0 * turn.cos()],
                _ => [6.0, f64::from(at) / 40.0 - 3.0],
            };
            (point.map(|x| x as f32), (at % 3) as usize)
        })
        .collect();
    let ids: Vec<i64> = (0..180).map(|at| (at * 77 + 5) % 180).collect();
    let vectors = points.iter().map(|(point, _)| Some(point.map(Some).to_vec()));
    let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(vectors.collect::<Vec<_>>(), 2);
    let truth = ids.iter().copied().zip(points.iter().map(|(_, shape)| *shape)).collect();
    let columns: [(&str, ArrayRef); 2] = [("id", Arc::new(Int64Array::from(ids))), ("vector", Arc::new(vectors))];
    (RecordBatch::try_from_iter(columns).unwrap(), truth)
}

/// The twin: what hangs together by steps shorter than one, which is less than the gaps between the shapes.
#[tokio::test(flavor = "multi_thread")]
async fn spectral_clusters_equal_connected_shapes_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let (rows, truth) = shapes();
    let mut first = None;
    for (name, ctx) in sessions(&rows, dir.path()).await {
        for landmarks in [90, 1000] {
            let sql = format!(
                "SELECT id, cluster_id FROM spectral_clusters(t, k => 3, sigma => 0.4, landmarks => {landmarks})"
            );
            let mut found = BTreeMap::new();
            for batch in run(&ctx, &sql).await {
                let ids = batch.column(0).as_primitive::<Int64Type>();
                let clusters = batch.column(1).as_primitive::<Int32Type>();
                found.extend(ids.values().iter().copied().zip(clusters.values().iter().copied()));
            }
            // Numbers follow the ids, so equal partitions have equal numbers.
            let mut order = vec![];
            for (id, shape) in &truth {
                let number = order.iter().position(|known| known == shape).unwrap_or_else(|| {
                    order.push(*shape);
                    order.len() - 1
                });
                assert_eq!(found[id] as usize, number, "{name}, {landmarks} landmarks: {id}");
            }
            assert_eq!(&found, first.get_or_insert_with(|| found.clone()), "{name}");
        }
    }
    let (_, ctx) = sessions(&rows, dir.path()).await.swap_remove(0);
    for (sql, said) in [
        ("SELECT * FROM spectral_clusters(t)", "needs"),
        ("SELECT * FROM spectral_clusters(t, k => 0)", "`k` must be a whole number from 1 to 1000, not 0"),
        ("SELECT * FROM spectral_clusters(t, k => 2, vector => id)", "vector must be a list"),
        (
            "SELECT * FROM spectral_clusters((SELECT id, NULLIF(vector, vector) AS vector FROM t), k => 2)",
            "NULL vector",
        ),
        ("SELECT * FROM spectral_clusters((SELECT 1 AS id, vector FROM t), k => 2)", "comes twice"),
    ] {
        let found = error(&ctx, sql).await;
        assert!(found.contains(said), "{sql}\n{found}");
    }
}
