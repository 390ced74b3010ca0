//! The recipes that select training data, on data whose answer is known.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use datafusion::prelude::SessionContext;
use limpid::jobs::recipes::expand;
use limpid::jobs::yaml::{Entries, Text};
use limpid::session::{EngineOptions, context, statement};

/// What a recipe says of a row.
#[derive(Debug, Clone, PartialEq)]
struct Verdict {
    keep: bool,
    score: Option<f64>,
}

async fn session(table: &str) -> SessionContext {
    let ctx = context(&EngineOptions { threads: Some(3), ..Default::default() }).unwrap();
    statement::sql(&ctx, table).await.unwrap().collect().await.unwrap();
    ctx
}

async fn recipe(ctx: &SessionContext, name: &str, args: &[(&str, &str)]) -> Vec<RecordBatch> {
    let args = args.iter().map(|(k, v)| ((*k).to_owned(), Text { value: (*v).to_owned(), line: 1 }));
    let sql = expand(name, &Entries(args.collect()), "id", None).unwrap();
    let frame = statement::sql(ctx, &sql).await.unwrap_or_else(|error| panic!("{name}: {error}\n{sql}"));
    frame.collect().await.unwrap_or_else(|error| panic!("{name}: {error}\n{sql}"))
}

async fn verdicts(ctx: &SessionContext, name: &str, args: &[(&str, &str)]) -> BTreeMap<i64, Verdict> {
    let mut found = BTreeMap::new();
    for batch in recipe(ctx, name, args).await {
        let ids = batch.column_by_name("id").unwrap().as_primitive::<Int64Type>();
        let keep = batch.column_by_name("keep").unwrap().as_boolean();
        let scores = batch.column_by_name("score").map(|column| column.as_primitive::<Float64Type>());
        for row in 0..batch.num_rows() {
            assert!(keep.is_valid(row), "{name}: keep is NULL");
            let score = scores.filter(|scores| scores.is_valid(row)).map(|scores| scores.value(row));
            assert!(found.insert(ids.value(row), Verdict { keep: keep.value(row), score }).is_none(), "{name}: twice");
        }
    }
    found
}

/// 400 rows of two classes that the first of two numbers tells apart; every twentieth row has the wrong label.
const POINTS: &str = "CREATE TABLE input AS SELECT id, [x, y] AS embedding, CASE WHEN id % 20 = 7 THEN 1 - class ELSE class END AS label, \
    id % 5 = 0 AND id % 20 <> 7 AS valid FROM (SELECT value AS id, value % 2 AS class, \
    (value % 2) * 2.0 - 1.0 + hash_uniform(1, value) - 0.5 AS x, hash_uniform(2, value) - 0.5 AS y FROM generate_series(0, 399))";

