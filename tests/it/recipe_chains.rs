//! Recipes over recipes in one statement: each input is planned and computed once, so that depth costs little.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::AsArray;
use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use limpid::session::{EngineOptions, context, statement};

use crate::materialize::counted;

/// Recipes, each over the one before it: name and arguments.
const CHAIN: [(&str, &str); 5] = [
    ("exact_dedup", "text => body"),
    ("score_top", "score => quality, fraction => 0.8"),
    ("data_diet_el2n", "vector => embedding, fraction => 0.8, runs => 2, epochs => 1"),
    ("score_strata", "score => quality, fraction => 0.9, strata => 5, trim => 0"),
    ("score_top", "score => quality, fraction => 0.7"),
];

const DOCS: &str = "CREATE TABLE docs AS SELECT value AS id, 'document ' || CAST(value % 150 AS VARCHAR) AS body, value % 3 AS label, \
    [CAST(sin(value) AS FLOAT), CAST(cos(value * 3) AS FLOAT), CAST(value % 3 AS FLOAT)] AS embedding, \
    value * 37 % 101 AS quality FROM generate_series(1, 200)";

async fn session(memory_limit: Option<usize>) -> SessionContext {
    let options = EngineOptions { threads: Some(3), batch_size: Some(32), memory_limit, ..Default::default() };
    let ctx = context(&options).unwrap();
    run(&ctx, DOCS).await;
    ctx
}

