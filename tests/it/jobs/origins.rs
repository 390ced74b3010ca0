//! Rows by source: what came from each, what each step removed, what is left.

use std::fs;

use serde_json::{Value, json};

use super::{Workplace, resumed, stderr, stdout};

/// Two sources, a table to look something up in, and steps that pass no column of the source on.
const JOB: &str = "name: two
sources:
  web: { paths: web.jsonl }
  books: { paths: books.jsonl }
  blocked: { paths: blocked.csv }
text: text
steps:
  - name: all_rows
    sql: SELECT id, text FROM web UNION ALL SELECT id, text FROM books
  - name: allowed
    sql: SELECT * FROM input WHERE id NOT IN (SELECT id FROM blocked)
  - name: long
    rules: { too_short: length(text) >= 6 }
sink: { path: out/clean }
report: out/report.html
work: out/work
";

fn place() -> Workplace {
    let place = Workplace::new(1);
    let rows = |from: u64, to: u64, text: &str| -> String {
        (from..to)
            .map(|id| format!("{}\n", json!({ "id": id, "text": text, "domain": format!("d{}", id % 2) })))
            .collect()
    };
    fs::write(place.path("web.jsonl"), rows(0, 10, "web text")).unwrap();
    fs::write(place.path("books.jsonl"), rows(10, 13, "a book") + &rows(13, 14, "short")).unwrap();
    fs::write(place.path("blocked.csv"), "id\n3\n4\n11\n999\n").unwrap();
    place.job(JOB);
    place
}

fn web_and_books() -> Value {
    json!([
        { "name": "web", "rows_in": 10, "bytes_in": 80, "removed": [["allowed", 2]], "rows_out": 8, "bytes_out": 64 },
        { "name": "books", "rows_in": 4, "bytes_in": 23, "removed": [["allowed", 1], ["long", 1]], "rows_out": 2, "bytes_out": 12 },
    ])
}

#[test]
fn origins_are_counted_though_no_step_passes_them_on() {
    let place = place();
    let report = place.run(&[]);
    assert_eq!(report["sources"], web_and_books());
    assert_eq!((report["rows_in"].as_u64(), report["rows_out"].as_u64()), (Some(14), Some(10)));
    assert_eq!(report["warnings"], json!([]));
    // A run without changes tells the same, and so does the page.
    let again = place.run(&[]);
    assert_eq!((again["sources"].clone(), resumed(&again)), (web_and_books(), vec![true; 3]));
    assert!(fs::read_to_string(place.path("out/report.html")).unwrap().contains("By source"));
    let output = place.limpid(&["run", "job.yaml"]);
    let table = stdout(&output);
    assert!(table.contains("Removed by step") && table.contains("allowed 1, long 1"), "{table}{}", stderr(&output));
    assert_eq!(place.run(&["--force", "--memory-limit", "100MB"])["sources"], web_and_books());
}

#[test]
fn origins_may_be_a_column() {
    let place = place();
    place.job(&JOB.replace("text: text\n", "text: text\norigin: domain\n"));
    let report = place.run(&[]);
    let counts: Vec<_> = report["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| format!("{} {} {}", s["name"], s["rows_in"], s["rows_out"]))
        .collect();
    assert_eq!(counts, [r#""d0" 7 6"#, r#""d1" 7 4"#]);
    place.job(&JOB.replace("text: text\n", "text: text\norigin: domian\n"));
    let error = place.fails(&["run", "job.yaml", "--dry-run"]);
    assert!(error.contains("origin: no source has a column `domian`"), "{error}");
}

#[test]
fn origins_that_are_lost_are_named() {
    let place = place();
    place.job(
        &JOB.replace("SELECT * FROM input WHERE id NOT IN", "SELECT id + 1000 AS id, text FROM input WHERE id NOT IN"),
    );
    let report = place.run(&[]);
    let sources = report["sources"].as_array().unwrap();
    let lost = sources.iter().find(|source| source["name"] == "(no source)").unwrap();
    assert_eq!((lost["rows_in"].as_u64(), lost["rows_out"].as_u64()), (Some(0), Some(10)));
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("11 rows have a `id` that no source has, the first that went in step `long`"),
        "{warnings}"
    );
}

#[test]
fn origins_of_one_source_are_no_table() {
    let place = Workplace::new(30);
    assert_eq!(place.run(&[])["sources"], json!([]));
    assert!(!stdout(&place.limpid(&["run", "job.yaml"])).contains("Removed by step"));
}
