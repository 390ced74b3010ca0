//! Queries and jobs over tables that are larger than the memory limit: they finish, with the answers they have without a limit.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A limit under which every query here spills.
const LIMIT: &str = "96MB";

fn sql(folder: &Path, limit: Option<&str>, query: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_limpid"));
    command.current_dir(folder).stdin(Stdio::null());
    for name in ["MEMORY_LIMIT", "THREADS", "BATCH_SIZE", "SPILL_DIR", "LOG"] {
        command.env_remove(format!("LIMPID_{name}"));
    }
    command.args(limit.map(|limit| ["--memory-limit", limit]).iter().flatten());
    let output = command.args(["sql", "--format", "csv", "-c", query]).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{limit:?} {query}\n{err}");
    String::from_utf8(output.stdout).unwrap()
}

/// `wide.parquet`: 60,000 texts of 1,500 bytes, which compress to next to nothing; `long.parquet`: 900,000 narrow rows.
fn tables() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    sql(
        dir.path(),
        None,
        "COPY (SELECT value AS id, value % 7 AS kind, repeat(CAST(value * 7919 % 60000 AS VARCHAR), 300) AS text
         FROM range(60000)) TO 'wide.parquet'",
    );
    sql(
        dir.path(),
        None,
        "COPY (SELECT value AS id, value * 7919 % 900000 AS key, 'name ' || (value % 300000) AS name
         FROM range(900000)) TO 'long.parquet'",
    );
    dir
}

/// A query whose one row depends on the order and the values of all rows.
fn in_order(table: &str, order: &str) -> String {
    format!(
        "SELECT sum(place * (id % 1000)) AS checked, count(*) AS rows, max(text) IS NOT NULL AS texts FROM
         (SELECT id, text, row_number() OVER (ORDER BY {order}) AS place FROM {table})"
    )
}

#[test]
fn queries_finish_within_the_limit() {
    let dir = tables();
    let long = "(SELECT *, name AS text FROM 'long.parquet')";
    let queries = [
        in_order("'wide.parquet'", "text, id"),
        in_order("'wide.parquet'", "text DESC, kind"),
        in_order(long, "key"),
        in_order(long, "name, key DESC"),
        "SELECT count(*) AS n FROM (SELECT DISTINCT text FROM 'wide.parquet')".to_owned(),
        "SELECT count(*) AS n, sum(length(t)) AS bytes FROM
         (SELECT sha256(text) AS hash, max(text) AS t FROM 'wide.parquet' GROUP BY hash)"
            .to_owned(),
        "SELECT count(*) AS n, sum(c) AS rows FROM (SELECT name, count(*) AS c FROM 'long.parquet' GROUP BY name)".to_owned(),
        "SELECT count(*) AS n, sum(a.id) AS ids FROM 'wide.parquet' a JOIN 'wide.parquet' b ON a.text = b.text".to_owned(),
        "SELECT count(*) AS n, sum(a.id - b.id) AS ids FROM 'long.parquet' a LEFT JOIN 'long.parquet' b ON a.key = b.id".to_owned(),
        "SELECT count(*) AS n FROM 'long.parquet' a WHERE NOT EXISTS (SELECT 1 FROM 'long.parquet' b WHERE b.key = a.id + 7)"
            .to_owned(),
        "SELECT keep, count(*) AS n FROM exact_dedup('wide.parquet', text => text, id => id) GROUP BY keep".to_owned(),
    ];
    for query in &queries {
        assert_eq!(sql(dir.path(), Some(LIMIT), query), sql(dir.path(), None, query), "{query}");
    }
}

#[test]
fn a_sorted_copy_is_the_same_rows() {
    let dir = tables();
    for limit in [Some(LIMIT), None] {
        sql(dir.path(), limit, "COPY (SELECT * FROM 'wide.parquet' ORDER BY text, id) TO 'sorted.parquet'");
        let rows = "SELECT count(*) AS n, sum(CASE WHEN text < before THEN 1 ELSE 0 END) AS wrong FROM
                    (SELECT text, lag(text) OVER () AS before FROM 'sorted.parquet')";
        assert_eq!(sql(dir.path(), None, rows), "n,wrong\n60000,0\n");
        fs::remove_file(dir.path().join("sorted.parquet")).unwrap();
    }
}

#[test]
fn a_job_finishes_within_the_limit() {
    let dir = tables();
    let job = "name: wide
sources: { docs: { paths: wide.parquet } }
text: text
steps:
  - name: some
    sql: SELECT id, text FROM input WHERE kind <> 3
  - name: exact
    recipe: exact_dedup
sink: { path: '${out}/clean' }
work: '${out}/work'
";
    fs::write(dir.path().join("job.yaml"), job).unwrap();
    let mut sinks = Vec::new();
    for (out, limit) in [("limited", Some(LIMIT)), ("whole", None)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_limpid"));
        command.current_dir(dir.path()).args(limit.map(|limit| ["--memory-limit", limit]).iter().flatten());
        let output = command.args(["run", "job.yaml", "--json", "--set", &format!("out={out}")]).output().unwrap();
        assert!(output.status.success(), "{limit:?}: {}", String::from_utf8_lossy(&output.stderr));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["steps"][0]["reasons"][0][1], 60_000 / 7);
        sinks.push(super::jobs::files(&dir.path().join(out).join("clean")));
    }
    assert_eq!(sinks[0], sinks[1]);
}
