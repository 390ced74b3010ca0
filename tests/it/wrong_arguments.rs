//! Every function and operator, called with arguments that it does not take: a user's mistake is never called a bug, nothing
//! panics, and no message recommends a setting that limpid does not have.

use std::collections::BTreeMap;

use datafusion::common::runtime::SpawnedTask;
use datafusion::prelude::SessionContext;
use limpid::session::errors::plain;
use limpid::session::{EngineOptions, context, statement};

/// Values of every kind that SQL can write down.
const VALUES: &[&str] = &[
    "NULL",
    "0",
    "-1",
    "1.5",
    "CAST(2 AS DECIMAL(38, 2))",
    "'text'",
    "''",
    "true",
    "[1, 2]",
    "['a', NULL]",
    "[1.5, 'NaN'::double]",
    "[[1], [2]]",
    "X'00ff'",
    "DATE '2020-02-30'::date",
    "DATE '2020-01-01'",
    "TIMESTAMP '2020-01-01T00:00:00'",
    "INTERVAL '1' DAY",
    "named_struct('a', 1, 'b', 'x')",
    "map(['k'], [1])",
    "CAST('inf' AS DOUBLE)",
];

/// What no message may hold.
const FORBIDDEN: &[&str] = &[
    "internal error",
    "Internal error",
    "Internal",
    "bug in DataFusion",
    "bug of limpid",
    "This was likely",
    "This issue was likely",
    "datafusion.",
    "TypeSignature",
    "NativeType",
    "Coercion",
    "ScalarValue",
    "panicked",
];

/// Messages with an example of a call that gives each.
type Found = BTreeMap<String, (usize, String)>;

async fn try_all(ctx: &SessionContext, calls: Vec<String>) -> Found {
    let mut found = Found::new();
    for sql in calls {
        let (task_ctx, text) = (ctx.clone(), sql.clone());
        let task = SpawnedTask::spawn(async move {
            let frame = statement::sql(&task_ctx, &text).await?;
            frame.collect().await.map(|_| ())
        });
        let message = match task.await {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => plain(&error).text,
            Err(error) => format!("panicked: {error}"),
        };
        if let Some(word) = FORBIDDEN.iter().find(|word| message.contains(**word)) {
            let shape: String = message.chars().filter(|c| !c.is_ascii_digit()).take(90).collect();
            let entry =
                found.entry(format!("{word}: {shape}")).or_insert_with(|| (0, format!("{sql}\n      {message}")));
            entry.0 += 1;
        }
    }
    found
}

fn report(found: &Found) -> String {
    found.iter().map(|(_, (count, example))| format!("{count:>5} x {example}\n")).collect()
}

/// Argument lists: nothing, one to five of each value, and values of two kinds.
fn arguments() -> Vec<String> {
    let mut lists = vec![String::new()];
    for value in VALUES {
        for count in 1..=5 {
            lists.push(vec![*value; count].join(", "));
        }
    }
    for (at, value) in VALUES.iter().enumerate() {
        let other = VALUES[(at * 7 + 3) % VALUES.len()];
        let third = VALUES[(at * 11 + 5) % VALUES.len()];
        lists.extend([
            format!("{value}, {other}"),
            format!("{other}, {value}, {third}"),
            format!("{third}, {value}, {other}, 1"),
        ]);
    }
    lists
}

async fn engine() -> SessionContext {
    let ctx = context(&EngineOptions { threads: Some(1), ..EngineOptions::default() }).unwrap();
    let table = "CREATE TABLE t AS SELECT column1 AS id, column2 AS text, column3 AS score, column4 AS list \
                 FROM (VALUES (1, 'a b c', 0.5, [1.0, 2.0]), (2, NULL, NULL, NULL), (3, 'd', 1.5, [0.0, 1.0]))";
    statement::sql(&ctx, table).await.unwrap().collect().await.unwrap();
    ctx
}

/// Functions that are not called with every argument: they make as many values as they are told, read models, or look at the clock.
const LEFT_OUT: &[&str] = &["embed_text", "embed_image", "token_nll", "repeat", "lpad", "rpad"];

