//! Files as tables: every format by its path alone, and the text files that are left out.

use std::fs;
use std::path::Path;

use super::{bad, folder, good, run};

fn csv(at: &Path, sql: &str) -> String {
    good(at, &["sql", "--format", "csv", "-c", sql])
}

/// The same two rows in every format.
fn lake(at: &Path) {
    fs::create_dir_all(at.join("lake/deep/er")).unwrap();
    let rows = "SELECT * FROM (VALUES (1, 'one'), (2, 'zwei, ü')) AS v(id, text)";
    for name in ["a.parquet", "deep/b.parquet", "deep/er/c.parquet", "a.csv"] {
        good(at, &["-q", "sql", "-c", &format!("COPY ({rows}) TO 'lake/{name}'")]);
    }
    let lines = good(at, &["sql", "--format", "ndjson", "-c", rows]);
    fs::write(at.join("lake/a.jsonl"), &lines).unwrap();
    fs::write(at.join("lake/b.jsonl.zst"), zstd::encode_all(lines.as_bytes(), 3).unwrap()).unwrap();
    let gzip = format!("COPY ({rows}) TO 'lake/c.jsonl.gz' STORED AS JSON OPTIONS (compression 'gzip')");
    good(at, &["-q", "sql", "-c", &gzip]);
}

#[test]
fn every_format_is_a_table_by_its_path() {
    let folder = folder();
    let at = folder.path();
    lake(at);
    for name in ["a.parquet", "a.csv", "a.jsonl", "b.jsonl.zst", "c.jsonl.gz"] {
        let found = csv(at, &format!("SELECT id, text FROM 'lake/{name}' ORDER BY id"));
        assert_eq!(found, "id,text\n1,one\n2,\"zwei, ü\"\n", "{name}");
    }
    assert_eq!(csv(at, "SELECT count(*) AS n FROM 'lake/**/*.parquet'"), "n\n6\n");
    assert_eq!(csv(at, "SELECT count(*) AS n FROM 'lake/*.jsonl{,.gz}'"), "n\n4\n");
    let error = bad(at, &["sql", "-c", "SELECT * FROM 'lake/a.{csv,jsonl}'"]);
    assert!(error.contains("files of several formats: 1 JSON (") && error.contains("1 CSV ("), "{error}");
    let sql = "SELECT count(*) FILTER (WHERE keep) AS kept FROM \
               minhash_dedup((SELECT row_number() OVER () AS id, text FROM 'lake/**/*.parquet'))";
    assert_eq!(csv(at, sql), "kept\n2\n");
    let error = bad(at, &["sql", "-c", "SELECT * FROM 'lake/*.avro'"]);
    assert!(error.contains("lake/*.avro"), "{error}");
    // The folder itself, as in DataFusion; a pattern says how deep to look.
    let sql = "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'lake/deep/'; SELECT count(*) AS n FROM t";
    assert_eq!(csv(at, sql), "n\n2\n");
}

#[test]
fn text_files_are_rows_and_what_is_no_text_is_counted_and_told() {
    let folder = folder();
    let at = folder.path();
    fs::create_dir_all(at.join("docs/sub")).unwrap();
    fs::write(at.join("docs/a.md"), "# Title\n").unwrap();
    fs::write(at.join("docs/sub/b.md"), "\u{feff}ü").unwrap();
    fs::write(at.join("docs/empty.md"), "").unwrap();
    let rows = "SELECT replace(path, 'XX', '') <> '' AS has_path, size, modified > '2020-01-01' AS dated, text FROM 'docs/**/*.md' ORDER BY path";
    assert_eq!(csv(at, rows), "has_path,size,dated,text\ntrue,8,true,\"# Title\n\"\ntrue,0,true,\"\"\ntrue,5,true,ü\n");
    fs::write(at.join("docs/binary.md"), [1, 0, 2]).unwrap();
    fs::write(at.join("docs/latin1.md"), b"caf\xe9").unwrap();
    let ended = run(at, &["sql", "--format", "csv", "-c", "SELECT count(*) AS n FROM 'docs/**/*.md'"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "n\n3\n"), "{}", ended.err);
    assert_eq!(ended.err, "warning: 2 files were left out: 1 binary, 1 not UTF-8\n");
    // The scan counts them where a program can read them.
    let ended = run(at, &["-q", "sql", "-c", "EXPLAIN ANALYZE SELECT text FROM 'docs/**/*.md'"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(
        ended.out.contains("files_skipped_binary=1") && ended.out.contains("files_skipped_not_utf8=1"),
        "{}",
        ended.out
    );
}