async fn run(ctx: &SessionContext, sql: &str) -> String {
    let batches = statement::sql(ctx, sql).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

/// The physical plan.
async fn explained(ctx: &SessionContext, sql: &str) -> String {
    let batches = statement::sql(ctx, &format!("EXPLAIN {sql}")).await.unwrap().collect().await.unwrap();
    let mut plans = batches[0].column(0).as_string::<i32>().iter().zip(batches[0].column(1).as_string::<i32>());
    plans.find(|(kind, _)| *kind == Some("physical_plan")).unwrap().1.unwrap().to_owned()
}

/// A recipe over `input`, a table or a query in brackets.
fn call(recipe: usize, input: &str) -> String {
    let (name, args) = CHAIN[recipe];
    format!("SELECT * FROM recipe('{name}', {input}, {args}) WHERE keep")
}

/// Recipes over each other, so many deep.
fn nested(depth: usize) -> String {
    (0..depth).fold("docs".to_owned(), |input, recipe| match recipe {
        0 => call(recipe, &input),
        _ => call(recipe, &format!("({input})")),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_planned_in_proportion_to_its_depth() {
    let ctx = session(None).await;
    let mut lines = vec![];
    for depth in 1..=CHAIN.len() {
        let plan = explained(&ctx, &nested(depth)).await;
        let count = |word: &str| plan.matches(word).count();
        // A table that is read row by row is scanned wherever the first recipe names it.
        assert!(count("DataSourceExec") <= 3, "{depth}: {plan}");
        assert_eq!(count("OperatorExec: fit_softmax"), usize::from(depth > 2), "{plan}");
        for (name, _) in &CHAIN[1..depth] {
            let listed = plan.lines().filter(|line| line.contains("InputExec: input of") && line.contains(name));
            assert!(listed.count() >= 1, "{name}: {plan}");
        }
        lines.push(plan.lines().count());
    }
    let widest = lines.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(widest < 150, "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_answers_as_tables_would() {
    for limit in [None, Some(64 << 20)] {
        let ctx = session(limit).await;
        let mut table = "docs".to_owned();
        for recipe in 0..CHAIN.len() {
            let next = format!("after_{recipe}");
            run(&ctx, &format!("CREATE TABLE {next} AS {}", call(recipe, &table))).await;
            table = next;
            let expected = run(&ctx, &format!("SELECT * FROM {table} ORDER BY id")).await;
            assert!(expected.lines().count() > 40, "{expected}");
            let chained = nested(recipe + 1);
            assert_eq!(run(&ctx, &format!("SELECT * FROM ({chained}) ORDER BY id")).await, expected, "{recipe}");
            let expected = run(&ctx, &format!("SELECT count(*), sum(quality) FROM {table}")).await;
            let counted = format!("SELECT count(*), sum(quality) FROM ({chained})");
            assert_eq!(run(&ctx, &counted).await, expected, "{recipe}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_is_computed_once_and_for_the_columns_that_are_read() {
    let ctx = session(None).await;
    let seen = counted(&ctx);
    let input = "SELECT id, body, counted(quality) AS quality FROM docs";
    let top = |input: &str| format!("SELECT * FROM recipe('score_top', ({input}), score => quality, fraction => 0.5)");
    run(&ctx, &top(input)).await;
    assert_eq!(seen.swap(0, Ordering::Relaxed), 200);
    // Readers at once, and readers of whole tables in a WITH clause.
    let two = format!(
        "WITH chosen AS ({}) SELECT count(*) FROM chosen AS a JOIN chosen AS b ON a.id = b.id + 1 WHERE a.keep",
        top(input)
    );
    run(&ctx, &two).await;
    assert_eq!(seen.swap(0, Ordering::Relaxed), 200);
    run(&ctx, &format!("{} LIMIT 1", top(&top(input)))).await;
    assert_eq!(seen.swap(0, Ordering::Relaxed), 200);
    let plan = explained(&ctx, &format!("SELECT id FROM ({}) WHERE keep", top(&top(input)))).await;
    assert!(!plan.contains("body"), "{plan}");
    let joined = "SELECT a.id, a.quality FROM docs AS a JOIN docs AS b ON a.id = b.id";
    let plan = explained(&ctx, &top(joined)).await;
    assert_eq!(plan.matches("DataSourceExec").count(), 2, "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_may_stand_anywhere() {
    let ctx = session(None).await;
    let chain = nested(3);
    let expected = run(&ctx, &format!("SELECT id FROM ({chain}) ORDER BY id")).await;
    run(&ctx, &format!("CREATE VIEW chosen AS {chain}")).await;
    for _ in 0..2 {
        assert_eq!(run(&ctx, "SELECT id FROM chosen ORDER BY id").await, expected);
    }
    let within = format!("SELECT id FROM docs WHERE id IN (SELECT id FROM ({chain})) ORDER BY id");
    assert_eq!(run(&ctx, &within).await, expected);
    let from_two = "SELECT a.id FROM chosen AS a JOIN (SELECT id FROM chosen) AS b ON a.id = b.id ORDER BY a.id";
    assert_eq!(run(&ctx, from_two).await, expected);
    let frame = statement::sql(&ctx, &format!("SELECT id FROM ({chain}) ORDER BY id")).await.unwrap();
    for _ in 0..2 {
        let batches = frame.clone().collect().await.unwrap();
        assert_eq!(pretty_format_batches(&batches).unwrap().to_string(), expected, "a frame runs again");
    }
    // What stands around an input decides its rows here: it is planned where it stands.
    let lateral =
        "SELECT count(*) FROM docs AS d WHERE d.id IN (SELECT max(e.id) FROM docs AS e WHERE e.label = d.label)";
    let alone = run(&ctx, lateral).await;
    let of = format!(
        "SELECT count(*) FROM recipe('score_top', ({}), score => n, id => n)",
        lateral.replace("count(*)", "d.id AS n")
    );
    assert_eq!(run(&ctx, &of).await, alone);
    let analyzed = run(&ctx, &format!("EXPLAIN ANALYZE {chain}")).await;
    assert!(analyzed.contains("InputExec: input of recipe 1, data_diet_el2n, readers="), "{analyzed}");
    assert!(analyzed.contains("fit_softmax"), "{analyzed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_ends_come_through() {
    let ctx = session(None).await;
    let deep = |input: &str| {
        let top = |input: &str| format!("SELECT * FROM recipe('score_top', ({input}), score => quality)");
        top(&top(&top(input)))
    };
    let broken = deep("SELECT id, 1 / (id - 150) AS quality FROM docs ORDER BY id");
    let error = statement::sql(&ctx, &broken).await.unwrap().collect().await.unwrap_err();
    assert!(error.to_string().to_lowercase().replace(' ', "").contains("dividebyzero"), "{error}");
    let twice = deep("SELECT id % 100 AS id, quality FROM docs ORDER BY id");
    let error = statement::sql(&ctx, &twice).await.unwrap().collect().await.unwrap_err();
    assert!(error.to_string().contains("more than once"), "{error}");
    let absent = deep("SELECT id, label FROM docs ORDER BY id");
    let error = statement::sql(&ctx, &absent).await.unwrap_err();
    assert!(error.to_string().contains("has no column `quality`"), "{error}");
    // A reader that leaves early, and one that never reads to the end.
    let long = deep("SELECT id, quality FROM docs ORDER BY id");
    let mut rows = statement::sql(&ctx, &long).await.unwrap().execute_stream().await.unwrap();
    rows.next().await.unwrap().unwrap();
    drop(rows);
    let pool = Arc::clone(&ctx.runtime_env().memory_pool);
    for _ in 0..100 {
        if pool.reserved() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
    assert_eq!(pool.reserved(), 0, "nothing is held for a query that nobody reads");
    run(&ctx, &long).await;
}
