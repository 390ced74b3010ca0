//! Tests that all quality functions share: string layouts, NULLs, documentation.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, LargeStringArray, RecordBatch, StringArray, StringViewArray};
use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;

use crate::register::scalar_functions;

const NAMES: [&str; 7] =
    ["c4_clean", "c4_quality", "fineweb_quality", "gopher_quality", "gopher_repetition", "language", "pii_redact"];

fn context() -> SessionContext {
    let ctx = SessionContext::new();
    for udf in scalar_functions() {
        ctx.register_udf(udf.as_ref().clone());
    }
    ctx
}

async fn query(sql: &str) -> Result<Vec<RecordBatch>, String> {
    let frame = context().sql(sql).await.map_err(|e| e.to_string())?;
    frame.collect().await.map_err(|e| e.to_string())
}

async fn table(sql: &str) -> String {
    pretty_format_batches(&query(sql).await.unwrap()).unwrap().to_string()
}

#[tokio::test]
async fn documented_examples() {
    let udfs = scalar_functions();
    for name in NAMES {
        let udf = udfs.iter().find(|u| u.name() == name).unwrap();
        let example = udf.documentation().unwrap().sql_example.clone().unwrap();
        let lines: Vec<&str> = example.lines().filter(|l| !l.starts_with("```")).collect();
        let (sql, expected): (Vec<&str>, Vec<&str>) = lines.iter().partition(|l| l.starts_with('>'));
        let sql: String = sql.iter().map(|l| l[1..].trim_start().to_owned() + "\n").collect();
        let found = table(sql.trim_end().trim_end_matches(';')).await;
        assert_eq!(found, expected.join("\n"), "{name}\n{found}");
    }
}

#[tokio::test]
async fn every_layout_gives_the_same_and_null_gives_null() {
    let texts =
        [Some("The cat sat.\nThe cat sat.\nmail a@b.org and {"), None, Some(""), Some("  \n\n"), Some("ß 🎉\u{0}")];
    let layouts: [ArrayRef; 3] = [
        Arc::new(StringArray::from_iter(texts)),
        Arc::new(LargeStringArray::from_iter(texts)),
        Arc::new(StringViewArray::from_iter(texts)),
    ];
    for name in NAMES {
        let mut shown = Vec::new();
        for array in &layouts {
            let ctx = context();
            ctx.register_batch("t", RecordBatch::try_from_iter([("text", Arc::clone(array))]).unwrap()).unwrap();
            let sql = format!("SELECT {name}(text) AS out FROM t");
            let batches = ctx.sql(&sql).await.unwrap().collect().await.unwrap();
            let out = batches[0].column(0);
            assert_eq!(out.len(), 5, "{name}");
            assert_eq!(
                (0..5).map(|i| out.is_null(i)).collect::<Vec<_>>(),
                [false, true, false, false, false],
                "{name}"
            );
            if let Some(record) = out.as_struct_opt() {
                assert!(record.columns().iter().all(|c| c.is_null(1)), "{name}");
            } else {
                assert_eq!(out.data_type(), array.data_type(), "{name}");
            }
            shown.push(pretty_format_batches(&batches).unwrap().to_string());
        }
        assert!(shown.iter().all(|s| *s == shown[0]), "{name}: {shown:?}");
    }
}

#[tokio::test]
async fn scalars_and_null_literals() {
    for name in NAMES {
        let out = query(&format!("SELECT {name}(NULL) IS NULL AS a, {name}('x') IS NULL AS b")).await.unwrap();
        let flag = |i: usize| out[0].column(i).as_boolean().value(0);
        assert!(flag(0) && !flag(1), "{name}");
    }
}

#[tokio::test]
async fn kinds_of_pii() {
    let both = "SELECT pii_redact('a@b.org 8.8.8.8 212-555-0123', 'phone, ip')";
    assert!(table(both).await.contains("| a@b.org <IP> <PHONE> "));
    for (argument, says) in [
        ("'email,fax'", "found 'fax' in 'email,fax'"),
        ("''", "found '' in ''"),
        ("NULL", "not NULL"),
        ("upper(t)", "not an expression"),
    ] {
        let error = query(&format!("SELECT pii_redact(t, {argument}) FROM (VALUES ('x')) AS v(t)")).await.unwrap_err();
        assert!(error.contains("argument kinds of pii_redact") && error.contains(says), "{argument}: {error}");
    }
    let error = query("SELECT pii_redact(1)").await;
    assert!(error.is_err() || table("SELECT pii_redact(1)").await.contains("| 1 "));
}
