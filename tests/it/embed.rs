//! `embed` against `embed_text`: over 1 and 7 partitions, in little memory, on a cluster, with a cache and without.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use limpid::session::{EngineOptions, context, metrics, statement};

use super::docs::run;
use super::everywhere::{self, Random};

/// Texts of which many are equal, some are missing and some are empty.
fn texts(count: usize) -> RecordBatch {
    let mut random = Random(3);
    let words = ["water", "fire", "a", "bank", "apple", "\u{e9}t\u{e9}", "9", "."];
    let texts: StringArray = (0..count)
        .map(|_| {
            let length = random.below(9);
            let text: Vec<&str> = (0..length).map(|_| words[random.below(8) as usize]).collect();
            (random.below(12) > 0).then(|| text.join(" "))
        })
        .collect();
    let ids: Int64Array = (0..count as i64).map(Some).collect();
    let columns: [(&str, ArrayRef); 2] = [("id", Arc::new(ids)), ("text", Arc::new(texts))];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

/// The result of a query, and what its operators counted.
async fn counted(ctx: &SessionContext, sql: &str) -> (usize, Vec<(String, u64)>) {
    let plan = statement::sql(ctx, sql).await.unwrap().create_physical_plan().await.unwrap();
    let batches = datafusion::physical_plan::collect(Arc::clone(&plan), ctx.task_ctx()).await.unwrap();
    (batches.iter().map(RecordBatch::num_rows).sum(), metrics::collect(plan.as_ref()))
}

fn count(metrics: &[(String, u64)], name: &str) -> u64 {
    metrics.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count)
}

/// Parquet files below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let below = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    below.filter(|path| path.extension().is_some_and(|extension| extension == "parquet")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn embed_gives_what_embed_text_gives_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = None;
    // What cannot spill must fit beside what sorts take, a quarter for merging and three quarters of the rest: the places of 900 texts
    // in the cache, 380 kB, and seven batches of vectors of 96 kB.
    let sessions = everywhere::sessions_within(10_000_000, "t", &texts(900), folder.path()).await;
    for (number, (name, ctx)) in sessions.into_iter().enumerate() {
        let twin = run(&ctx, "SELECT id, text, embed_text(text) AS embedding FROM t ORDER BY id").await.unwrap();
        let expected = expected.get_or_insert_with(|| twin.clone());
        assert!(&twin == expected, "{name}");
        let cache = folder.path().join(format!("cache{number}"));
        let cached = format!(", cache => '{}'", cache.display());
        for rest in ["", &cached, &cached] {
            let found = run(&ctx, &format!("SELECT * FROM embed(t, text => text{rest}) ORDER BY id")).await;
            assert!(&found.unwrap() == expected, "{name}{rest}");
        }
        assert!(!files(&cache).is_empty(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_is_embedded_twice() {
    let folder = tempfile::tempdir().unwrap();
    let rows = texts(500);
    everywhere::write(&rows, 7, &folder.path().join("t"));
    let options = EngineOptions { threads: Some(7), batch_size: Some(32), ..Default::default() };
    let ctx = context(&options).unwrap();
    let table = folder.path().join("t");
    ctx.register_parquet("t", table.to_str().unwrap(), Default::default()).await.unwrap();
    let cache = folder.path().join("cache");
    let sql = format!("SELECT * FROM embed(t, cache => '{}')", cache.display());
    let kept = format!("SELECT count(*) AS n, count(DISTINCT content) AS d FROM '{}/*/*.parquet'", cache.display());
    let distinct = run(&ctx, "SELECT count(DISTINCT text) AS n, count(DISTINCT text) AS d FROM t").await.unwrap();

    let (_, first) = counted(&ctx, &sql).await;
    assert!(count(&first, "tokens") > 0 && count(&first, "cached_rows") < 500);
    assert_eq!(run(&ctx, &kept).await.unwrap(), distinct);
    let (rows, second) = counted(&ctx, &sql).await;
    let texts = 500 - run(&ctx, "SELECT id FROM t WHERE text IS NULL").await.unwrap().lines().count() as u64 + 4;
    assert_eq!((rows, count(&second, "tokens"), count(&second, "cached_rows")), (500, 0, texts));

    // embed_text has the same cache.
    let set = format!("SET limpid.embedding_cache = '{}'", cache.display());
    statement::sql(&ctx, &set).await.unwrap().collect().await.unwrap();
    run(&ctx, "SELECT embed_text(text || '') FROM t").await.unwrap();
    assert_eq!(run(&ctx, &kept).await.unwrap(), distinct);
    run(&ctx, "SELECT embed_text(text) FROM (VALUES ('something new')) AS v(text)").await.unwrap();
    assert_ne!(run(&ctx, &kept).await.unwrap(), distinct);

    // A broken file is named, and nothing crashes.
    let file = files(&cache).remove(0);
    std::fs::write(&file, "something else").unwrap();
    std::fs::rename(&file, file.with_file_name("part-broken.parquet")).unwrap();
    let error = run(&ctx, &sql).await.unwrap_err().to_string();
    assert!(error.contains("part-broken.parquet") && error.contains("remove it"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_early_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    everywhere::write(&texts(2000), 1, &folder.path().join("t"));
    let ctx = context(&EngineOptions { threads: Some(2), batch_size: Some(50), ..Default::default() }).unwrap();
    let table = folder.path().join("t");
    ctx.register_parquet("t", table.to_str().unwrap(), Default::default()).await.unwrap();
    let cache = folder.path().join("cache");
    let sql = |rows: &str| format!("SELECT id, embedding FROM embed({rows}, cache => '{}')", cache.display());
    // An error far down the input.
    let rows = "(SELECT id, text || CAST(id AS VARCHAR) || CASE WHEN id = 1500 THEN CAST(1 / (id - 1500) AS VARCHAR) ELSE '' END AS text FROM t)";
    assert!(run(&ctx, &sql(rows)).await.is_err());
    let rows = "(SELECT id, text || CAST(id AS VARCHAR) AS text FROM t)";
    let (_, metrics) = counted(&ctx, &sql(rows)).await;
    let cached = count(&metrics, "cached_rows");
    // Two partitions take turns and one may be ahead of the error; the 50 rows around it are in no cache.
    assert!(cached > 0 && cached <= 1950, "{cached}");
    // Whoever wants no more than the first rows leaves what was made for them.
    let rows = "(SELECT id, text || CAST(id AS VARCHAR) || '!' AS text FROM t)";
    let before = files(&cache).len();
    let plan = statement::sql(&ctx, &sql(rows)).await.unwrap().create_physical_plan().await.unwrap();
    assert!(plan.output_partitioning().partition_count() >= 1);
    let mut stream = plan.execute(0, ctx.task_ctx()).unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    drop(plan);
    assert!(files(&cache).len() > before);
}
