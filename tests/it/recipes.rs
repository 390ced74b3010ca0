//! Recipes over vectors, on small relations whose outcome is known.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type};
use datafusion::prelude::SessionContext;
use limpid::jobs::recipes::expand;
use limpid::jobs::yaml::{Entries, Text};
use limpid::session::{EngineOptions, context, statement};

async fn session(input: &str) -> SessionContext {
    let options = EngineOptions { threads: Some(3), ..Default::default() };
    let ctx = context(&options).unwrap();
    statement::sql(&ctx, &format!("CREATE TABLE input AS {input}")).await.unwrap().collect().await.unwrap();
    ctx
}

fn query(recipe: &str, args: &[(&str, &str)]) -> String {
    let args = args.iter().map(|(k, v)| ((*k).to_owned(), Text { value: (*v).to_owned(), line: 1 })).collect();
    expand(recipe, &Entries(args), "id", Some("text")).unwrap()
}

/// Which ids are kept; every row of the input is there once.
async fn kept(ctx: &SessionContext, recipe: &str, args: &[(&str, &str)]) -> Vec<i64> {
    let sql = format!("SELECT id, keep FROM ({}) ORDER BY id", query(recipe, args));
    let batches = statement::sql(ctx, &sql).await.unwrap().collect().await.unwrap();
    let mut rows = BTreeMap::new();
    for batch in &batches {
        for (id, keep) in batch.column(0).as_primitive::<Int64Type>().values().iter().zip(batch.column(1).as_boolean())
        {
            assert!(rows.insert(*id, keep.unwrap()).is_none());
        }
    }
    let all = statement::sql(ctx, "SELECT count(*) FROM input").await.unwrap().collect().await.unwrap();
    assert_eq!(rows.len() as i64, all[0].column(0).as_primitive::<Int64Type>().value(0));
    rows.into_iter().filter(|(_, keep)| *keep).map(|(id, _)| id).collect()
}

async fn number(ctx: &SessionContext, sql: &str) -> f64 {
    let batches = statement::sql(ctx, sql).await.unwrap().collect().await.unwrap();
    batches[0].column(0).as_primitive::<Float64Type>().value(0)
}

/// Two directions with ten rows each, the farther from its direction the higher the id; 1 to 10 and 11 to 20.
const TWO: &str = "SELECT value AS id, CASE WHEN value <= 10 THEN 'a' ELSE 'b' END AS grp, value % 10 = 3 AS odd, \
    CASE WHEN value <= 10 THEN [1.0, 0.02 * value, 0.0] ELSE [0.0, 0.02 * (value - 10), 1.0] END AS embedding \
    FROM generate_series(1, 20)";