fn wrong(id: i64) -> bool {
    id % 20 == 7
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_of_difficulty_find_the_wrong_labels() {
    let ctx = session(POINTS).await;
    // Each finds the twenty rows with a wrong label: those that keep the hard rows keep them, the others drop them.
    for (name, hardest, args) in [
        ("data_diet_el2n", true, vec![]),
        ("data_diet_grand", true, vec![]),
        ("forgetting", true, vec![("never_learned", "inf"), ("epochs", "10"), ("hidden", "0")]),
        ("aum", false, vec![("epochs", "5")]),
        ("tracin_self", false, vec![("epochs", "5")]),
        ("pvi", false, vec![("epochs", "5")]),
    ] {
        let fraction = if hardest { "0.05" } else { "0.95" };
        let args: Vec<_> = args.into_iter().chain([("fraction", fraction), ("runs", "2")]).collect();
        let found = verdicts(&ctx, name, &args).await;
        assert_eq!(found.len(), 400, "{name}");
        assert_eq!(found.values().filter(|v| v.keep).count(), if hardest { 20 } else { 380 }, "{name}");
        let right = found.iter().filter(|(id, v)| v.keep == (wrong(**id) == hardest)).count();
        assert!(right >= 396, "{name}: {right}");
        assert_eq!(verdicts(&ctx, name, &args).await, found, "{name} twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ccs_spreads_what_it_keeps() {
    let ctx = session(POINTS).await;
    let args = [("fraction", "0.2"), ("beta", "0.05"), ("strata", "4"), ("epochs", "5"), ("runs", "2")];
    let found = verdicts(&ctx, "ccs", &args).await;
    assert_eq!(found.len(), 400);
    assert_eq!(found.values().filter(|v| v.keep).count(), 80);
    assert!(found.iter().all(|(id, v)| !(wrong(*id) && v.keep)), "the likeliest mislabelled go");
    // The definition: four strata of equal width, smallest first, each an equal part of what is left.
    let mut scores: Vec<f64> = found.values().map(|v| v.score.unwrap()).collect();
    scores.sort_by(f64::total_cmp);
    let (low, high) = (scores[20], scores[399]);
    let stratum = |score: f64| (((score - low) / (high - low) * 4.0) as usize).min(3);
    let (mut sizes, mut kept) = ([0_i64; 4], [0_i64; 4]);
    for v in found.values().filter(|v| v.score.unwrap() >= low) {
        sizes[stratum(v.score.unwrap())] += 1;
        kept[stratum(v.score.unwrap())] += i64::from(v.keep);
    }
    let mut order: Vec<usize> = (0..4).filter(|at| sizes[*at] > 0).collect();
    order.sort_by_key(|at| (sizes[*at], *at));
    let mut remaining = 80;
    for (done, at) in order.iter().enumerate() {
        let budget = sizes[*at].min(remaining / (order.len() - done) as i64);
        assert_eq!(kept[*at], budget, "{sizes:?} {kept:?}");
        remaining -= budget;
    }
    // The budget counts: no more is trimmed than it leaves.
    let all = verdicts(&ctx, "ccs", &[("fraction", "1"), ("beta", "0.05"), ("epochs", "2"), ("runs", "1")]).await;
    assert_eq!(all.values().filter(|v| v.keep).count(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn dealrec_draws_from_training_rows_that_help() {
    let ctx = session(POINTS).await;
    let args = [("fraction", "0.1"), ("strata", "5"), ("epochs", "2")];
    let found = verdicts(&ctx, "dealrec", &args).await;
    // Validation rows are not answered.
    assert_eq!(found.len(), 320);
    assert_eq!(found.values().filter(|v| v.keep).count(), 40);
    assert_eq!(verdicts(&ctx, "dealrec", &args).await, found);
}

#[tokio::test(flavor = "multi_thread")]
async fn donod_drops_what_shakes_the_weights() {
    let ctx = session(POINTS).await;
    let found = verdicts(&ctx, "donod", &[("fraction", "0.9"), ("runs", "2")]).await;
    assert_eq!(found.values().filter(|v| v.keep).count(), 360);
    let dropped = found.iter().filter(|(id, v)| !v.keep && wrong(**id)).count();
    assert!(dropped >= 18, "{dropped}");
    // Shorter vectors, which the probe learns more slowly: three epochs keep seven wrong labels here. (Far shorter ones need more epochs.)
    let short = POINTS.replace("[x, y]", "[x * 0.5, y * 0.5]");
    let found = verdicts(&session(&short).await, "donod", &[("fraction", "0.3"), ("runs", "2")]).await;
    assert_eq!(found.iter().filter(|(id, v)| v.keep && wrong(**id)).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rs2_shows_every_row_once_a_cycle() {
    let ctx = session("CREATE TABLE input AS SELECT value AS id FROM generate_series(1, 100)").await;
    let mut seen = vec![BTreeMap::<i64, u32>::new(); 2];
    for epoch in 0..8 {
        let found = verdicts(&ctx, "rs2", &[("fraction", "0.25"), ("epoch", &epoch.to_string())]).await;
        assert_eq!(found.len(), 100);
        for id in found.into_iter().filter(|(_, v)| v.keep).map(|(id, _)| id) {
            *seen[epoch / 4].entry(id).or_default() += 1;
        }
    }
    for cycle in &seen {
        assert!(cycle.len() == 100 && cycle.values().all(|times| *times == 1));
    }
    // Another cycle is another order.
    let a = verdicts(&ctx, "rs2", &[("fraction", "0.25"), ("epoch", "0")]).await;
    let b = verdicts(&ctx, "rs2", &[("fraction", "0.25"), ("epoch", "4")]).await;
    assert!(a != b);
}

#[tokio::test(flavor = "multi_thread")]
async fn vog_scales_in_each_class() {
    let ctx = session(
        "CREATE TABLE input AS SELECT id, id % 2 AS label, step, [step * id * 1.0, 0.0] AS gradient \
         FROM (SELECT value AS id FROM generate_series(1, 6)) CROSS JOIN (SELECT value AS step FROM generate_series(1, 3))",
    )
    .await;
    let found = verdicts(&ctx, "vog", &[]).await;
    // The deviation of step * id over three steps grows with id; 5 and 6 lead their classes, 3 and 4 are in the middle.
    let near = |id: i64, z: f64| (found[&id].score.unwrap() - z).abs() < 1e-12;
    let z = 1.5_f64.sqrt();
    assert!(near(1, -z) && near(3, 0.0) && near(5, z) && near(2, -z) && near(4, 0.0) && near(6, z), "{found:?}");
    assert_eq!(found.values().filter(|v| v.keep).count(), 3);
    assert!(found[&5].keep && found[&6].keep);
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_check_keeps_right_answers() {
    let ctx = session(
        "CREATE TABLE input AS SELECT * FROM (VALUES (1, 'so \\boxed{7}', '7'), (2, 'I get 8', '7')) AS t(id, generated, gold)",
    )
    .await;
    let found = verdicts(&ctx, "answer_check", &[]).await;
    assert!(found[&1].keep && !found[&2].keep);
}
