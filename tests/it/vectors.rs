//! The operators over vectors against their definitions: over 1 and 7 partitions, spilling, and on a cluster.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, Int64Array, RecordBatch};
use arrow::datatypes::{Float32Type, Float64Type, Int64Type};
use datafusion::prelude::SessionContext;
use limpid::session::statement;

use super::everywhere::{self, Random};

pub(super) const DIMENSIONS: usize = 24;

/// A vector with its key, quality and group.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) id: i64,
    pub(super) quality: i64,
    pub(super) part: i64,
    pub(super) vector: Option<Vec<f32>>,
}

/// Clouds of vectors with copies, multiples, near copies and chains of them, zeros and missing ones.
pub(super) fn items(seed: u64, count: usize) -> Vec<Item> {
    let mut random = Random(seed);
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None, Some(vec![0.0; DIMENSIONS])];
    let clouds: Vec<Vec<f32>> = (0..8).map(|_| (0..DIMENSIONS).map(|_| random.centred()).collect()).collect();
    while vectors.len() < count {
        let cloud = &clouds[random.below(8) as usize];
        let mut vector: Vec<f32> = cloud.iter().map(|c| c + 0.6 * random.centred()).collect();
        vectors.push(Some(vector.clone()));
        for _ in 0..random.below(4) {
            match random.below(4) {
                0 => {}
                1 => vector.iter_mut().for_each(|x| *x *= 3.0),
                _ => vector.iter_mut().for_each(|x| *x += 0.15 * random.centred()),
            }
            vectors.push(Some(vector.clone()));
        }
    }
    for at in (1..vectors.len()).rev() {
        vectors.swap(at, random.below(at as u64 + 1) as usize);
    }
    let items = vectors.into_iter().enumerate().map(|(at, vector)| Item {
        id: 1000 - at as i64,
        quality: random.below(4) as i64,
        part: random.below(3) as i64,
        vector,
    });
    items.collect()
}

