//! `concept_clusters`, `nearest_neighbors` and the other ways of `kmeans` against their definitions: over 1 and 7 partitions,
//! spilling, and on a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use limpid::session::{EngineOptions, context, statement};

use super::everywhere::Random;
use super::vectors::{Item, batch, distance, items, run, sessions};

/// Whether a vector takes part.
fn counts(metric: &str, item: &Item) -> bool {
    item.vector.as_ref().is_some_and(|v| metric == "l2" || v.iter().any(|x| *x != 0.0))
}

#[tokio::test(flavor = "multi_thread")]
async fn balanced_kmeans_is_the_same_everywhere_and_even() {
    let dir = tempfile::tempdir().unwrap();
    let items = items(11, 500);
    let mut first: Option<Vec<BTreeMap<i64, Vec<String>>>> = None;
    for (name, ctx) in sessions(&items, dir.path()).await {
        let mut found = vec![];
        for (metric, k) in [("cosine", 7), ("l2", 13), ("l2", 1)] {
            let rows = items.iter().filter(|item| counts(metric, item)).count();
            let even = format!("k => {k}, metric => '{metric}', sample => 0, balanced => true");
            let centroids =
                run(&ctx, &format!("SELECT centroid_id, n, inertia, centroid FROM kmeans(items, {even})")).await;
            let sizes: Vec<usize> = centroids.values().map(|row| row[0].parse().unwrap()).collect();
            assert_eq!(sizes.iter().sum::<usize>(), rows, "{name} {metric}");
            assert!(sizes.iter().all(|n| *n == rows / k || *n == rows / k + 1), "{name} {metric}: {sizes:?}");
            found.push(centroids);
        }
        assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mini_batches_are_the_same_everywhere_and_nearly_as_good() {
    let dir = tempfile::tempdir().unwrap();
    let items = items(12, 3000);
    let mut first: Option<Vec<BTreeMap<i64, Vec<String>>>> = None;
    for (name, ctx) in sessions(&items, dir.path()).await {
        let mut found = vec![];
        for metric in ["cosine", "l2"] {
            let inertia = |rows: &BTreeMap<i64, Vec<String>>| -> f64 {
                rows.values().map(|row| row[1].parse::<f64>().unwrap()).sum()
            };
            let sql = |more: &str| {
                format!(
                    "SELECT centroid_id, n, inertia, centroid FROM kmeans(items, k => 8, metric => '{metric}', {more})"
                )
            };
            let batches = run(&ctx, &sql("mini_batch => true, batch_rows => 300")).await;
            let rounds = run(&ctx, &sql("sample => 0")).await;
            let rows: i64 = batches.values().map(|row| row[0].parse::<i64>().unwrap()).sum();
            assert_eq!(rows as usize, items.iter().filter(|item| counts(metric, item)).count(), "{name}");
            let ratio = inertia(&batches) / inertia(&rounds);
            assert!(ratio < 1.1, "{name} {metric}: {ratio} times the inertia of all rows at once");
            found.push(batches);
            // A part of the rows, and one batch of all.
            found.push(run(&ctx, &sql("mini_batch => true, batch_rows => 100, sample => 500, iterations => 1")).await);
            found.push(run(&ctx, &sql("mini_batch => true, batch_rows => 100000, iterations => 2")).await);
        }
        assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{name}");
    }
}

/// The nearest rows by the definition.
fn neighbors_twin(
    items: &[Item],
    among: Option<&[Item]>,
    metric: &str,
    k: usize,
    threshold: Option<f64>,
) -> BTreeMap<(i64, i64), (i64, f64)> {
    let mut expected = BTreeMap::new();
    for item in items.iter().filter(|item| counts(metric, item)) {
        let others = among.unwrap_or(items).iter().filter(|other| counts(metric, other));
        let others = others.filter(|other| among.is_some() || other.id != item.id);
        let mut near: Vec<(f64, i64)> = others
            .map(|other| {
                (distance(metric, item.vector.as_ref().unwrap(), other.vector.as_ref().unwrap()).unwrap(), other.id)
            })
            .filter(|(far, _)| threshold.is_none_or(|t| if metric == "l2" { *far <= t } else { 1.0 - *far >= t }))
            .collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (rank, (far, id)) in (1..).zip(near.into_iter().take(k)) {
            expected.insert((item.id, rank), (id, far));
        }
    }
    expected
}

async fn neighbors(ctx: &SessionContext, arguments: &str) -> BTreeMap<(i64, i64), (i64, f64)> {
    let sql = format!("SELECT id, rank, neighbor_id, distance FROM nearest_neighbors(items, {arguments})");
    let batches = statement::sql(ctx, &sql).await.unwrap().collect().await.unwrap();
    let mut found = BTreeMap::new();
    for batch in batches {
        let [id, rank, neighbor] = [0, 1, 2].map(|at| batch.column(at).as_primitive::<Int64Type>().clone());
        let far = batch.column(3).as_primitive::<Float64Type>();
        for at in 0..batch.num_rows() {
            let pair = (neighbor.value(at), far.value(at));
            assert!(found.insert((id.value(at), rank.value(at)), pair).is_none(), "a rank came twice");
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn nearest_neighbors_equal_their_twin_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let items = items(13, 400);
    let others: Vec<Item> = items.iter().filter(|item| item.part == 1).cloned().collect();
    let among = ", among => (SELECT * FROM items WHERE part = 1)";
    for (name, ctx) in sessions(&items, dir.path()).await {
        for (metric, k, threshold, own) in [
            ("cosine", 5, None, true),
            ("cosine", 500, Some(0.7), true),
            ("l2", 3, None, true),
            ("l2", 10, Some(2.0), false),
            ("cosine", 4, None, false),
        ] {
            let least = threshold.map_or(String::new(), |t| format!(", threshold => {t}"));
            // Few cells that are all visited give what no cells give.
            for cells in ["", ", cells => 9, recall => 1"] {
                let arguments = format!("k => {k}, metric => '{metric}'{least}{}{cells}", if own { "" } else { among });
                let expected = neighbors_twin(&items, (!own).then_some(&others), metric, k, threshold);
                assert_eq!(neighbors(&ctx, &arguments).await, expected, "{name}: {arguments}");
            }
        }
    }
}

/// In cells a neighbour may be missed, but what is found is true and the same everywhere, and most of it is found.
#[tokio::test(flavor = "multi_thread")]
async fn neighbors_in_cells_are_true_and_the_same_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let items = items(14, 900);
    let index = dir.path().join("cells.index");
    let mut first = None;
    for (name, ctx) in sessions(&items, dir.path()).await {
        for metric in ["cosine", "l2"] {
            let truth = neighbors_twin(&items, None, metric, 6, None);
            let arguments = format!("k => 6, metric => '{metric}', cells => 25, recall => 0.9");
            let found = neighbors(&ctx, &arguments).await;
            let hits = truth.iter().filter(|((id, _), (near, _))| {
                (1..=6).any(|rank| found.get(&(*id, rank)).is_some_and(|(found, _)| found == near))
            });
            let recall = hits.count() as f64 / truth.len() as f64;
            assert!((0.9..1.0).contains(&recall), "{name} {metric}: recall {recall}");
            let all = neighbors_twin(&items, None, metric, usize::MAX, None);
            let mut exact = BTreeMap::new();
            all.iter().for_each(|((id, _), (near, far))| _ = exact.insert((*id, *near), *far));
            for ((id, _), (near, far)) in &found {
                assert_eq!(exact[&(*id, *near)], *far, "{name} {metric}: {id} and {near}");
            }
            if metric == "l2" {
                // The first session makes the index, the others read it.
                let indexed = neighbors(&ctx, &format!("{arguments}, index => '{}'", index.display())).await;
                assert_eq!(indexed, found, "{name}");
                assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{name}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_something_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (_, ctx) = sessions(&items(15, 200), dir.path()).await.swap_remove(0);
    let path = dir.path().join("a.index");
    let sql = |rows: &str, more: &str| {
        format!(
            "SELECT count(*) FROM nearest_neighbors({rows}, k => 2, cells => 5, index => '{}'{more})",
            path.display()
        )
    };
    let run = async |sql: String| match statement::sql(&ctx, &sql).await {
        Ok(frame) => frame.collect().await.map(|_| String::new()).unwrap_or_else(|error| error.to_string()),
        Err(error) => error.to_string(),
    };
    assert_eq!(run(sql("items", "")).await, "");
    let whole = std::fs::read(&path).unwrap();
    for (rows, more, message) in [
        ("(SELECT * FROM items WHERE id % 2 = 0)", "", "rows: "),
        (
            "(SELECT * EXCEPT (embedding), l2_normalize(embedding) AS embedding FROM items)",
            "",
            "the vectors are others",
        ),
        ("items", ", metric => 'l2'", "the metric is another"),
        ("items", ", seed => 7", "seed: 42 in the index and 7 here"),
    ] {
        let error = run(sql(rows, more)).await;
        assert!(error.contains("was made of something else") && error.contains(message), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), whole, "a refused index is left as it was");
    }
    let mut damaged = whole.clone();
    let last = damaged.len() - 3;
    damaged[last] ^= 4;
    for (bytes, message) in [
        (&whole[..whole.len() - 1], "cut off"),
        (&whole[..50], "cut off"),
        (&damaged, "is damaged"),
        (
            b"PAR1 and something else, long enough for a header: 0123456789012345678901234567890123456789".as_slice(),
            "is no index",
        ),
        (b"".as_slice(), "is no index"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = run(sql("items", "")).await;
        assert!(error.contains(message) && error.contains("a.index"), "{error}");
    }
    let nowhere =
        run(format!("SELECT * FROM nearest_neighbors(items, k => 1, index => '{}/no/x')", dir.path().display())).await;
    assert!(nowhere.contains("cannot be written"), "{nowhere}");
}

/// Ranks, sizes and densities by the definition, for the clusters and distances of a result.
#[tokio::test(flavor = "multi_thread")]
async fn concept_clusters_are_the_same_everywhere_and_ranked() {
    let dir = tempfile::tempdir().unwrap();
    let items = items(16, 600);
    let mut first: Option<Vec<BTreeMap<i64, Vec<String>>>> = None;
    for (name, ctx) in sessions(&items, dir.path()).await {
        let mut all = vec![];
        for (metric, more) in [("cosine", ""), ("l2", ", balanced => true"), ("l2", ", sample => 100")] {
            let from = "(SELECT id, embedding, CASE part WHEN 0 THEN 'a stone' WHEN 1 THEN 'a stone wall' ELSE NULL END AS text FROM items)";
            let sql = format!(
                "SELECT id, concept, distance, central_rank, atypical_rank, concept_size, concept_density, concept_label, \
                 map_x, map_y FROM concept_clusters({from}, k => 9, metric => '{metric}', text => text{more})"
            );
            let found = run(&ctx, &sql).await;
            assert_eq!(found.len(), items.len());
            let mut clusters: BTreeMap<i64, Vec<(f64, i64)>> = BTreeMap::new();
            for item in &items {
                let row = &found[&item.id];
                match counts(metric, item) {
                    true => {
                        clusters.entry(row[0].parse().unwrap()).or_default().push((row[1].parse().unwrap(), item.id));
                    }
                    false => assert!(row.iter().all(|cell| cell == "NULL"), "{name}: {row:?}"),
                }
            }
            let sizes: Vec<usize> = clusters.values().map(Vec::len).collect();
            assert!(sizes.is_sorted_by(|a, b| a >= b), "{name}: {sizes:?}");
            if more.contains("balanced") {
                assert!(sizes[0] - sizes[8] <= 1, "{name}: {sizes:?}");
            }
            for members in clusters.values_mut() {
                members.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                let density = 1.0 / (1.0 + members.iter().map(|m| m.0).sum::<f64>() / members.len() as f64);
                for (at, (_, id)) in members.iter().enumerate() {
                    let row = &found[id];
                    let ranks = [at + 1, members.len() - at, members.len()].map(|n| n.to_string());
                    assert_eq!(row[2..5], ranks, "{name}: {id}");
                    assert!((row[5].parse::<f64>().unwrap() - density).abs() < 1e-12, "{name}: {id}");
                    assert!(
                        ["stone", "stone, wall", "wall", "wall, stone", "NULL"].contains(&row[6].as_str()),
                        "{row:?}"
                    );
                }
            }
            all.push(found);
        }
        assert_eq!(first.get_or_insert_with(|| all.clone()), &all, "{name}");
    }
}

/// A session whose table `items` holds the items, shuffled, in random partitions and batches.
fn shuffled(items: &[Item], random: &mut Random) -> SessionContext {
    let mut items = items.to_vec();
    for at in (1..items.len()).rev() {
        items.swap(at, random.below(at as u64 + 1) as usize);
    }
    let mut partitions = vec![vec![]; 1 + random.below(5) as usize];
    for part in items.chunks(1 + random.below(90) as usize) {
        let partition = random.below(partitions.len() as u64) as usize;
        partitions[partition].push(batch(part));
    }
    let options = EngineOptions {
        threads: Some(1 + random.below(6) as usize),
        batch_size: Some([1, 7, 64, 8192][random.below(4) as usize]),
        memory_limit: [None, Some(3_000_000)][random.below(2) as usize],
        ..Default::default()
    };
    let ctx = context(&options).unwrap();
    let table = MemTable::try_new(batch(&[]).schema(), partitions).unwrap();
    ctx.register_table("items", Arc::new(table)).unwrap();
    ctx
}

/// Fewer neighbours are the first of more; a threshold is a filter; every neighbour within it is one both ways; and neither the
/// order of the rows nor the engine's settings show.
#[tokio::test(flavor = "multi_thread")]
async fn the_algebra_of_neighbors_holds() {
    let mut random = Random(17);
    for seed in 0..6 {
        let items = items(100 + seed, 60 + random.below(200) as usize);
        let ctx = shuffled(&items, &mut random);
        let metric = ["cosine", "l2"][random.below(2) as usize];
        let cells = ["", ", cells => 6, recall => 1", ", cells => 6, recall => 0.9"][random.below(3) as usize];
        let arguments = |k: u64| format!("k => {k}, metric => '{metric}', seed => {seed}{cells}");
        let many = neighbors(&ctx, &arguments(9)).await;
        assert_eq!(many, neighbors(&shuffled(&items, &mut random), &arguments(9)).await, "{}", arguments(9));
        if cells.contains("0.9") {
            continue;
        }
        let few = neighbors(&ctx, &arguments(4)).await;
        let first: BTreeMap<_, _> = many.iter().filter(|((_, rank), _)| *rank <= 4).map(|(k, v)| (*k, *v)).collect();
        assert_eq!(few, first, "{}", arguments(4));
        let threshold = if metric == "l2" { 1.5 } else { 0.8 };
        let near = neighbors(&ctx, &format!("{}, threshold => {threshold}", arguments(1000))).await;
        let all = neighbors(&ctx, &arguments(1000)).await;
        let within = |far: f64| if metric == "l2" { far <= threshold } else { 1.0 - far >= threshold };
        let filtered: BTreeMap<_, _> = all.iter().filter(|(_, (_, far))| within(*far)).map(|(k, v)| (*k, *v)).collect();
        assert_eq!(near, filtered, "{}", arguments(1000));
        let pairs: BTreeSet<(i64, i64)> = near.iter().map(|((id, _), (other, _))| (*id, *other)).collect();
        assert!(pairs.iter().all(|(a, b)| pairs.contains(&(*b, *a))), "{}", arguments(1000));
    }
}

/// Neither the order of the rows nor the engine's settings show in concepts, nor, under the cosine, the lengths of the vectors.
#[tokio::test(flavor = "multi_thread")]
async fn concepts_depend_on_the_rows_alone() {
    let mut random = Random(18);
    for seed in 0..4 {
        let items = items(200 + seed, 100 + random.below(300) as usize);
        let even = ["false", "true"][random.below(2) as usize];
        let arguments = format!("k => {}, seed => {seed}, balanced => {even}", 2 + random.below(9));
        let sql = |from: &str| {
            format!("SELECT id, concept, central_rank, concept_size FROM concept_clusters({from}, {arguments})")
        };
        let found = run(&shuffled(&items, &mut random), &sql("items")).await;
        assert_eq!(found, run(&shuffled(&items, &mut random), &sql("items")).await, "{arguments}");
        let longer: Vec<Item> = items
            .iter()
            .map(|item| Item {
                vector: item.vector.clone().map(|v| v.iter().map(|x| x * 4.0).collect()),
                ..item.clone()
            })
            .collect();
        assert_eq!(found, run(&shuffled(&longer, &mut random), &sql("items")).await, "{arguments}");
    }
}
