//! Twelve languages in scripts of their own: unrelated sentences are no duplicates, the same sentence in another form is one.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use datafusion::prelude::SessionContext;
use limpid::session::{EngineOptions, context, statement};
use serde_json::Value;

const PARTS: [&str; 4] = ["subject", "place", "object", "verb"];
/// Words of each part: a prime, so that two sentences share at most one part.
const WORDS: usize = 23;
const ROWS: usize = 200;
const COPIES: usize = 5;

/// The languages of `benches/languages.py`, each with sentences that it makes too.
fn languages() -> Vec<(String, Vec<String>)> {
    let languages: Vec<Value> = serde_json::from_str(include_str!("../../benches/languages.json")).unwrap();
    let sentence = |language: &Value, row: usize| {
        let mut text = language["order"].as_str().unwrap().to_owned();
        for (at, part) in PARTS.iter().enumerate() {
            let word = &language[part][(row / WORDS + at * (row % WORDS)) % WORDS];
            text = text.replace(&format!("{{{part}}}"), word.as_str().unwrap());
        }
        text
    };
    let made = |language: &Value| (0..ROWS).map(|row| sentence(language, row)).collect();
    languages.iter().map(|language| (language["name"].as_str().unwrap().to_owned(), made(language))).collect()
}

/// A session whose table `t` has the sentences and, after them, the first ones again as `copy` writes them.
async fn session(texts: &[String], copy: &str, options: &EngineOptions) -> SessionContext {
    let ctx = context(options).unwrap();
    let ids: ArrayRef = Arc::new((0..texts.len() as i64).collect::<Int64Array>());
    let texts: ArrayRef = Arc::new(texts.iter().map(Some).collect::<StringArray>());
    let rows = RecordBatch::try_from_iter([("id", ids), ("text", texts)]).unwrap();
    ctx.register_batch("sentences", rows).unwrap();
    let table = format!(
        "CREATE TABLE t AS SELECT id, text FROM sentences
         UNION ALL SELECT id + {ROWS}, {copy} AS text FROM sentences WHERE id < {COPIES}"
    );
    statement::sql(&ctx, &table).await.unwrap().collect().await.unwrap();
    ctx
}

async fn removed(ctx: &SessionContext, call: &str) -> BTreeSet<(i64, i64)> {
    let sql = format!("SELECT id, duplicate_of FROM {call} WHERE NOT keep");
    let batches = statement::sql(ctx, &sql).await.unwrap().collect().await.unwrap();
    let pairs = |batch: &RecordBatch| -> Vec<(i64, i64)> {
        let [ids, kept] = [0, 1].map(|column| batch.column(column).as_primitive::<Int64Type>().values().to_vec());
        ids.into_iter().zip(kept).collect()
    };
    batches.iter().flat_map(pairs).collect()
}

#[tokio::test]
async fn sentences_go_for_themselves_in_another_form_alone() {
    for (language, texts) in languages() {
        let expected = (0..COPIES as i64).map(|copy| (copy + ROWS as i64, copy)).collect();
        for (unit, copy, threads, batch) in [
            ("word", "upper(normalize_text(text, 'nfd'))", 1, 8192),
            ("word", "lower(normalize_text(text, 'nfc'))", 7, 3),
            ("token", "normalize_text(text, 'nfd')", 7, 64),
        ] {
            let options = EngineOptions { threads: Some(threads), batch_size: Some(batch), ..Default::default() };
            let ctx = session(&texts, copy, &options).await;
            let found = removed(&ctx, &format!("minhash_dedup(t, unit => '{unit}', threshold => 0.9)")).await;
            assert_eq!(found, expected, "{language} by {unit} on {threads} threads");
        }
    }
}

#[tokio::test]
async fn sentences_have_no_duplicate_by_the_built_in_model() {
    for (language, texts) in languages() {
        let ctx = session(&texts, "text", &EngineOptions::default()).await;
        let embedded = format!("(SELECT id, embed_text(text) AS embedding FROM t WHERE id < {ROWS})");
        let found = removed(&ctx, &format!("semantic_dedup({embedded}, threshold => 0.9)")).await;
        assert_eq!(found, BTreeSet::new(), "{language}");
    }
}
