//! The recipes over model outputs, texts and frames, on data whose answer is known.

use std::collections::BTreeMap;

use arrow::array::{Array, RecordBatch};
use arrow::util::display::array_value_to_string;
use datafusion::prelude::SessionContext;
use limpid::recipes::expand;
use limpid::session::{EngineOptions, context, statement};

async fn session(query: &str) -> SessionContext {
    let ctx = context(&EngineOptions { threads: Some(3), ..Default::default() }).unwrap();
    statement::sql(&ctx, &format!("CREATE TABLE input AS {query}")).await.unwrap().collect().await.unwrap();
    ctx
}

async fn run(ctx: &SessionContext, sql: &str) -> Vec<RecordBatch> {
    let frame = statement::sql(ctx, sql).await.unwrap_or_else(|error| panic!("{error}\n{sql}"));
    frame.collect().await.unwrap_or_else(|error| panic!("{error}\n{sql}"))
}

/// `columns` of a recipe's answer as text, a row each, in the order of the first.
async fn answer(ctx: &SessionContext, name: &str, args: &[(&str, &str)], columns: &str) -> Vec<Vec<String>> {
    let recipe = expand(name, args, "id", Some("text")).unwrap();
    let mut found = vec![];
    for batch in run(ctx, &format!("SELECT {columns} FROM ({recipe}) ORDER BY 1, 2")).await {
        for row in 0..batch.num_rows() {
            let cell = |column: &arrow::array::ArrayRef| match column.is_null(row) {
                true => "NULL".to_owned(),
                false => array_value_to_string(column, row).unwrap(),
            };
            found.push(batch.columns().iter().map(cell).collect());
        }
    }
    found
}