#[tokio::test(flavor = "multi_thread")]
async fn scalar_functions_refuse_wrong_arguments_plainly() {
    let ctx = engine().await;
    let mut names: Vec<String> = ctx.state().scalar_functions().keys().cloned().collect();
    names.extend(ctx.state().higher_order_functions().keys().cloned());
    names.retain(|name| !LEFT_OUT.contains(&name.as_str()) && !limpid_udfs::checked::is_operator(name));
    names.sort();
    assert!(names.len() > 200);
    let calls = names.iter().flat_map(|name| {
        let name = name.clone();
        arguments().into_iter().map(move |list| format!("SELECT \"{name}\"({list}) AS x FROM t"))
    });
    let found = try_all(&ctx, calls.collect()).await;
    assert!(found.is_empty(), "{}", report(&found));
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_and_windows_refuse_wrong_arguments_plainly() {
    let ctx = engine().await;
    let state = ctx.state();
    let mut calls = vec![];
    for name in state.aggregate_functions().keys() {
        for list in arguments() {
            calls.push(format!("SELECT \"{name}\"({list}) AS x FROM t"));
            calls.push(format!("SELECT \"{name}\"({list}) AS x FROM t GROUP BY id"));
            calls.push(format!("SELECT \"{name}\"({list}) OVER (ORDER BY id ROWS 1 PRECEDING) AS x FROM t"));
        }
    }
    for name in state.window_functions().keys() {
        calls
            .extend(arguments().iter().map(|list| format!("SELECT \"{name}\"({list}) OVER (ORDER BY id) AS x FROM t")));
    }
    calls.sort();
    let found = try_all(&ctx, calls).await;
    assert!(found.is_empty(), "{}", report(&found));
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_refuse_wrong_arguments_plainly() {
    let ctx = engine().await;
    let mut calls = vec![];
    for operator in limpid_udfs::register::operators() {
        let name = operator.name;
        calls.extend([format!("SELECT * FROM {name}()"), format!("SELECT * FROM {name}(t)")]);
        for value in VALUES {
            calls.push(format!("SELECT * FROM {name}({value})"));
            calls.push(format!("SELECT * FROM {name}(t, {value})"));
        }
        for (argument, _) in operator.documentation.arguments.iter().flatten() {
            // It names a folder, and one is made where there is none.
            if argument == "cache" {
                continue;
            }
            for value in VALUES.iter().chain(&["nowhere", "id", "text", "score", "list", "id + 1", "(SELECT 1)", "t"]) {
                calls.push(format!("SELECT * FROM {name}(t, {argument} => {value})"));
                calls.push(format!(
                    "SELECT * FROM {name}((SELECT *, list AS embedding, list AS vector FROM t), {argument} => {value})"
                ));
            }
        }
    }
    let found = try_all(&ctx, calls).await;
    assert!(found.is_empty(), "{}", report(&found));
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_of_sql_refuse_wrong_types_plainly() {
    let ctx = engine().await;
    let mut calls = vec![];
    for operator in [
        "+",
        "-",
        "*",
        "/",
        "%",
        "||",
        "=",
        "<",
        "<<",
        ">>",
        "&",
        "|",
        "^",
        "LIKE",
        "AND",
        "IS DISTINCT FROM",
        "~",
        "->",
        "@>",
    ] {
        for left in VALUES {
            for right in VALUES {
                calls.push(format!("SELECT {left} {operator} {right} AS x FROM t"));
            }
        }
    }
    for value in VALUES {
        for form in [
            "-({})",
            "NOT {}",
            "CAST({} AS BIGINT)",
            "CAST({} AS TINYINT)",
            "CAST({} AS BOOLEAN)",
            "CAST({} AS DATE)",
            "CAST({} AS DECIMAL(3, 2))",
            "({})[1]",
            "({})['a']",
            "({})[1:2]",
            "CASE {} WHEN 1 THEN 2 END",
            "CASE WHEN {} THEN 2 END",
            "{} IN (1, 'a')",
            "{} BETWEEN 1 AND 'x'",
            "EXTRACT(year FROM {})",
            "unnest({})",
            "{} IS TRUE",
            "substring({} FROM 1 FOR 2)",
            "trim({})",
            "position('a' IN {})",
            "{} AT TIME ZONE 'UTC'",
        ] {
            calls.push(format!("SELECT {} AS x FROM t", form.replace("{}", value)));
        }
        for form in [
            "SELECT 1 FROM t LIMIT {}",
            "SELECT 1 FROM t OFFSET {}",
            "SELECT 1 FROM t WHERE {}",
            "SELECT 1 FROM t GROUP BY {}",
            "SELECT id FROM t ORDER BY {}",
            "SELECT * FROM generate_series({}, {})",
            "SELECT * FROM range({})",
            "VALUES (1), ({})",
            "SELECT sum(score) OVER (ORDER BY id RANGE {} PRECEDING) FROM t",
            "SELECT 1 UNION ALL SELECT {}",
            "SELECT id FROM t WHERE id IN (SELECT {})",
            "SELECT id FROM t JOIN (SELECT {} AS k) ON id = k",
            "SELECT id FROM t HAVING {}",
        ] {
            calls.push(form.replace("{}", value));
        }
    }
    let found = try_all(&ctx, calls).await;
    assert!(found.is_empty(), "{}", report(&found));
}
