//! Every function of texts on what is hard: nothing, NULL, each layout of strings, any Unicode, 100 MB in one value.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, LargeStringArray, RecordBatch, StringArray, StringViewArray};
use arrow::util::display::array_value_to_string;
use datafusion::prelude::SessionContext;
use limpid::session::{EngineOptions, context, statement};
use limpid_udfs::register::scalar_functions;

/// A call of each function that takes a text, on the columns `text` and `other`.
const CALLS: &[&str] = &[
    "regexp_extract(text, '\\w+')",
    "regexp_extract_all(text, '(.)(.)', 2)",
    "json_valid(text)",
    "xxh3_64(text)",
    "xxh3_128(text)",
    "normalize_text(text)",
    "normalize_text(text, 'fineweb')",
    "normalize_text(text, 'bigcode')",
    "normalize_text(text, 'slimpajama')",
    "normalize_text(text, 'rpv2')",
    "normalize_text(text, 'nfkc,nfd_strip_marks,collapse_space,trim')",
    "word_shingles(text, 5)",
    "word_shingles(text, 10, 'token')",
    "word_shingles(text, 5, 'python_word')",
    "char_shingles(text, 24)",
    "jaccard(text, other, 5)",
    "jaccard(text, other, 10, 'token')",
    "jaccard(text, other, 24, 'char')",
    "containment(text, other, 5)",
    "containment(text, other, 24, 'char')",
    "minhash(text, 16, 5)",
    "lsh_bands(minhash(text, 16, 5), 4)",
    "minhash_jaccard(minhash(text, 16, 5), minhash(other, 16, 5))",
    "simhash(text)",
    "simhash(text, 3, 'token')",
    "hamming_distance(simhash(text), simhash(other))",
    "hash_uniform(42, text)",
    "sample_key(42, text, 1.0)",
    "c4_clean(text)",
    "c4_quality(text)",
    "fineweb_quality(text)",
    "gopher_quality(text)",
    "gopher_repetition(text)",
    "language(text)",
    "pii_redact(text)",
    "embed_text(text)",
];

/// Seconds that one function may take for 100 MB: what is linear takes less, what is quadratic never ends.
const LONGEST: Duration = Duration::from_secs(60);

fn table(ctx: &SessionContext, texts: ArrayRef, others: ArrayRef) {
    let ids: ArrayRef = Arc::new((0..texts.len() as i64).map(Some).collect::<Int64Array>());
    let columns = [("id", ids, false), ("text", texts, true), ("other", others, true)];
    ctx.deregister_table("t").unwrap();
    ctx.register_batch("t", RecordBatch::try_from_iter_with_nullable(columns).unwrap()).unwrap();
}

/// The last column of the result, as text.
async fn answer(ctx: &SessionContext, sql: &str) -> Vec<String> {
    let batches = statement::sql(ctx, sql).await.unwrap_or_else(|e| panic!("{sql}: {e}")).collect().await;
    let mut found = vec![];
    for batch in batches.unwrap_or_else(|e| panic!("{sql}: {e}")) {
        let column = batch.column(batch.num_columns() - 1);
        found.extend((0..batch.num_rows()).map(|row| array_value_to_string(column, row).unwrap()));
    }
    found
}

/// Texts at the edges of what Unicode and the functions' rules know.
fn hard_texts() -> Vec<Option<String>> {
    let mut texts: Vec<Option<String>> = [
        "",
        " ",
        "\n",
        "\r\n\r\n",
        "\t \u{a0}\u{2003}",
        ".",
        "...",
        "…",
        "{",
        "\u{0}",
        "\u{feff}",
        "\u{fffd}",
        "\u{200b}\u{200d}",
        "\u{202e}abc",
        "e\u{301}\u{301}\u{301}",
        "İıſßŉ",
        "ΣΑΣ ΟΔΟΣ Σ",
        "ﷺ",
        "ﬁ①½Ⅷ",
        "👩‍👩‍👧‍👦🏳️‍🌈",
        "🇩🇪🇩",
        "漢字かな交じり文。",
        "ภาษาไทย",
        "עברית",
        "العربية",
        "\u{10ffff}\u{e000}",
        "각각",
        "a\u{5bf}b",
        "\u{1f1e6}",
        "१२३ 一二三 ⅣⅤ",
        "a@b.c",
        "1.2.3.4",
        "::",
        "+1 (2) 3-4",
        "[1][2][edit]",
        "- \n• \n* ",
        "javascript",
        "lorem ipsum",
        "terms of use",
    ]
    .into_iter()
    .map(|text| Some(text.to_owned()))
    .collect();
    texts.push(None);
    // Every character once, in pieces.
    let all: Vec<char> = (0..=0x0010_FFFF).filter_map(char::from_u32).collect();
    texts.extend(all.chunks(5000).map(|piece| Some(piece.iter().collect())));
    texts
        .extend(all.chunks(5000).step_by(7).map(|piece| Some(piece.iter().flat_map(|c| [*c, ' ', *c, '.']).collect())));
    texts
}