#[tokio::test(flavor = "multi_thread")]
async fn ssl_prototypes_keep_the_hard_or_the_easy() {
    let ctx = session(TWO).await;
    let hard = kept(&ctx, "ssl_prototypes", &[("k", "2"), ("fraction", "0.5")]).await;
    let easy = kept(&ctx, "ssl_prototypes", &[("k", "2"), ("fraction", "0.5"), ("order", "easy")]).await;
    assert_eq!((hard.len(), easy.len()), (10, 10));
    assert!(hard.iter().all(|id| !easy.contains(id)), "{hard:?} {easy:?}");
    // Both ends of a direction are far from its middle.
    assert!([1, 10, 11, 20].iter().all(|id| hard.contains(id)));
    for rows in [&hard, &easy] {
        assert!(rows.iter().filter(|id| **id <= 10).count() >= 2, "every cluster keeps half of an even share");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn semdedup_removes_what_is_like_an_earlier_row() {
    let ctx = session(TWO).await;
    assert_eq!(kept(&ctx, "semdedup", &[("k", "2"), ("epsilon", "0.5")]).await.len(), 2);
    assert_eq!(kept(&ctx, "semdedup", &[("k", "2"), ("epsilon", "0")]).await.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_without_a_vector_is_like_none_and_wins_no_share() {
    let ctx = session(
        &TWO.replace("CASE WHEN value <= 10 THEN [", "CASE WHEN value IN (3, 4) THEN NULL WHEN value <= 10 THEN ["),
    )
    .await;
    let share = kept(&ctx, "semdedup", &[("k", "2"), ("fraction", "0.5")]).await;
    assert!(share.len() == 10 && !share.contains(&3) && !share.contains(&4), "{share:?}");
    let all = kept(&ctx, "semdedup", &[("k", "2"), ("fraction", "0.95")]).await;
    assert_eq!(all.len(), 19, "they come last, and count");
    let by_likeness = kept(&ctx, "semdedup", &[("k", "2"), ("epsilon", "0.5")]).await;
    assert!(by_likeness.contains(&3) && by_likeness.contains(&4), "{by_likeness:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn density_pruning_spends_its_budget_where_it_is_complex() {
    // A tight cluster of 30 rows and a wide one of 30.
    let ctx = session(
        "SELECT value AS id, CASE WHEN value <= 30 THEN [1.0, 0.001 * value, 0.0] ELSE [0.0, 0.03 * (value - 30), 1.0] END \
         AS embedding FROM generate_series(1, 60)",
    )
    .await;
    let rows = kept(&ctx, "density_pruning", &[("k", "2"), ("budget", "20"), ("temperature", "0.05")]).await;
    assert_eq!(rows.len(), 20);
    let wide = rows.iter().filter(|id| **id > 30).count();
    assert!((11..20).contains(&wide), "{rows:?}");
    assert!(rows.contains(&60) && rows.contains(&31), "the farthest rows stay: {rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn diverse_rows_of_each_group() {
    let ctx = session(TWO).await;
    let pruned = kept(&ctx, "divprune", &[("group", "grp"), ("k", "2")]).await;
    assert_eq!(pruned, [1, 10, 11, 20]);
    let points = kept(&ctx, "farthest_points", &[("group", "grp"), ("k", "3")]).await;
    assert!(points.len() == 6 && [1, 10, 11, 20].iter().all(|id| points.contains(id)), "{points:?}");
    let centers = kept(&ctx, "k_center", &[("budget", "2")]).await;
    assert!(centers.len() == 2 && (centers[0] <= 10) != (centers[1] <= 10), "{centers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn search_and_pruning_finds_the_clusters_of_the_target() {
    // Groups 0 to 5 lie around the target, 6 to 11 elsewhere; rows from 1001 on are the target.
    let ctx = session(
        "SELECT value AS id, value % 12 AS grp, false AS tgt, [CASE WHEN value % 12 < 6 THEN 0.0 ELSE 20.0 END + sin(value), \
           CAST(value % 12 % 6 AS DOUBLE) + cos(value * 3)] AS embedding FROM generate_series(0, 599) \
         UNION ALL SELECT 1000 + value, NULL, true, [sin(value * 7), CAST(value % 6 AS DOUBLE) + cos(value * 5)] \
         FROM generate_series(1, 300)",
    )
    .await;
    let rows = kept(&ctx, "search_and_pruning", &[("group", "grp"), ("target", "tgt"), ("k", "4")]).await;
    assert!(rows.iter().all(|id| *id < 1000 && id % 12 < 6), "{rows:?}");
    assert!(rows.len() >= 100, "{}", rows.len());
    let query = query("search_and_pruning", &[("group", "grp"), ("target", "tgt"), ("k", "4")]);
    let best = number(&ctx, &format!("SELECT min(prefix_fd) FROM ({query})")).await;
    let first = number(&ctx, &format!("SELECT min(fd) FROM ({query})")).await;
    assert!(best <= first + 1e-9, "{best} {first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mappings_keep_the_classes_the_target_votes_for() {
    // Classes 0 to 4 at 0, 10, ...; the target lies at 10 and 30, mostly.
    let input = "SELECT value AS id, value % 5 AS label, false AS tgt, [10.0 * (value % 5), 0.1 * (value % 7)] AS embedding \
        FROM generate_series(0, 99) UNION ALL SELECT 1000 + value, CASE WHEN value % 10 = 0 THEN 2 WHEN value % 2 = 0 THEN 1 \
        ELSE 3 END, true, [CASE WHEN value % 10 = 0 THEN 20.0 WHEN value % 2 = 0 THEN 11.0 ELSE 29.0 END, 0.2] \
        FROM generate_series(1, 50)";
    let ctx = session(input).await;
    for recipe in ["label_mapping", "feature_mapping"] {
        let rows = kept(&ctx, recipe, &[("target", "tgt"), ("k", "2")]).await;
        let expected: Vec<i64> = (0..100).filter(|id| id % 5 == 1 || id % 5 == 3).collect();
        assert_eq!(rows, expected, "{recipe}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d4_deduplicates_before_it_clusters() {
    // Ten rows in two directions, each with a copy.
    let ctx = session(
        "SELECT value AS id, CASE WHEN value % 10 < 5 THEN [1.0, 0.3 * (value % 5), 0.0] ELSE [0.0, 0.3 * (value % 5), 1.0] END \
         AS embedding FROM generate_series(0, 19)",
    )
    .await;
    let rows = kept(&ctx, "d4", &[("k", "2"), ("threshold", "0.9999"), ("fraction", "0.3")]).await;
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().all(|id| *id < 10), "copies go: {rows:?}");
}
