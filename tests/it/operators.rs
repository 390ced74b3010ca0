//! Every operator against a brute-force twin: over 1 and 7 partitions, spilling, and on a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int64Type};
use datafusion::prelude::SessionContext;
use limpid::session::statement;
use limpid_udfs::kernels::presets::{Preset, PresetSketcher, band_hashes};

use super::everywhere::{self, Random};

/// A text with its key and quality.
#[derive(Clone)]
pub(super) struct Doc {
    pub(super) id: i64,
    pub(super) quality: i64,
    pub(super) text: Option<String>,
}

/// What is known of a row after deduplication.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) keep: bool,
    pub(super) duplicate_of: Option<i64>,
    pub(super) similarity: Option<f64>,
    pub(super) cluster: i64,
}

/// Documents with copies, near copies, chains of near copies, short, empty and missing texts.
pub(super) fn corpus(seed: u64, count: usize) -> Vec<Doc> {
    let mut random = Random(seed);
    let mut texts: Vec<Option<String>> = vec![None, Some(String::new()), Some("?!".into()), Some("?!".into())];
    while texts.len() < count {
        let length = [3, 12, 40, 120][random.below(4) as usize];
        let mut words: Vec<String> = (0..length).map(|_| format!("w{}", random.below(5000))).collect();
        texts.push(Some(words.join(" ")));
        for _ in 0..random.below(6) {
            if random.below(3) > 0 {
                for _ in 0..=random.below(1 + length / 10) {
                    let at = random.below(words.len() as u64) as usize;
                    words[at] = format!("e{}", random.below(5000));
                }
            }
            let text = words.join(if random.below(4) == 0 { ", " } else { " " });
            texts.push(Some(if random.below(5) == 0 { text.to_uppercase() } else { text }));
        }
    }
    for at in (1..texts.len()).rev() {
        texts.swap(at, random.below(at as u64 + 1) as usize);
    }
    let docs = texts.into_iter().enumerate();
    docs.map(|(at, text)| Doc { id: 1000 - at as i64, quality: random.below(4) as i64, text }).collect()
}

fn shingles(text: &str, n: usize) -> BTreeSet<String> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()).collect();
    match words.len() {
        0 => BTreeSet::new(),
        short if short < n => BTreeSet::from([words.join(" ")]),
        _ => words.windows(n).map(|w| w.join(" ")).collect(),
    }
}

/// Exact Jaccard; two texts without words are alike only where they are equal.
fn jaccard(a: &str, b: &str, n: usize) -> f64 {
    let (x, y) = (shingles(a, n), shingles(b, n));
    if x.is_empty() && y.is_empty() {
        return if a == b { 1.0 } else { 0.0 };
    }
    let shared = x.intersection(&y).count();
    shared as f64 / (x.len() + y.len() - shared) as f64
}

/// The definition, pair by pair: rows in survivor order; a row goes for the first kept row that is similar.
fn twin(docs: &[Doc], by_quality: bool, threshold: f64, similarity: impl Fn(&str, &str) -> f64) -> BTreeMap<i64, Row> {
    let mut order: Vec<&Doc> = docs.iter().collect();
    order.sort_by_key(|doc| (if by_quality { -doc.quality } else { 0 }, doc.id));
    let similar = |a: &Doc, b: &Doc| -> Option<f64> {
        let s = similarity(a.text.as_deref()?, b.text.as_deref()?);
        (s >= threshold).then_some(s)
    };
    let mut rows: BTreeMap<i64, Row> = BTreeMap::new();
    let mut cluster: BTreeMap<i64, i64> = docs.iter().map(|d| (d.id, d.id)).collect();
    for (at, doc) in order.iter().enumerate() {
        let mut row = Row { keep: true, duplicate_of: None, similarity: None, cluster: doc.id };
        for earlier in &order[..at] {
            let Some(s) = similar(earlier, doc) else { continue };
            if row.keep && rows[&earlier.id].keep {
                row = Row { keep: false, duplicate_of: Some(earlier.id), similarity: Some(s), cluster: doc.id };
            }
            let (from, to) = (cluster[&doc.id].max(cluster[&earlier.id]), cluster[&doc.id].min(cluster[&earlier.id]));
            cluster.values_mut().filter(|c| **c == from).for_each(|c| *c = to);
        }
        rows.insert(doc.id, row);
    }
    for (id, row) in &mut rows {
        row.cluster = cluster[id];
    }
    rows
}

