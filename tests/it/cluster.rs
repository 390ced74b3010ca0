//! What is not an operator on a cluster: functions, settings, nested types, files named in FROM.

use std::path::Path;

use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use limpid::docs::entries;
use limpid::session::{EngineOptions, context, statement};

use super::docs::{run, statements};
use super::everywhere::write;
use super::operators::{batch, corpus};

async fn here_and_there(dir: &Path) -> [SessionContext; 2] {
    write(&batch(&corpus(7, 200)), 3, dir);
    let options = EngineOptions { threads: Some(2), ..Default::default() };
    let sessions = [context(&options).unwrap(), limpid::cluster::standalone(&options).await.unwrap()];
    for ctx in &sessions {
        ctx.register_parquet("docs", dir.to_str().unwrap(), ParquetReadOptions::default()).await.unwrap();
    }
    sessions
}

async fn answer(ctx: &SessionContext, sql: &str) -> String {
    let frame = statement::sql(ctx, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batches = frame.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    pretty_format_batches(&batches).unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_give_the_same_on_a_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let [here, there] = here_and_there(dir.path()).await;
    for expression in [
        "minhash(text, 16, 3)",
        "minhash_jaccard(minhash(text, 16, 3), minhash(upper(text), 16, 3))",
        "lsh_bands(minhash(text, 16, 3), 4)",
        "jaccard(text, substr(text, 10))",
        "containment(text, substr(text, 10))",
        "normalize_text(text)",
        "word_shingles(text, 3)",
        "char_shingles(text, 3)",
        "simhash(text)",
        "hamming_distance(simhash(text), simhash(upper(text)))",
        "xxh3_64(text)",
        "xxh3_128(text)",
        "hash_uniform(7, id)",
        "sample_key(7, id, quality + 1.0)",
        "fineweb_quality(text)",
        "gopher_quality(text)['keep']",
        "c4_quality(text)",
        "pii_redact(text)",
        "array_sort(array_distinct(word_shingles(text, 2)))",
        "array_length(lsh_bands(minhash(text, 8, 2), 4))",
    ] {
        let sql = format!("SELECT id, {expression} AS found FROM docs ORDER BY id");
        assert_eq!(answer(&there, &sql).await, answer(&here, &sql).await, "{sql}");
    }
    let sql = "SELECT quality, count(*), count(DISTINCT xxh3_64(text)), max(jaccard(text, 'w1 w2 w3')), \
               first_value(id ORDER BY sample_key(3, id, 1.0)) FROM docs GROUP BY quality ORDER BY quality";
    assert_eq!(answer(&there, sql).await, answer(&here, sql).await);
    let sql = "SELECT id, row_number() OVER (PARTITION BY quality ORDER BY hash_uniform(3, id), id) AS n FROM docs \
               WHERE text IS NOT NULL ORDER BY id";
    assert_eq!(answer(&there, sql).await, answer(&here, sql).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn recipes_keep_the_same_on_a_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let [here, there] = here_and_there(dir.path()).await;
    let rows = "(SELECT id, hash_uniform(3, id) AS worth, [hash_uniform(1, id), hash_uniform(2, id)] AS vector, \
        CASE WHEN hash_uniform(1, id) > 0.5 THEN 1 ELSE 0 END AS label FROM docs)";
    for call in [
        "'random', fraction => 0.3",
        "'rs2', fraction => 0.3, epoch => 2",
        "'score_top', score => worth, fraction => 0.2",
        "'score_strata', score => worth, fraction => 0.2, trim => 0.1, strata => 7",
        "'aum', fraction => 0.5, runs => 2, epochs => 2",
        "'ccs', fraction => 0.2, runs => 2, epochs => 2, strata => 5",
        "'ssl_prototypes', vector => vector, fraction => 0.5, k => 3",
        "'density_pruning', vector => vector, budget => 50, k => 3, neighbours => 2",
    ] {
        let (name, arguments) = call.split_once(", ").unwrap();
        let sql = format!("SELECT id, keep FROM recipe({name}, {rows}, {arguments}) ORDER BY id");
        assert_eq!(answer(&there, &sql).await, answer(&here, &sql).await, "{sql}");
    }
}

/// As many rows as were asked for, whichever they are where no order is.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_a_limit_on_a_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let [_, there] = here_and_there(dir.path()).await;
    for call in [
        "exact_dedup(docs)",
        "minhash_dedup(docs)",
        "materialize((SELECT * FROM docs))",
        "recipe('score_top', (SELECT *, hash_uniform(3, id) AS worth FROM docs), score => worth, fraction => 0.5)",
    ] {
        for (rest, rows) in [("LIMIT 7", 7), ("LIMIT 3 OFFSET 2", 3), ("ORDER BY id LIMIT 5", 5), ("LIMIT 0", 0)] {
            let sql = format!("SELECT id FROM {call} {rest}");
            let frame = statement::sql(&there, &sql).await.unwrap();
            let found: usize = frame.collect().await.unwrap().iter().map(|batch| batch.num_rows()).sum();
            assert_eq!(found, rows, "{sql}");
        }
        let sql = format!("SELECT count(*) AS n FROM (SELECT id FROM {call} LIMIT 7)");
        assert!(answer(&there, &sql).await.contains("| 7 "), "{sql}");
    }
}

/// Nothing is computed while planning, so that the executors do it.
#[tokio::test(flavor = "multi_thread")]
async fn documented_examples_are_true_on_a_cluster() {
    let options = EngineOptions { threads: Some(2), ..Default::default() };
    let mut wrong = String::new();
    for folding in [true, false] {
        let ctx = limpid::cluster::standalone(&options).await.unwrap();
        if !folding {
            answer(&ctx, "SET datafusion.optimizer.max_passes = 0").await;
        }
        // Listing a lake and comparing all its tables is one leaf, which no codec carries.
        let leaves = ["lake_tables", "retention_plan"];
        for entry in entries().into_iter().filter(|entry| !leaves.contains(&entry.name.as_str())) {
            let example = entry.documentation.and_then(|documentation| documentation.sql_example).unwrap_or_default();
            for (sql, expected) in statements(&example) {
                let found = run(&ctx, &sql).await.unwrap_or_else(|error| error.to_string());
                if found != expected {
                    wrong += &format!("{}: {sql}\n{found}\n-- but the documentation has\n{expected}\n", entry.name);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_reach_the_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let [here, there] = here_and_there(dir.path()).await;
    // A row is compared with one earlier row of a bucket: less is found, and the same on both sides.
    let sql = "SELECT id, keep, duplicate_of, similarity, cluster_id \
               FROM minhash_dedup(docs, threshold => 0.3, ngram => 1) ORDER BY id";
    let (all, everywhere) = (answer(&here, sql).await, answer(&there, sql).await);
    assert_eq!(everywhere, all);
    for setting in ["limpid.recall = 0.2", "limpid.seed = 5"] {
        let set = format!("SET {setting}");
        for ctx in [&here, &there] {
            answer(ctx, &set).await;
        }
        let explained = answer(&there, &format!("EXPLAIN {sql}")).await;
        assert_eq!(answer(&there, sql).await, answer(&here, sql).await, "{setting}");
        if setting.starts_with("limpid.recall") {
            assert_ne!(answer(&there, sql).await, all, "{setting} changes what is found: {explained}");
        }
    }
    for ctx in [&here, &there] {
        assert!(answer(ctx, "SHOW limpid.seed").await.contains("| limpid.seed | 5 "));
        assert!(statement::sql(ctx, "SET limpid.sead = 5").await.is_err());
    }
    // The scheduler plans with the settings of the client.
    answer(&there, "SET datafusion.execution.target_partitions = 5").await;
    let plan = answer(&there, "EXPLAIN SELECT quality, count(*) FROM docs GROUP BY quality").await;
    assert!(plan.contains("Hash([quality@0], 5)"), "{plan}");
}