pub(super) fn batch(items: &[Item]) -> RecordBatch {
    let int =
        |f: fn(&Item) -> i64| -> ArrayRef { Arc::new(items.iter().map(|item| Some(f(item))).collect::<Int64Array>()) };
    let vectors = items.iter().map(|item| item.vector.as_ref().map(|v| v.iter().map(|x| Some(*x)).collect::<Vec<_>>()));
    let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(vectors, DIMENSIONS as i32);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", int(|item| item.id)),
        ("quality", int(|item| item.quality)),
        ("part", int(|item| item.part)),
        ("embedding", Arc::new(vectors)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap()
}

/// The items in sessions of every kind.
pub(super) async fn sessions(items: &[Item], dir: &Path) -> Vec<(String, SessionContext)> {
    everywhere::sessions("items", &batch(items), dir).await
}

/// The rows of a query by the first column; the rest as text, floats with all their digits.
pub(super) async fn run(ctx: &SessionContext, sql: &str) -> BTreeMap<i64, Vec<String>> {
    let batches = statement::sql(ctx, sql).await.unwrap().collect().await.unwrap();
    let mut rows = BTreeMap::new();
    for batch in batches {
        for at in 0..batch.num_rows() {
            let cells = batch.columns()[1..].iter().map(|column| cell(column, at));
            let id = batch.column(0).as_primitive::<Int64Type>().value(at);
            assert!(rows.insert(id, cells.collect()).is_none(), "a row came twice");
        }
    }
    rows
}

fn cell(column: &ArrayRef, at: usize) -> String {
    if column.is_null(at) {
        return "NULL".into();
    }
    match column.as_primitive_opt::<Float64Type>() {
        Some(floats) => format!("{:?}", floats.value(at)),
        None => arrow::util::display::array_value_to_string(column, at).unwrap(),
    }
}

pub(super) fn show<T: std::fmt::Debug>(value: Option<T>) -> String {
    value.map_or_else(|| "NULL".into(), |value| format!("{value:?}"))
}

use limpid_udfs::kernels::vector::arithmetic::{cosine, squared_distance, squared_norm};

/// Exact cosine; `None` where one has no direction.
fn similarity(a: &Item, b: &Item) -> Option<f64> {
    let (a, b) = (a.vector.as_ref()?, b.vector.as_ref()?);
    cosine(a, b, squared_norm(a), squared_norm(b))
}

pub(super) fn distance(metric: &str, a: &[f32], b: &[f32]) -> Option<f64> {
    match metric {
        "l2" => Some(squared_distance(a, b).sqrt()),
        _ => cosine(a, b, squared_norm(a), squared_norm(b)).map(|cosine| 1.0 - cosine),
    }
}

fn survivor_order(items: &[Item], by_quality: bool) -> Vec<&Item> {
    let mut order: Vec<&Item> = items.iter().collect();
    order.sort_by_key(|item| (if by_quality { -item.quality } else { 0 }, item.id));
    order
}

/// Keep, duplicate_of and cluster by the definition, pair by pair.
fn dedup_twin(
    items: &[Item],
    by_quality: bool,
    threshold: f64,
    prior: bool,
) -> BTreeMap<i64, (bool, Option<i64>, i64)> {
    let order = survivor_order(items, by_quality);
    let mut rows: BTreeMap<i64, (bool, Option<i64>, i64)> = BTreeMap::new();
    let mut cluster: BTreeMap<i64, i64> = items.iter().map(|item| (item.id, item.id)).collect();
    for (at, item) in order.iter().enumerate() {
        let mut duplicate_of = None;
        for earlier in &order[..at] {
            // Equal vectors are similar whatever rounding makes of their cosine.
            let equal = item.vector == earlier.vector;
            if similarity(earlier, item).is_none_or(|s| s < threshold && !equal) {
                continue;
            }
            if duplicate_of.is_none() && (prior || rows[&earlier.id].0) {
                duplicate_of = Some(earlier.id);
            }
            let (from, to) = (cluster[&item.id].max(cluster[&earlier.id]), cluster[&item.id].min(cluster[&earlier.id]));
            cluster.values_mut().filter(|c| **c == from).for_each(|c| *c = to);
        }
        rows.insert(item.id, (duplicate_of.is_none(), duplicate_of, 0));
    }
    for (id, row) in &mut rows {
        row.2 = cluster[id];
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn semantic_dedup_equals_its_twin_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let items = items(1, 400);
    for (name, ctx) in sessions(&items, dir.path()).await {
        for (threshold, mode, by_quality) in [(0.9, "greedy", false), (0.97, "prior", true), (0.6, "greedy", true)] {
            let order = if by_quality { ", order_by => 'quality DESC'" } else { "" };
            let sql = format!(
                "SELECT id, keep, duplicate_of, cluster_id, similarity FROM \
                 semantic_dedup(items, threshold => {threshold}, mode => '{mode}'{order})"
            );
            let found = run(&ctx, &sql).await;
            let expected = dedup_twin(&items, by_quality, threshold, mode == "prior");
            let of = |id: i64| items.iter().find(|item| item.id == id).unwrap();
            assert!(expected.values().filter(|row| !row.0).count() > 30, "there must be duplicates");
            assert_eq!(found.len(), expected.len());
            for (id, row) in &found {
                let (keep, duplicate_of, cluster) = expected[id];
                let expected = vec![format!("{keep}"), show(duplicate_of), format!("{cluster}")];
                assert_eq!(row[..3], expected, "{name}: {sql}: {id}");
                if let Some(kept) = duplicate_of {
                    let stated: f64 = row[3].parse().unwrap();
                    assert!((stated - similarity(of(*id), of(kept)).unwrap()).abs() < 1e-15, "{name}: {id}");
                }
            }
        }
    }
}

/// With cells the outcome may miss a pair, but it is the same everywhere, and everything it says is true.
#[tokio::test(flavor = "multi_thread")]
async fn semantic_dedup_in_cells_is_true_and_the_same_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let items = items(2, 600);
    let mut first: Option<BTreeMap<i64, Vec<String>>> = None;
    let all = dedup_twin(&items, false, 0.9, false);
    for (name, ctx) in sessions(&items, dir.path()).await {
        let sql = "SELECT id, keep, duplicate_of, cluster_id, similarity FROM \
                   semantic_dedup(items, threshold => 0.9, cells => 12, recall => 0.99)";
        let found = run(&ctx, sql).await;
        let removed = |rows: &BTreeMap<i64, Vec<String>>| rows.values().filter(|row| row[0] == "false").count();
        assert!(removed(&found) as f64 >= 0.99 * all.values().filter(|row| !row.0).count() as f64);
        let of = |id: i64| items.iter().find(|item| item.id == id).unwrap();
        for (id, row) in found.iter().filter(|(_, row)| row[0] == "false") {
            let kept: i64 = row[1].parse().unwrap();
            assert!(found[&kept][0] == "true" && kept < *id);
            assert!(similarity(of(*id), of(kept)).unwrap() >= 0.9 - 1e-15);
        }
        match &first {
            Some(first) => assert_eq!(*first, found, "{name}"),
            None => first = Some(found),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn max_prior_similarity_equals_its_twin_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let items = items(3, 400);
    for (name, ctx) in sessions(&items, dir.path()).await {
        for (greedy, by_part) in [(None, false), (None, true), (Some(0.8), true), (Some(0.8), false)] {
            let mode = greedy.map_or(String::new(), |t| format!(", mode => 'greedy', threshold => {t}"));
            let part = if by_part { ", partition_by => part" } else { "" };
            let sql = format!(
                "SELECT id, max_prior_similarity, prior_id FROM \
                 max_prior_similarity(items, order_by => 'quality DESC'{part}{mode})"
            );
            let order = survivor_order(&items, true);
            let (mut expected, mut out) = (BTreeMap::new(), vec![]);
            for (at, item) in order.iter().enumerate() {
                let mut best: Option<(f64, i64)> = None;
                for earlier in &order[..at] {
                    let counts = (!by_part || earlier.part == item.part) && !out.contains(&earlier.id);
                    if let (true, Some(s)) = (counts, similarity(item, earlier))
                        && best.is_none_or(|(most, _)| s > most)
                    {
                        best = Some((s, earlier.id));
                    }
                }
                if best.is_some_and(|(s, _)| greedy.is_some_and(|t| s >= t)) {
                    out.push(item.id);
                }
                let similarity = best.map_or(0.0, |(s, _)| s);
                expected.insert(item.id, vec![format!("{similarity:?}"), show(best.map(|(_, id)| id))]);
            }
            assert_eq!(run(&ctx, &sql).await, expected, "{name}: {sql}");
        }
    }
}

/// Rank and distance by the definition.
fn farthest_twin(items: &[Item], metric: &str, init: &str, k: usize) -> BTreeMap<i64, Vec<String>> {
    let mut expected: BTreeMap<i64, Vec<String>> =
        items.iter().map(|item| (item.id, vec!["NULL".into(), "NULL".into()])).collect();
    for part in 0..3 {
        let members: Vec<(i64, &Vec<f32>)> = survivor_order(items, false)
            .into_iter()
            .filter(|item| item.part == part)
            .filter_map(|item| Some((item.id, item.vector.as_ref()?)))
            .filter(|(_, v)| metric == "l2" || squared_norm(v) > 0.0)
            .collect();
        let far = |a: usize, b: usize| distance(metric, members[a].1, members[b].1).unwrap();
        let nearest =
            |a: usize, to: &mut dyn Iterator<Item = usize>| to.map(|b| far(a, b)).fold(f64::INFINITY, f64::min);
        let farthest = |distances: Vec<f64>| {
            (0..distances.len()).rev().max_by(|&a, &b| distances[a].total_cmp(&distances[b])).unwrap()
        };
        let start = match init {
            "first" => 0,
            _ => {
                farthest((0..members.len()).map(|a| nearest(a, &mut (0..members.len()).filter(|b| *b != a))).collect())
            }
        };
        let mut picks = vec![start];
        expected.insert(members[start].0, vec!["1".into(), "NULL".into()]);
        while picks.len() < k.min(members.len()) {
            let distances = (0..members.len()).map(|a| match picks.contains(&a) {
                true => -1.0,
                false => nearest(a, &mut picks.iter().copied()),
            });
            let distances: Vec<f64> = distances.collect();
            let next = farthest(distances.clone());
            picks.push(next);
            expected.insert(members[next].0, vec![format!("{}", picks.len()), format!("{:?}", distances[next])]);
        }
    }
    expected
}

#[tokio::test(flavor = "multi_thread")]
async fn farthest_first_equals_the_greedy_trace_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let items = items(4, 300);
    for (name, ctx) in sessions(&items, dir.path()).await {
        for (metric, init, k) in [("cosine", "nn_max", 20), ("l2", "first", 15), ("l2", "nn_max", 500)] {
            let sql = format!(
                "SELECT id, rank, min_distance FROM \
                 farthest_first(items, k => {k}, metric => '{metric}', init => '{init}', partition_by => part)"
            );
            assert_eq!(run(&ctx, &sql).await, farthest_twin(&items, metric, init, k), "{name}: {sql}");
        }
        let sql = "SELECT rank, id FROM farthest_first(items, k => 5, init => 'random', seed => 7) WHERE rank = 1";
        let first = "SELECT 1, id FROM items WHERE embedding IS NOT NULL AND l2_normalize(embedding) IS NOT NULL \
                     ORDER BY hash_uniform(7, id) LIMIT 1";
        assert_eq!(run(&ctx, sql).await, run(&ctx, first).await, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kmeans_is_the_same_everywhere_and_settles() {
    let dir = tempfile::tempdir().unwrap();
    let items = items(5, 500);
    let mut first: Option<Vec<BTreeMap<i64, Vec<String>>>> = None;
    for (name, ctx) in sessions(&items, dir.path()).await {
        let mut found = vec![];
        for (metric, sample) in [("cosine", 0), ("l2", 0), ("cosine", 100), ("l2", 100)] {
            let arguments = format!("k => 8, metric => '{metric}', sample => {sample}, iterations => 100");
            found.push(run(&ctx, &format!("SELECT * FROM kmeans(items, {arguments})")).await);
            // The centroids of all rows are the means of the rows assigned to them.
            let assigned = format!(
                "SELECT centroid_id, count(*), sum(CASE WHEN '{metric}' = 'l2' THEN distance * distance ELSE distance END), \
                 vec_avg(CASE WHEN '{metric}' = 'l2' THEN embedding ELSE l2_normalize(embedding) END) AS mean \
                 FROM assign_nearest(items, centroids => (SELECT * FROM kmeans(items, {arguments})), metric => '{metric}') \
                 WHERE centroid_id IS NOT NULL GROUP BY centroid_id"
            );
            if sample == 0 {
                let batches = statement::sql(&ctx, &assigned).await.unwrap().collect().await.unwrap();
                let models = found.last().unwrap();
                let mut rows = 0;
                for batch in &batches {
                    for at in 0..batch.num_rows() {
                        let model = &models[&batch.column(0).as_primitive::<Int64Type>().value(at)];
                        assert_eq!(cell(batch.column(1), at), model[1], "{name} {metric}: rows of a centroid");
                        let (sum, inertia): (f64, f64) =
                            (batch.column(2).as_primitive::<Float64Type>().value(at), model[2].parse().unwrap());
                        assert!((sum - inertia).abs() < 1e-9 * sum.max(1.0), "{name} {metric}: {sum} {inertia}");
                        let mean = batch.column(3).as_fixed_size_list().value(at);
                        let mean = mean.as_primitive::<Float32Type>().values().to_vec();
                        let scale = if metric == "l2" { 1.0 } else { squared_norm(&mean).sqrt() };
                        let centroid: Vec<f64> =
                            model[0].trim_matches(['[', ']']).split(", ").map(|x| x.parse().unwrap()).collect();
                        for (mean, centroid) in mean.iter().zip(centroid) {
                            assert!((f64::from(*mean) / scale - centroid).abs() < 1e-6, "{name} {metric}");
                        }
                        rows += 1;
                    }
                }
                assert_eq!(rows, 8);
            }
        }
        match &first {
            Some(first) => assert_eq!(*first, found, "{name}"),
            None => first = Some(found),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn assign_nearest_equals_its_twin_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let items = items(6, 400);
    for (name, ctx) in sessions(&items, dir.path()).await {
        for metric in ["cosine", "l2"] {
            let sql = format!(
                "SELECT id, centroid_id, distance FROM assign_nearest(items, metric => '{metric}', centroids => \
                 (SELECT id AS centroid_id, embedding AS centroid FROM items WHERE id % 17 = 3 AND quality < 3 \
                  AND l2_normalize(embedding) IS NOT NULL))"
            );
            let mut centroids: Vec<(i64, &Vec<f32>)> = items
                .iter()
                .filter(|item| item.id % 17 == 3 && item.quality < 3)
                .filter_map(|item| Some((item.id, item.vector.as_ref()?)))
                .filter(|(_, v)| squared_norm(v) > 0.0)
                .collect();
            centroids.sort_unstable_by_key(|(id, _)| *id);
            let mut expected = BTreeMap::new();
            for item in &items {
                let nearest = item.vector.as_ref().and_then(|v| {
                    let of = |(id, c): &(i64, &Vec<f32>)| Some((distance(metric, v, c)?, *id));
                    centroids.iter().filter_map(of).min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
                });
                expected.insert(item.id, vec![show(nearest.map(|(_, id)| id)), show(nearest.map(|(far, _)| far))]);
            }
            assert_eq!(run(&ctx, &sql).await, expected, "{name}: {metric}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn allocate_budget_is_the_same_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let items = items(7, 300);
    for (name, ctx) in sessions(&items, dir.path()).await {
        for (method, extra) in
            [("equal", ""), ("proportional", ", floor => 2"), ("projection", ", weight => w, floor_ratio => 0.5")]
        {
            let sql = format!(
                "SELECT id, allocated, size, budget_met FROM allocate_budget((SELECT id % 20 AS id, count(*) AS size, \
                 avg(quality) AS w FROM items GROUP BY 1), budget => 130, group => id, method => '{method}'{extra})"
            );
            let found = run(&ctx, &sql).await;
            let number = |row: &Vec<String>, at: usize| row[at].parse::<i64>().unwrap();
            assert_eq!(found.values().map(|row| number(row, 0)).sum::<i64>(), 130, "{name}: {method}");
            assert!(found.values().all(|row| number(row, 0) <= number(row, 1) && row[2] == "true"), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_do_not_depend_on_partitions() {
    let dir = tempfile::tempdir().unwrap();
    let items = items(8, 500);
    let mut first = None;
    for (name, ctx) in sessions(&items, dir.path()).await {
        let sql = "SELECT part, vec_avg(embedding), gaussian_moments(embedding), \
                   frechet_distance(gaussian_moments(embedding), gaussian_moments(embedding) FILTER (WHERE quality > 1)) \
                   FROM items GROUP BY part";
        let found = run(&ctx, sql).await;
        match &first {
            Some(first) => assert_eq!(*first, found, "{name}"),
            None => first = Some(found),
        }
    }
}