pub(super) fn batch(docs: &[Doc]) -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(docs.iter().map(|d| Some(d.id)).collect::<Int64Array>())),
        ("quality", Arc::new(docs.iter().map(|d| Some(d.quality)).collect::<Int64Array>())),
        ("text", Arc::new(docs.iter().map(|d| d.text.as_deref()).collect::<StringArray>())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap()
}

pub(super) async fn run(ctx: &SessionContext, call: &str) -> BTreeMap<i64, Row> {
    let sql = format!("SELECT id, keep, duplicate_of, similarity, cluster_id FROM {call}");
    let batches = statement::sql(ctx, &sql).await.unwrap().collect().await.unwrap();
    let mut rows = BTreeMap::new();
    for batch in batches {
        let int = |column: usize| batch.column(column).as_primitive::<Int64Type>();
        let similarity = batch.column(3).as_primitive::<Float64Type>();
        for at in 0..batch.num_rows() {
            let row = Row {
                keep: batch.column(1).as_boolean().value(at),
                duplicate_of: int(2).iter().nth(at).flatten(),
                similarity: similarity.iter().nth(at).flatten(),
                cluster: int(4).value(at),
            };
            assert!(rows.insert(int(0).value(at), row).is_none(), "a row came twice");
        }
    }
    rows
}

/// The documents in sessions of every kind.
async fn sessions(docs: &[Doc], dir: &Path) -> Vec<(String, SessionContext)> {
    everywhere::sessions("docs", &batch(docs), dir).await
}