async fn kept(ctx: &SessionContext, name: &str, args: &[(&str, &str)]) -> Vec<i64> {
    let all = answer(ctx, name, args, "id, keep").await;
    assert!(all.iter().all(|row| row[1] != "NULL"), "{name}: keep is NULL");
    let count = run(ctx, "SELECT count(*) FROM input").await;
    assert_eq!(all.len().to_string(), array_value_to_string(count[0].column(0), 0).unwrap(), "{name}: every row once");
    assert_eq!(answer(ctx, name, args, "id, keep").await, all, "{name} twice");
    all.into_iter().filter(|row| row[1] == "true").map(|row| row[0].parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_and_chance_choose_rows() {
    let ctx = session(
        "SELECT value AS id, CASE WHEN value < 10 THEN NULL ELSE CAST(value % 90 AS DOUBLE) END AS worth FROM generate_series(0, 99)",
    )
    .await;
    let top = kept(&ctx, "score_top", &[("score", "worth"), ("fraction", "0.05")]).await;
    assert_eq!(top, [85, 86, 87, 88, 89]);
    let low = kept(&ctx, "score_top", &[("score", "worth"), ("fraction", "0.05"), ("order", "lowest")]).await;
    assert_eq!(low, [90, 91, 92, 93, 94]);
    assert_eq!(kept(&ctx, "random", &[("fraction", "0.3")]).await.len(), 30);
    assert_ne!(
        kept(&ctx, "random", &[("fraction", "0.3")]).await,
        kept(&ctx, "random", &[("fraction", "0.3"), ("seed", "1")]).await
    );
    // 90 rows with worth 0 to 89; the tenth part of lowest worth goes, three strata get four rows each.
    let args = [("score", "worth"), ("fraction", "0.12"), ("trim", "0.1"), ("strata", "3")];
    let strata = kept(&ctx, "score_strata", &args).await;
    let of = |id: &i64| ((id % 90 - 9) as f64 / 80.0 * 3.0).min(2.0) as usize;
    let mut counts = [0; 3];
    strata.iter().for_each(|id| counts[of(id)] += 1);
    assert_eq!(counts, [4, 4, 4], "{strata:?}");
    assert!(strata.iter().all(|id| *id >= 10 && id % 90 >= 9));
}

#[tokio::test(flavor = "multi_thread")]
async fn recipes_stand_in_sql_where_a_table_stands() {
    let ctx = session("SELECT value AS id, value * 1.5 AS worth FROM generate_series(1, 10)").await;
    for relation in ["input", "(SELECT * FROM input)", "docs"] {
        let sql = format!(
            "WITH docs AS (SELECT * FROM input) SELECT sum(r.id) FROM recipe('score_top', {relation}, score => worth, fraction => 0.2) AS r WHERE keep"
        );
        let found = run(&ctx, &sql).await;
        assert_eq!(array_value_to_string(found[0].column(0), 0).unwrap(), "19", "{relation}");
    }
    for (sql, said) in [
        ("SELECT * FROM recipe('ccss', input)", "there is no recipe `ccss`"),
        ("SELECT * FROM recipe(input)", "takes the name of a recipe, a relation"),
        ("SELECT * FROM recipe(ccs, input)", "text in quotes"),
        ("SELECT * FROM recipe('random', input, share => 0.1)", "has no argument `share`; it has id, fraction, seed"),
        (
            "SELECT * FROM recipe('random', input, fraction => 'x')",
            "must be a number of at least 0 and at most 1, not `x`",
        ),
        ("SELECT * FROM recipe('random', input, 0.1)", "arguments are given by name"),
        ("SELECT * FROM recipe('random', 7)", "a table or `(SELECT ...)`"),
    ] {
        let error = statement::sql(&ctx, sql).await.unwrap_err().to_string();
        assert!(error.contains(said), "{sql}\n{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q_tuning_keeps_misconceptions_and_calibration() {
    // Ten rows in each quadrant; losses are constant over the four tokens of a row.
    let ctx = session(
        "SELECT value AS id, [l, l, l + 1.0, l] AS nll, [e, e] AS entropy FROM (SELECT value, \
         CASE WHEN value < 20 THEN 3.0 ELSE 1.0 END + value * 0.001 AS l, CASE WHEN value % 20 < 10 THEN 2.0 ELSE 0.5 END + value * 0.001 AS e \
         FROM generate_series(0, 39))",
    )
    .await;
    let found =
        answer(&ctx, "q_tuning", &[("fraction", "0.5"), ("tokens", "0.5")], "id, keep, quadrant, token_keep").await;
    let mut right = 0;
    for row in &found {
        let id: usize = row[0].parse().unwrap();
        right += usize::from((row[1] == "true") == (10..30).contains(&id));
        assert_eq!(row[3] != "NULL", row[2] == "Q2", "{row:?}");
        if row[2] == "Q2" {
            assert_eq!(row[3].matches("true").count(), 2, "{row:?}");
        }
    }
    assert_eq!(found.iter().filter(|row| row[1] == "true").count(), 20);
    assert!(right >= 36, "{right} {found:?}");
    // More than both quadrants hold: the rest comes by the distance of the two scores.
    assert_eq!(kept(&ctx, "q_tuning", &[("fraction", "0.9")]).await.len(), 36);
}

#[tokio::test(flavor = "multi_thread")]
async fn adapt_infinity_draws_alike_by_the_telling_score() {
    // Two clusters; in the first only the second score tells rows apart, in the other the first one.
    let ctx = session(
        "SELECT value AS id, [CASE WHEN value < 60 THEN 1.0 ELSE 0.0 END, CASE WHEN value < 60 THEN 0.0 ELSE 1.0 END] AS embedding, \
         CASE WHEN value < 60 THEN [CASE WHEN value = 0 THEN 9.0 ELSE 0.0 END, value * 1.0] ELSE [value * 1.0, CASE WHEN value = 60 THEN 9.0 ELSE 0.0 END] \
         END AS scores FROM generate_series(0, 99)",
    )
    .await;
    let args = [("k", "2"), ("budget", "20"), ("bins", "5"), ("trim", "0.1")];
    let rows = kept(&ctx, "adapt_infinity", &args).await;
    assert_eq!(rows.len(), 20, "{rows:?}");
    assert_eq!(rows.iter().filter(|id| **id < 60).count(), 10);
    // A tenth at either end of each cluster is gone.
    assert!(rows.iter().all(|id| (6..54).contains(id) || (64..96).contains(id)), "{rows:?}");
    for row in answer(&ctx, "adapt_infinity", &args, "id, chosen_score").await {
        let id: i64 = row[0].parse().unwrap();
        assert!(row[1] == "NULL" || row[1] == if id < 60 { "2" } else { "1" }, "{row:?}");
    }
    let pool = session(
        "SELECT value AS id, value % 2 AS cluster_id, [cos(turn), sin(turn)] AS embedding FROM \
         (SELECT value, CASE WHEN value < 10 THEN value * 0.3 ELSE value % 2 * 0.3 END AS turn FROM generate_series(0, 19))",
    )
    .await;
    let rows = kept(&pool, "adapt_infinity_pool", &[("fraction", "0.5")]).await;
    assert_eq!(rows, (0..10).collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn paser_spends_where_pruning_hurt() {
    // Two clouds; pruning changed the predictions of the second one much. Row 59 claims that two known concepts belong together.
    let ctx = session(
        "SELECT value AS id, [CASE WHEN value < 30 THEN 0.0 ELSE 9.0 END + hash_uniform(1, value), hash_uniform(2, value)] AS embedding, [0.5, 0.5] AS before, \
         CASE WHEN value < 30 THEN [0.55, 0.45] WHEN value = 59 THEN [0.949, 0.051] ELSE [0.95, 0.05] END AS after, 100 + value % 3 AS tokens, \
         CASE WHEN value = 59 THEN ['a', 'b'] WHEN value % 2 = 0 THEN ['a'] ELSE ['b'] END AS concepts FROM generate_series(0, 59)",
    )
    .await;
    let rows = kept(&ctx, "paser", &[("k", "2"), ("budget", "40")]).await;
    let hurt = rows.iter().filter(|id| **id >= 30).count();
    assert!(hurt > 25 && rows.len() <= 40, "{rows:?}");
    assert!(!rows.contains(&59));
    let reasons = answer(&ctx, "paser", &[("k", "2"), ("budget", "40")], "id, reason").await;
    assert_eq!(reasons[59][1], "'a' and 'b' are known and not linked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_was_not_measured_whole_is_not_chosen() {
    // Without its third token set 1 would change least.
    let sets = |third: &str, others: &str| {
        format!(
            "SELECT value % 2 AS set_id, [0.5, 0.5] AS before, CASE WHEN value = 5 THEN {third} WHEN value % 2 = 1 THEN [0.5, 0.5] ELSE {others} END AS after \
             FROM generate_series(0, 7)"
        )
    };
    let found = |sql: String| async move {
        answer(&session(&sql).await, "nirvana_calibration", &[("set", "set_id")], "set_id, keep, score IS NULL, tokens")
            .await
    };
    let whole = found(sets("[0.9, 0.1]", "[0.6, 0.4]")).await;
    assert_eq!(whole, [["0", "true", "false", "4"], ["1", "false", "false", "4"]]);
    let lacking = found(sets("NULL", "[0.6, 0.4]")).await;
    assert_eq!(lacking, [["0", "true", "false", "4"], ["1", "false", "true", "4"]]);
    let none = found(sets("NULL", "NULL")).await;
    assert_eq!(none, [["0", "false", "true", "4"], ["1", "false", "true", "4"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn calibration_and_keywords() {
    let sets = session(
        "SELECT set_id, [0.5, 0.5] AS before, CASE set_id WHEN 2 THEN [0.5, 0.5] WHEN 1 THEN [0.6, 0.4] ELSE [0.9, 0.1] END AS after \
         FROM (SELECT value % 3 AS set_id FROM generate_series(0, 11))",
    )
    .await;
    let found = answer(&sets, "nirvana_calibration", &[("set", "set_id")], "set_id, keep, tokens, score = 0").await;
    assert_eq!(found, [["0", "false", "4", "false"], ["1", "false", "4", "false"], ["2", "true", "4", "true"]]);
    let keys =
        session("SELECT * FROM (VALUES (1, 0.5, 0.9), (2, 1e-5, 0.2), (3, 0.0, NULL)) AS t(id, before, after)").await;
    let found = answer(&keys, "outlandish_keywords", &[], "id, risk, keep, round(memorised, 3)").await;
    assert_eq!(
        found,
        [["1", "false", "true", "0.588"], ["2", "true", "false", "9.903"], ["3", "true", "false", "NULL"]]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn leaf_takes_confusing_spans_out() {
    let ctx = session(
        "SELECT 1 AS id, ['the', ' ', 'red', ' ', 'cat', ' sat'] AS tokens, [0.1, 0.5, 0.9, 0.9, 0.1, 0.2] AS student, \
         [0.5, 0.5, 0.0, 0.1, 1.0, 0.9] AS teacher",
    )
    .await;
    // The differences are least at the third token, then at the fourth, which is white space.
    let columns = "id, run, first_token, tokens, text";
    let found = answer(&ctx, "leaf_spans", &[("quantile", "0.2")], columns).await;
    assert_eq!(found, [["1", "1", "3", "1", "the  cat sat"]]);
    let found = answer(&ctx, "leaf_spans", &[("quantile", "0.4")], columns).await;
    assert_eq!(found, [["1", "1", "3", "1", "the  cat sat"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn chains_of_reasoning_are_checked() {
    let ctx = session(
        "SELECT value AS id, value / 4 AS question, 'so the answer is ' || CASE WHEN value % 4 = 3 THEN '8' ELSE '7' END AS generated, '7' AS gold, \
         value % 2 AS difficulty, 100 + value AS tokens FROM generate_series(0, 39)",
    )
    .await;
    let args = [("rewritten", "generated"), ("longest", "0.5")];
    let rows = kept(&ctx, "concise_reasoning", &args).await;
    // Twenty right chains of difficulty 0, ten of difficulty 1; the shorter half of each stays.
    assert_eq!(rows.len(), 15);
    assert!(rows.iter().all(|id| id % 4 != 3 && *id < 20), "{rows:?}");
    let rows = kept(&ctx, "automate_cot_pool", &[("budget", "6")]).await;
    assert!(rows.len() == 6 && rows.iter().all(|id| id % 4 != 3), "{rows:?}");
    let questions: std::collections::BTreeSet<i64> = rows.iter().map(|id| id / 4).collect();
    assert_eq!(questions.len(), 6);
    let distilled = session(
        "SELECT * FROM (VALUES (1, 'It is 7.', 'Step by step: 7', '7'), (2, 'It is 9.', 'Step by step: 8', '9'), (3, 'It is 1.', NULL, '1')) \
         AS t(id, original, rewritten, gold)",
    )
    .await;
    let found = answer(&distilled, "self_distillation", &[], "id, is_rewrite, distilled").await;
    assert_eq!(found, [["1", "true", "Step by step: 7"], ["2", "false", "It is 9."], ["3", "false", "It is 1."]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_estimate_of_automate_cot_is_its_definition() {
    let ctx = session(
        "SELECT * FROM (VALUES (1, 1, 'a', 0.5, 2.0), (1, 2, 'c', 0.25, 2.0), (2, 1, 'b', 0.5, 5.0), (2, 2, 'c', 0.25, 5.0), (3, 1, 'a', 0.5, 2.0), \
         (3, 2, 'd', 0.75, 2.0)) AS t(trial, slot, candidate, probability, loss)",
    )
    .await;
    // The mean loss is 3: a is drawn twice with a loss 1 below, b once 2 above.
    let found = answer(&ctx, "automate_cot_estimator", &[], "slot, candidate, draws, round(gradient, 6)").await;
    let expected =
        [["1", "a", "2", "-2.0"], ["1", "b", "1", "2.0"], ["2", "c", "2", "2.0"], ["2", "d", "1", "-0.666667"]];
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_accelerate_in_a_new_scene_keep_their_reasoning() {
    // A steady motion with a jolt at frame 5; the gripper closes at frame 8; scenes change at 5 and 7.
    let ctx = session(
        "SELECT value AS t, 'a' AS trajectory, [CASE WHEN value < 5 THEN value * 1.0 ELSE value * 2.0 END, 0.0, 0.0, 0.0, 0.0, 0.0] AS pose, \
         value >= 8 AS gripper, value IN (5, 7) AS scene FROM generate_series(0, 9)",
    )
    .await;
    let found = answer(&ctx, "dualvla_frames", &[("time", "t")], "t, action_key, keep_reasoning").await;
    let frames = |column: usize| -> Vec<usize> {
        found.iter().filter(|row| row[column] == "true").map(|row| row[0].parse().unwrap()).collect()
    };
    assert_eq!(found.len(), 10);
    assert_eq!((frames(1), frames(2)), (vec![4, 5, 8], vec![5]));
}

#[tokio::test(flavor = "multi_thread")]
async fn mixtures_follow_their_proportions() {
    let ctx = session(
        "SELECT value AS id, CASE WHEN value < 20 THEN 'small' WHEN value < 60 THEN 'b' ELSE 'c' END AS source, CASE WHEN value < 20 THEN 2 ELSE 1 END AS weight, \
         CASE WHEN value % 2 = 0 THEN 0.9 END AS reward FROM generate_series(0, 99)",
    )
    .await;
    let counts = |rows: &[i64]| -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for id in rows {
            *counts
                .entry(if *id < 20 {
                    "small"
                } else if *id < 60 {
                    "b"
                } else {
                    "c"
                })
                .or_default() += 1;
        }
        counts
    };
    let rows = kept(&ctx, "data_mixture", &[("budget", "40")]).await;
    assert_eq!(counts(&rows), BTreeMap::from([("b", 10), ("c", 10), ("small", 20)]));
    let rows = kept(&ctx, "data_mixture", &[("budget", "40"), ("reward", "reward"), ("least", "0.95")]).await;
    // Rows without a reward stay in the race; the small source has ten of them only.
    assert!(rows.iter().all(|id| id % 2 == 1));
    assert_eq!(counts(&rows), BTreeMap::from([("b", 15), ("c", 15), ("small", 10)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teacher_comes_with_the_random_share() {
    let ctx = session(
        "SELECT value AS id, [value % 2 * 2.0 - 1.0 + hash_uniform(1, value), 1.0] AS embedding, CASE WHEN value = 7 THEN 0 ELSE value % 2 END AS label \
         FROM generate_series(0, 99)",
    )
    .await;
    let args = [("fraction", "0.3"), ("hidden", "0"), ("epochs", "20"), ("runs", "2")];
    assert_eq!(kept(&ctx, "distilled_pruning", &args).await.len(), 30);
    let columns = "id, cardinality(teacher_probs), teacher_margin < 0, alpha";
    for row in answer(&ctx, "distilled_pruning", &args, columns).await {
        assert_eq!(row[1..], ["2", if row[0] == "7" { "true" } else { "false" }, "0.9"], "{row:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn worthless_sources_leave_the_corpus() {
    let ctx = session(
        "SELECT q.value * 10 + r.value AS id, q.value AS query_id, r.value AS rank, 'site' || r.value AS source_id, CASE WHEN r.value < 2 THEN 0.0 ELSE 1.0 END \
         AS utility FROM generate_series(0, 19) AS q CROSS JOIN generate_series(0, 4) AS r",
    )
    .await;
    let rows = kept(&ctx, "rag_importance", &[("k", "2"), ("learning_rate", "1"), ("remove", "0.4")]).await;
    assert_eq!(rows.len(), 60);
    assert!(rows.iter().all(|id| id % 10 >= 2), "{rows:?}");
}