/// But for the one that only `minhash_dedup` calls, with arguments of its own, and the one that needs a model in a folder.
const ELSEWHERE: [&str; 2] = ["minhash_sketch", "token_nll"];

#[test]
fn every_text_function_is_called_here() {
    for function in scalar_functions() {
        let name = function.name();
        let called = CALLS.iter().any(|call| call.contains(&format!("{name}(")));
        assert!(called || ELSEWHERE.contains(&name) || !takes_text(name), "{name} has no call in this file");
    }
}

/// Functions over other things have their own tests.
fn takes_text(name: &str) -> bool {
    let documentation = scalar_functions().iter().find(|f| f.name() == name).and_then(|f| f.documentation().cloned());
    documentation.is_some_and(|d| d.arguments.iter().flatten().any(|(argument, _)| argument == "text"))
}

type Layout = fn(&[Option<String>]) -> ArrayRef;

#[tokio::test(flavor = "multi_thread")]
async fn any_text_in_any_layout_gives_the_same_answer() {
    let ctx = context(&EngineOptions::default()).unwrap();
    let texts = hard_texts();
    let others: Vec<Option<String>> = texts.iter().rev().cloned().collect();
    let layouts: [Layout; 3] = [
        |texts| Arc::new(texts.iter().map(Option::as_deref).collect::<StringArray>()),
        |texts| Arc::new(texts.iter().map(Option::as_deref).collect::<LargeStringArray>()),
        |texts| Arc::new(texts.iter().map(Option::as_deref).collect::<StringViewArray>()),
    ];
    for call in CALLS {
        let mut answers = vec![];
        for layout in layouts {
            table(&ctx, layout(&texts), layout(&others));
            answers.push(answer(&ctx, &format!("SELECT id, {call} AS answer FROM t ORDER BY id")).await);
        }
        assert!(answers[0] == answers[1] && answers[0] == answers[2], "{call}");
        // NULL in, NULL out; a text in the middle of nothing changes nothing.
        let nulls = format!("SELECT count({call}) AS n FROM t WHERE text IS NULL");
        if !call.starts_with("hash_uniform") && !call.starts_with("sample_key") {
            assert_eq!(answer(&ctx, &nulls).await, ["0"], "{call}");
        }
        let none = answer(&ctx, &format!("SELECT count({call}) AS n FROM t WHERE id < 0")).await;
        assert_eq!(none, ["0"], "{call}");
    }
}

// One thread does all the work, so that its processor time does not depend on what else the machine does.
#[tokio::test]
async fn a_text_of_100_megabytes_takes_seconds() {
    let ctx = context(&EngineOptions { threads: Some(1), ..EngineOptions::default() }).unwrap();
    let text = large_text();
    assert!(text.len() >= 100_000_000);
    let one = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    table(&ctx, one(&text), one(&text[..1_000_000]));
    drop(text);
    for call in CALLS {
        let started = processor_time();
        let found = answer(&ctx, &format!("SELECT count({call}) AS n FROM t")).await;
        assert_eq!(found, ["1"], "{call}");
        let took = processor_time() - started;
        println!("{:>6.2} s  {call}", took.as_secs_f64());
        assert!(took < LONGEST, "{call} took {took:?}");
    }
}

/// Time that a processor has spent in this thread.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writes, and the clock exists on every system that the tests run on.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// What makes a careless loop quadratic: words that differ, one word over and over, a word and a line without end, lines that
/// are all the same, openings that nothing closes.
fn large_text() -> String {
    let mut text = String::with_capacity(101_000_000);
    let mut word = 0u64;
    while text.len() < 30_000_000 {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("w{:x}{}", word >> 44, if word >> 60 == 0 { ".\n" } else { " " }));
    }
    for (piece, end) in [
        ("the ", 40_000_000),
        ("a", 50_000_000),
        ("\n", 52_000_000),
        ("The same line, again.\n", 60_000_000),
        ("é漢 ", 65_000_000),
        ("ΣΑΣ", 68_000_000),
        ("e\u{301}\u{302}", 70_000_000),
        ("\u{301}", 72_000_000),
        ("[", 75_000_000),
        ("1.", 80_000_000),
        ("a@", 85_000_000),
        ("+1 ", 90_000_000),
        (".", 95_000_000),
        (" ", 100_000_000),
    ] {
        while text.len() < end {
            text.push_str(piece);
        }
    }
    text
}
