//! A row whose score is NaN is never selected for it: recipes treat NaN like NULL, as the worst value, or refuse it.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use limpid::jobs::recipes::expand;
use limpid::jobs::yaml::{Entries, Text};
use limpid::session::errors::plain;
use limpid::session::{EngineOptions, context, statement};

/// Ten rows; the score of row 1 is `odd`, those of the others are 0.1 to 0.9.
fn input(odd: &str) -> String {
    format!(
        "SELECT value AS id, CASE WHEN value = 1 THEN CAST({odd} AS DOUBLE) ELSE value / 10.0 END AS worth, \
         [CASE WHEN value = 1 THEN CAST({odd} AS DOUBLE) ELSE value / 10.0 END, 0.5] AS scores, \
         [CASE WHEN value = 1 THEN CAST({odd} AS DOUBLE) ELSE value / 10.0 END, 1.0, 2.0, 3.0, 4.0, 5.0 + value] AS pose, \
         ['a', 'b'] AS words, value % 2 AS label, 'x' AS grp, true AS yes, \
         [CAST(cos(value) AS DOUBLE), CAST(sin(value) AS DOUBLE)] AS embedding, [0.5, 0.5] AS p_before, [0.25, 0.75] AS p_after \
         FROM generate_series(1, 10)"
    )
}

/// Each recipe that reads a number of the user's, with the arguments that make it select by that number.
const RECIPES: &[(&str, &[(&str, &str)])] = &[
    ("score_top", &[("score", "worth"), ("fraction", "0.3")]),
    ("score_top", &[("score", "worth"), ("fraction", "0.3"), ("order", "lowest")]),
    ("score_strata", &[("score", "worth"), ("fraction", "0.5"), ("strata", "2")]),
    (
        "score_strata",
        &[("score", "worth"), ("fraction", "0.5"), ("strata", "2"), ("order", "highest"), ("trim", "0.2")],
    ),
    ("adapt_infinity", &[("scores", "scores"), ("k", "2"), ("budget", "4"), ("trim", "0"), ("bins", "2")]),
    ("data_mixture", &[("source", "grp"), ("weight", "label"), ("reward", "worth"), ("least", "0"), ("budget", "10")]),
    ("outlandish_keywords", &[("before", "worth"), ("after", "worth")]),
    (
        "paser",
        &[
            ("before", "p_before"),
            ("after", "p_after"),
            ("tokens", "worth"),
            ("concepts", "words"),
            ("k", "1"),
            ("budget", "4"),
        ],
    ),
    ("q_tuning", &[("nll", "scores"), ("entropy", "scores"), ("tokens", "2"), ("fraction", "0.5")]),
    (
        "dualvla_frames",
        &[("trajectory", "grp"), ("time", "id"), ("pose", "pose"), ("gripper", "label"), ("scene", "yes")],
    ),
    ("vog", &[("gradient", "scores"), ("fraction", "0.3")]),
    (
        "concise_reasoning",
        &[("rewritten", "grp"), ("gold", "grp"), ("difficulty", "grp"), ("tokens", "worth"), ("longest", "0.9")],
    ),
    ("semdedup", &[("vector", "scores"), ("k", "2")]),
    ("d4", &[("vector", "scores"), ("k", "2")]),
    ("ssl_prototypes", &[("vector", "scores"), ("k", "2"), ("fraction", "0.3")]),
    ("density_pruning", &[("vector", "scores"), ("k", "2"), ("budget", "3")]),
    ("divprune", &[("vector", "scores"), ("group", "grp"), ("k", "3")]),
    ("farthest_points", &[("vector", "scores"), ("group", "grp"), ("k", "3"), ("order", "worth DESC")]),
    ("k_center", &[("vector", "scores"), ("budget", "3")]),
    ("adapt_infinity_pool", &[("vector", "scores"), ("cluster", "grp"), ("fraction", "0.3")]),
    ("data_diet_el2n", &[("vector", "scores"), ("runs", "1"), ("fraction", "0.3")]),
    ("aum", &[("vector", "scores"), ("runs", "1"), ("fraction", "0.3")]),
];

/// The decision about row 1, or the error.
async fn decision(recipe: &str, args: &[(&str, &str)], odd: &str) -> Result<Option<bool>, String> {
    let ctx = context(&EngineOptions { threads: Some(2), ..Default::default() }).unwrap();
    let args = args.iter().map(|(k, v)| ((*k).to_owned(), Text { value: (*v).to_owned(), line: 1 })).collect();
    let query = expand(recipe, &Entries(args), "id", Some("text")).unwrap();
    let keep = if recipe == "dualvla_frames" { "keep_reasoning" } else { "keep" };
    let run = async {
        statement::sql(&ctx, &format!("CREATE TABLE input AS {}", input(odd))).await?.collect().await?;
        statement::sql(&ctx, &format!("SELECT id, {keep} FROM ({query}) ORDER BY id")).await?.collect().await
    };
    let batches = run.await.map_err(|error| plain(&error).text)?;
    let mut rows = vec![];
    for batch in &batches {
        let keep = batch.column(1).as_boolean();
        rows.extend(batch.column(0).as_primitive::<Int64Type>().values().iter().copied().zip(keep.iter()));
    }
    assert!(rows.iter().any(|(_, keep)| *keep == Some(true)), "{recipe} keeps nothing");
    Ok(rows.iter().find(|(id, _)| *id == 1).and_then(|(_, keep)| *keep))
}

#[tokio::test(flavor = "multi_thread")]
async fn nan_never_wins_a_selection() {
    let mut wrong = String::new();
    for (recipe, args) in RECIPES {
        match decision(recipe, args, "'NaN'").await {
            Ok(Some(true)) => wrong += &format!("{recipe} {args:?}: keeps the row\n"),
            Ok(_) => {}
            Err(error) if error.contains("NaN") || error.contains("finite") => {}
            Err(error) => wrong += &format!("{recipe} {args:?}: {error}\n"),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