#[tokio::test(flavor = "multi_thread")]
async fn exact_dedup_equals_its_twin_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let docs = corpus(1, 300);
    let equal = |a: &str, b: &str| f64::from(u8::from(a == b));
    for (name, ctx) in sessions(&docs, dir.path()).await {
        let found = run(&ctx, "exact_dedup(docs, text => text, id => id)").await;
        assert_eq!(found, twin(&docs, false, 1.0, equal), "{name}");
        let found = run(&ctx, "exact_dedup((SELECT * FROM docs), order_by => 'quality DESC')").await;
        assert_eq!(found, twin(&docs, true, 1.0, equal), "{name}, by quality");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn minhash_dedup_equals_its_twin_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let docs = corpus(2, 300);
    for (name, ctx) in sessions(&docs, dir.path()).await {
        for (threshold, ngram, by_quality) in [(0.5, 2, false), (0.7, 5, true), (1.0, 3, false)] {
            let order = if by_quality { ", order_by => 'quality DESC, id'" } else { "" };
            let call = format!(
                "minhash_dedup(docs, text => text, id => id, threshold => {threshold}, ngram => {ngram}, \
                 recall => 0.999999{order})"
            );
            let expected = twin(&docs, by_quality, threshold, |a, b| jaccard(a, b, ngram));
            assert!(expected.values().filter(|row| !row.keep).count() > 30, "the corpus must have duplicates");
            assert_eq!(run(&ctx, &call).await, expected, "{name}: {call}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn presets_take_the_candidates_of_their_tool() {
    let dir = tempfile::tempdir().unwrap();
    let docs = corpus(7, 200);
    let sessions = sessions(&docs, dir.path()).await;
    for preset in Preset::ALL {
        let mut sketcher = PresetSketcher::new(preset);
        let sketches: BTreeMap<&str, (Vec<u64>, BTreeSet<u64>)> = docs
            .iter()
            .filter_map(|doc| {
                let (mut signature, mut shingles, mut cells) = (vec![], vec![], vec![]);
                let text = doc.text.as_deref()?;
                if sketcher.sketch(text, &mut signature, &mut shingles).is_some() {
                    band_hashes(preset, &signature, &mut cells);
                }
                Some((text, (cells, shingles.into_iter().collect())))
            })
            .collect();
        let similarity = |a: &str, b: &str| {
            let ((cells_a, a_set), (cells_b, b_set)) = (&sketches[a], &sketches[b]);
            let shared = a_set.intersection(b_set).count();
            match (a == b, cells_a.iter().zip(cells_b).any(|(x, y)| x == y)) {
                (true, _) => 1.0,
                (_, true) => shared as f64 / (a_set.len() + b_set.len() - shared) as f64,
                (_, false) => 0.0,
            }
        };
        for threshold in [None, Some(0.5)] {
            let argument = threshold.map_or_else(String::new, |t| format!(", threshold => {t}"));
            let threshold = threshold.unwrap_or_else(|| preset.parameters().threshold);
            let expected = twin(&docs, false, threshold, similarity);
            assert!(expected.values().filter(|row| !row.keep).count() > 20, "{preset} must remove rows");
            for (name, ctx) in &sessions {
                let found = run(ctx, &format!("minhash_dedup(docs, preset => '{preset}'{argument})")).await;
                assert_eq!(found, expected, "{name}: {preset} at {threshold}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_survivors_are_their_own_survivors() {
    let dir = tempfile::tempdir().unwrap();
    let docs = corpus(3, 200);
    for (name, ctx) in sessions(&docs, dir.path()).await {
        let once = "minhash_dedup(docs, ngram => 3, threshold => 0.6)";
        let again =
            format!("minhash_dedup((SELECT id, quality, text FROM {once} WHERE keep), ngram => 3, threshold => 0.6)");
        assert!(run(&ctx, &again).await.values().all(|row| row.keep), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transitive_linkage_leaves_one_row_a_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let docs = corpus(4, 300);
    let direct = twin(&docs, false, 0.5, |a, b| jaccard(a, b, 2));
    for (name, ctx) in sessions(&docs, dir.path()).await {
        let call = "minhash_dedup(docs, threshold => 0.5, ngram => 2, recall => 0.999999, linkage => 'transitive')";
        let found = run(&ctx, call).await;
        let texts: BTreeMap<i64, &str> = docs.iter().filter_map(|doc| Some((doc.id, doc.text.as_deref()?))).collect();
        for (id, row) in &found {
            assert_eq!(row.cluster, direct[id].cluster, "{name}: {id}");
            assert_eq!(row.keep, *id == row.cluster, "{name}: {id}");
            let expected = row.duplicate_of.map(|kept| jaccard(texts[id], texts[&kept], 2));
            assert_eq!(row.similarity, expected, "{name}: {id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connected_components_equals_its_twin_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(5);
    let docs: Vec<Doc> =
        (0..150).map(|_| Doc { id: random.below(200) as i64, quality: random.below(200) as i64, text: None }).collect();
    let mut component: BTreeMap<i64, i64> = docs.iter().flat_map(|d| [d.id, d.quality]).map(|n| (n, n)).collect();
    for doc in &docs {
        let (a, b) = (component[&doc.id], component[&doc.quality]);
        component.values_mut().filter(|c| **c == a.max(b)).for_each(|c| *c = a.min(b));
    }
    let mut expected: Vec<(i64, i64, i64)> = docs.iter().map(|d| (d.id, d.quality, component[&d.id])).collect();
    expected.sort_unstable();
    for (name, ctx) in sessions(&docs, dir.path()).await {
        let sql = "SELECT id, quality, component FROM connected_components(docs, source => id, target => quality)";
        let batches = statement::sql(&ctx, sql).await.unwrap().collect().await.unwrap();
        let mut found = vec![];
        for batch in &batches {
            let column = |at: usize| batch.column(at).as_primitive::<Int64Type>().values().to_vec();
            let (a, b, c) = (column(0), column(1), column(2));
            found.extend((0..batch.num_rows()).map(|at| (a[at], b[at], c[at])));
        }
        found.sort_unstable();
        assert_eq!(found, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_above_does_not_change_what_is_compared() {
    let dir = tempfile::tempdir().unwrap();
    let docs = corpus(6, 200);
    let (_, ctx) = sessions(&docs, dir.path()).await.swap_remove(0);
    let all = run(&ctx, "exact_dedup(docs)").await;
    let some = run(&ctx, "exact_dedup(docs) WHERE quality = 1 AND id < 950").await;
    assert!(!some.is_empty());
    for (id, row) in some {
        assert_eq!(row, all[&id]);
    }
}
