//! The algebra of the deduplicators on random corpora: what a result is made of, and that it depends on the rows and the
//! arguments alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use limpid::session::{EngineOptions, context};

use super::everywhere::Random;
use super::operators::{Doc, Row, batch, corpus, run};

/// A session whose table `docs` holds the documents, shuffled, in random partitions and batches.
fn shuffled(docs: &[Doc], random: &mut Random) -> (String, SessionContext) {
    let mut docs = docs.to_vec();
    for at in (1..docs.len()).rev() {
        docs.swap(at, random.below(at as u64 + 1) as usize);
    }
    let mut partitions = vec![vec![]; 1 + random.below(9) as usize];
    let mut rest = docs.as_slice();
    while !rest.is_empty() {
        let (here, after) = rest.split_at((1 + random.below(60) as usize).min(rest.len()));
        let partition = random.below(partitions.len() as u64) as usize;
        partitions[partition].push(batch(here));
        rest = after;
    }
    let options = EngineOptions {
        threads: Some(1 + random.below(8) as usize),
        batch_size: Some([1, 7, 64, 1000, 8192][random.below(5) as usize]),
        memory_limit: [None, Some(3_000_000)][random.below(2) as usize],
        ..Default::default()
    };
    let name = format!("{} partitions, {options:?}", partitions.len());
    (name, session(&options, partitions))
}

fn session(options: &EngineOptions, partitions: Vec<Vec<arrow::array::RecordBatch>>) -> SessionContext {
    let ctx = context(options).unwrap();
    let table = MemTable::try_new(batch(&[]).schema(), partitions).unwrap();
    ctx.register_table("docs", Arc::new(table)).unwrap();
    ctx
}

/// A call of a deduplicator with random arguments, and the least similarity it removes a row for.
fn call(random: &mut Random, bucket_limits: &[u64]) -> (String, f64) {
    let order = ["", ", order_by => 'quality DESC'", ", order_by => 'quality, text DESC'"][random.below(3) as usize];
    if random.below(4) == 0 {
        return (format!("exact_dedup(docs{order})"), 1.0);
    }
    let unit = ["word", "token", "python_word", "char"][random.below(4) as usize];
    let ngram = 1 + random.below(6);
    let threshold = [0.3, 0.5, 0.7, 0.9, 1.0][random.below(5) as usize];
    let linkage = ["direct", "direct", "transitive"][random.below(3) as usize];
    let bucket_limit = bucket_limits[random.below(bucket_limits.len() as u64) as usize];
    let least = if linkage == "direct" { threshold } else { 0.0 };
    let arguments = format!(
        "threshold => {threshold}, unit => '{unit}', ngram => {ngram}, linkage => '{linkage}', \
         bucket_limit => {bucket_limit}, seed => {}{order}",
        random.below(1000)
    );
    (format!("minhash_dedup(docs, {arguments})"), least)
}

/// What holds of every result.
fn check(docs: &[Doc], rows: &BTreeMap<i64, Row>, least: f64, call: &str) {
    let ids: BTreeSet<i64> = docs.iter().map(|doc| doc.id).collect();
    assert_eq!(rows.keys().copied().collect::<BTreeSet<_>>(), ids, "{call}: every row comes once");
    let mut clusters: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (&id, row) in rows {
        clusters.entry(row.cluster).or_default().push(id);
        assert_eq!(row.keep, row.duplicate_of.is_none(), "{call}: {id}");
        assert_eq!(row.keep, row.similarity.is_none(), "{call}: {id}");
        let (Some(kept), Some(similarity)) = (row.duplicate_of, row.similarity) else { continue };
        assert!(rows[&kept].keep, "{call}: {id} goes for {kept}, which is not kept");
        assert_eq!(rows[&kept].cluster, row.cluster, "{call}: {id} and {kept}");
        assert!((least..=1.0).contains(&similarity), "{call}: {id} is {similarity} like {kept}");
    }
    for (cluster, members) in clusters {
        assert_eq!(cluster, members[0], "{call}: a cluster is called by its smallest id");
        assert!(members.iter().any(|id| rows[id].keep), "{call}: nothing of cluster {cluster} is kept");
    }
    for doc in docs.iter().filter(|doc| doc.text.is_none()) {
        assert!(rows[&doc.id].keep, "{call}: {} has no text", doc.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deduplication_depends_on_rows_and_arguments_alone() {
    for seed in 0..24 {
        let mut random = Random(seed);
        let count = 1 + random.below(250) as usize;
        let docs = corpus(seed, count);
        let (call, least) = call(&mut random, &[1, 3, 1000]);
        let ctx = session(&EngineOptions { threads: Some(1), ..Default::default() }, vec![vec![batch(&docs)]]);
        let expected = run(&ctx, &call).await;
        check(&docs, &expected, least, &format!("seed {seed}: {call}"));
        for _ in 0..3 {
            let (name, ctx) = shuffled(&docs, &mut random);
            assert_eq!(run(&ctx, &call).await, expected, "seed {seed}: {call}, {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deduplication_of_survivors_removes_nothing() {
    for seed in 100..112 {
        let mut random = Random(seed);
        let docs = corpus(seed, 200);
        // Where buckets are cut short, rows that were not compared the first time may meet the second time.
        let (call, _) = call(&mut random, &[1000]);
        let (name, ctx) = shuffled(&docs, &mut random);
        let kept: BTreeSet<i64> =
            run(&ctx, &call).await.into_iter().filter(|(_, row)| row.keep).map(|(id, _)| id).collect();
        let survivors: Vec<Doc> = docs.iter().filter(|doc| kept.contains(&doc.id)).cloned().collect();
        let (again, ctx) = shuffled(&survivors, &mut random);
        let rows = run(&ctx, &call).await;
        assert!(rows.values().all(|row| row.keep), "seed {seed}: {call}, {name}, then {again}");
        assert!(rows.iter().all(|(id, row)| row.cluster == *id), "seed {seed}: {call}, {name}, then {again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn components_depend_on_edges_alone() {
    for seed in 200..210 {
        let mut random = Random(seed);
        let nodes = 2 + random.below(300);
        let edge = |random: &mut Random| Doc {
            id: random.below(nodes) as i64,
            quality: random.below(nodes) as i64,
            text: None,
        };
        let docs: Vec<Doc> = (0..1 + random.below(300)).map(|_| edge(&mut random)).collect();
        let sql = "SELECT DISTINCT id, component FROM connected_components(docs, source => id, target => quality) \
                   UNION SELECT quality, component FROM connected_components(docs, source => quality, target => id) \
                   ORDER BY 1, 2";
        let mut found = BTreeSet::new();
        for _ in 0..4 {
            let (_, ctx) = shuffled(&docs, &mut random);
            let batches = limpid::session::statement::sql(&ctx, sql).await.unwrap().collect().await.unwrap();
            let shown = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
            let rows = batches.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>();
            let ids: BTreeSet<i64> = docs.iter().flat_map(|edge| [edge.id, edge.quality]).collect();
            assert_eq!(rows, ids.len(), "seed {seed}: a node has one component");
            found.insert(shown);
        }
        assert_eq!(found.len(), 1, "seed {seed}");
    }
}
