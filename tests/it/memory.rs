//! Queries and jobs over tables that are larger than the memory limit: they finish, with the answers they have without a limit.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use datafusion::prelude::SessionContext;
use limpid::session::{EngineOptions, context};
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
fn a_side_that_is_read_twice_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    // More than the memory, redistributed by the groups, and joined by no equality.
    let query = "SELECT count(*) AS n, sum(l.a + r.b) AS total FROM
         (SELECT value % 60000 AS a, repeat('x', 100) || min(value) AS t FROM generate_series(1, 90000) GROUP BY 1) AS l
         JOIN (SELECT value AS b FROM generate_series(1, 20)) AS r ON l.a < r.b AND length(l.t) > r.b";
    assert_eq!(sql(dir.path(), Some("4MB"), query), sql(dir.path(), None, query));
}

#[test]
fn a_chain_of_recipes_finishes_within_the_limit() {
    let dir = tables();
    let mut query = "SELECT id, kind, text FROM 'wide.parquet'".to_owned();
    for (recipe, args) in [
        ("exact_dedup", ""),
        ("score_top", ", score => kind, fraction => 0.9"),
        ("score_strata", ", score => kind, fraction => 0.9, strata => 5, trim => 0"),
        ("score_top", ", score => kind, fraction => 0.7"),
    ] {
        query = format!("SELECT * FROM recipe('{recipe}', ({query}){args}) WHERE keep");
    }
    let query = format!("SELECT count(*) AS n, sum(id) AS ids, sum(length(text)) AS letters FROM ({query})");
    assert_eq!(sql(dir.path(), Some(LIMIT), &query), sql(dir.path(), None, &query));
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

/// Runs a query under `limit`; its rows, and the peak of the process in MiB.
#[cfg(target_os = "linux")]
fn with_peak(folder: &Path, limit: Option<&str>, query: &str) -> (String, usize) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_limpid"));
    command.current_dir(folder).args(limit.map(|limit| ["--memory-limit", limit]).iter().flatten());
    command.env_remove("LIMPID_MEMORY_LIMIT").args([
        "--threads",
        "2",
        "sql",
        "--format",
        "csv",
        "-o",
        "rows.csv",
        "-c",
        query,
    ]);
    let peak = peak_of(&mut command);
    (fs::read_to_string(folder.join("rows.csv")).unwrap(), peak)
}

/// Runs a command; the peak of the process in MiB.
#[cfg(target_os = "linux")]
fn peak_of(command: &mut Command) -> usize {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = peak.max(line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() >> 10));
        std::thread::sleep(Duration::from_millis(3));
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    peak
}

/// Each column of a step's files has buffers and codecs of its own, four times with two threads.
#[cfg(target_os = "linux")]
#[test]
fn a_job_over_many_columns_keeps_to_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let ints = (0..100).map(|at| format!("(value + {at}) * 31 % 997 AS i{at}"));
    let floats = (0..100).map(|at| format!("(value * {} % 200) / 8.0 AS f{at}", at + 3));
    let texts = (0..50).map(|at| format!("'a value of column {at}, ' || (value % 501) AS s{at}"));
    let columns: Vec<_> = ints.chain(floats).chain(texts).collect();
    let rows = format!("SELECT value AS id, {} FROM range(60000)", columns.join(", "));
    let mut command = Command::new(env!("CARGO_BIN_EXE_limpid"));
    command.current_dir(dir.path()).args(["--memory-limit", "128MB", "--threads", "2"]);
    peak_of(command.args(["sql", "-o", "columns.parquet", "-c", &rows]));
    let job = "name: columns
sources: { docs: { paths: columns.parquet } }
steps: [{ name: some, sql: SELECT * FROM input WHERE id % 3 <> 0 }]
sink: { path: '${out}/clean' }
work: '${out}/work'
";
    fs::write(dir.path().join("job.yaml"), job).unwrap();
    let run = |out: &str, limit: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_limpid"));
        command.current_dir(dir.path()).env_remove("LIMPID_MEMORY_LIMIT");
        command.args(limit.map(|limit| ["--memory-limit", limit]).iter().flatten());
        peak_of(command.args(["--threads", "2", "run", "job.yaml", "--set", &format!("out={out}")]))
    };
    let peak = run("limited", Some("128MB"));
    run("whole", None);
    let files = |out: &str| super::jobs::files(&dir.path().join(out).join("clean"));
    assert_eq!(files("limited"), files("whole"));
    assert!(peak < 122 + 150, "{peak} MiB");
}

/// A line that is longer than the limit is in memory twice, whatever is done with it.
#[cfg(target_os = "linux")]
#[test]
fn a_long_line_is_in_memory_twice() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["lines.csv", "lines.jsonl"] {
        let long = "repeat('said \"so\" ', 8000000)";
        let text = format!("CASE WHEN value = 50 THEN {long} ELSE repeat('short ', 200) END");
        let lines = format!("COPY (SELECT value AS id, {text} AS text FROM range(100)) TO '{name}'");
        sql(dir.path(), None, &lines);
        let megabytes = (fs::metadata(dir.path().join(name)).unwrap().len() >> 20) as usize;
        for (query, to) in [
            ("SELECT max(length(text)) AS n", "rows.csv"),
            ("SELECT *", "rows.jsonl"),
            ("SELECT * ORDER BY id DESC", "rows.csv"),
            ("SELECT * ORDER BY id DESC", "rows.jsonl"),
        ] {
            let query = query.replacen(" ORDER", &format!(" FROM '{name}' ORDER"), 1);
            let query = if query.contains("FROM") { query } else { format!("{query} FROM '{name}'") };
            let mut command = Command::new(env!("CARGO_BIN_EXE_limpid"));
            command.current_dir(dir.path()).env_remove("LIMPID_MEMORY_LIMIT");
            let peak =
                peak_of(command.args(["--memory-limit", "48MB", "--threads", "2", "sql", "-o", to, "-c", &query]));
            assert!(peak < 2 * megabytes + 90, "{peak} MiB for {megabytes}: {query} to {to}");
        }
    }
}

/// Operators of DataFusion that hold more than the limit, or fail, over these tables.
#[cfg(target_os = "linux")]
#[test]
fn peaks_are_bounded() {
    let dir = tables();
    let columns: Vec<_> = (0..120).map(|at| format!("'a value of column {at}, ' || (value % 501) AS s{at}")).collect();
    sql(
        dir.path(),
        None,
        &format!("COPY (SELECT value AS id, {} FROM range(25000)) TO 'columns.parquet'", columns.join(", ")),
    );
    sql(
        dir.path(),
        None,
        "COPY (SELECT value AS id, value * 7919 % 5000 AS key,
                      named_struct('source', 'source ' || (value % 99), 'words', [repeat('word ' || (value % 7), 40), 'b', 'c']) AS meta
         FROM range(100000)) TO 'nested.parquet'",
    );
    let queries = [
        "SELECT id, md5(text) AS hash FROM 'wide.parquet' ORDER BY text DESC, id LIMIT 300",
        "SELECT sum(id) AS ids, count(*) AS n FROM (SELECT DISTINCT * FROM 'columns.parquet')",
        "SELECT count(*) AS n, sum(length(s9)) AS bytes FROM (SELECT * FROM 'columns.parquet' ORDER BY s7, id LIMIT 24999)",
        "SELECT count(*) AS n, sum(cardinality(metas)) AS rows, max(metas[1]['words'][1]) AS most FROM
         (SELECT key, array_agg(meta ORDER BY id) AS metas FROM 'nested.parquet' GROUP BY key)",
        "SELECT count(*) AS n, sum(length(texts)) AS bytes FROM
         (SELECT id % 5003 AS part, string_agg(text, ' ' ORDER BY id) AS texts FROM 'wide.parquet' GROUP BY part)",
        "SELECT kind, count(DISTINCT text) AS n, sum(id) AS ids FROM 'wide.parquet' GROUP BY kind ORDER BY kind",
        "SELECT count(DISTINCT text) AS a, count(DISTINCT id) AS b, median(id) AS c, max(id) AS d, count(*) AS n FROM 'wide.parquet'",
        "SELECT kind % 2 AS part, count(DISTINCT text) AS a, count(DISTINCT text || 'x') AS b, median(id) AS c, count(*) AS n
         FROM 'wide.parquet' GROUP BY part ORDER BY part",
        "SELECT median(value) AS a, percentile_cont(value, 0.25) AS b, count(DISTINCT value % 3000001) AS c,
                count(DISTINCT 'name ' || value) AS d FROM range(6000000)",
        "SELECT sum(longest) AS a, sum(length(text)) AS b FROM
         (SELECT text, max(length(text)) OVER (PARTITION BY kind) AS longest FROM 'wide.parquet')",
        "SELECT sum(n) AS a, max(text) = '' AS b FROM (SELECT text, count(*) OVER () AS n FROM 'wide.parquet')",
        "SELECT sum(length(most)) AS a FROM (SELECT max(text) OVER (ORDER BY id ROWS BETWEEN 9 PRECEDING AND 9 FOLLOWING) AS most
         FROM 'wide.parquet')",
        "SELECT sum(length(before)) AS a, sum(length(after)) AS b FROM
         (SELECT lag(text) OVER (ORDER BY id) AS before, lead(text, 2) OVER (ORDER BY id) AS after FROM 'wide.parquet')",
        "SELECT count(*) AS n, sum(id) AS ids FROM 'wide.parquet' WHERE text NOT IN (SELECT text FROM 'wide.parquet' WHERE kind = 3)",
        "SELECT count(*) AS n, sum(id) AS ids FROM 'nested.parquet' WHERE id IN (SELECT key FROM 'nested.parquet' WHERE key % 3 = 0)",
        "SELECT count(*) AS n FROM 'wide.parquet' a, range(3) b",
        // Each text is similar to the next one: all of them are decided together.
        "SELECT count(*) AS n, count(duplicate_of) AS gone, sum(duplicate_of) AS kept FROM minhash_dedup(
         (SELECT value AS id, array_to_string(range(value, value + 12), ' ') AS text FROM range(400000)), text => text, id => id)",
    ];
    for query in queries {
        let (rows, peak) = with_peak(dir.path(), Some("48MB"), query);
        assert_eq!(rows, with_peak(dir.path(), None, query).0, "{query}");
        assert!(peak < 45 + 105, "{peak} MiB: {query}");
    }
}

/// A value of all rows is made in memory: the error says so.
#[test]
fn a_result_larger_than_the_limit_is_named() {
    let dir = tables();
    for (values, name) in [("array_agg(text ORDER BY id)", "array_agg("), ("string_agg(text, ' ')", "string_agg(")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_limpid"));
        command.current_dir(dir.path()).args(["--memory-limit", "64MB", "sql", "-c"]);
        let output =
            command.arg(format!("SELECT count(DISTINCT kind), {values} FROM 'wide.parquet'")).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(error.contains(name) && error.contains("puts all values into one"), "{error}");
    }
    let few = "SELECT cardinality(array_agg(text ORDER BY id)) AS n FROM (SELECT * FROM 'wide.parquet' WHERE kind = 3)";
    assert_eq!(sql(dir.path(), Some(LIMIT), few), "n\n8571\n");
}

/// Windows and groups have other operators under a limit: they compute the same.
#[tokio::test]
async fn answers_do_not_depend_on_the_limit() {
    let options = |limit| EngineOptions {
        memory_limit: limit,
        threads: Some(2),
        batch_size: Some(7),
        ..EngineOptions::default()
    };
    let rows = "(SELECT value AS id, value % 7 AS kind, CASE WHEN value % 11 = 0 THEN NULL ELSE 'text ' || (value % 13) END AS text,
        CASE value % 5 WHEN 0 THEN -0.0 WHEN 1 THEN 0.0 WHEN 2 THEN NULL WHEN 3 THEN CAST('NaN' AS DOUBLE) ELSE 1.5 END AS worth,
        [value % 3, value % 2] AS list, named_struct('a', value % 4, 'b', 'x') AS pair FROM range(500))";
    let windows = [
        "count(*) OVER ()",
        "sum(id) OVER (PARTITION BY kind)",
        "max(text) OVER (PARTITION BY worth)",
        "count(*) FILTER (WHERE id % 2 = 0) OVER (PARTITION BY kind)",
        "sum(id) OVER (PARTITION BY kind, text ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)",
        "sum(id) OVER (ORDER BY id ROWS BETWEEN 3 PRECEDING AND 2 FOLLOWING)",
        "max(text) OVER (PARTITION BY kind ORDER BY id ROWS BETWEEN 20 PRECEDING AND 1 FOLLOWING)",
        "sum(id) OVER (PARTITION BY worth ORDER BY kind)",
        "sum(id) OVER (ORDER BY id RANGE BETWEEN 10 PRECEDING AND 5 FOLLOWING)",
        "count(*) OVER (ORDER BY kind GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW)",
        "row_number() OVER (PARTITION BY text ORDER BY id)",
        "rank() OVER (PARTITION BY kind ORDER BY worth)",
        "percent_rank() OVER (ORDER BY kind)",
        "cume_dist() OVER (PARTITION BY text ORDER BY kind)",
        "ntile(4) OVER (PARTITION BY kind ORDER BY id)",
        "lag(text, 2) OVER (PARTITION BY kind ORDER BY id)",
        "lead(id, 30) OVER (ORDER BY id)",
        "first_value(id) OVER (PARTITION BY kind ORDER BY id DESC)",
        "last_value(id) OVER (PARTITION BY kind ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)",
        "nth_value(id, 3) OVER (PARTITION BY kind, worth ORDER BY id)",
        "array_agg(id) OVER (PARTITION BY kind ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)",
    ];
    let groups = [
        "text, count(*), sum(id) FROM rows GROUP BY text",
        "worth, kind, count(*), max(text) FROM rows GROUP BY worth, kind",
        "kind, worth, array_agg(id ORDER BY id DESC) FROM rows GROUP BY worth, kind",
        "kind, array_agg(pair ORDER BY id), string_agg(text, ',' ORDER BY id), count(DISTINCT text), count(DISTINCT worth) FROM rows GROUP BY kind",
        "kind, array_agg(id ORDER BY id), array_agg(text ORDER BY text, id) FROM rows GROUP BY kind",
        "list, count(*) FROM rows GROUP BY list",
        "pair, median(id) FROM rows GROUP BY pair",
        "kind, text, count(*), array_agg(id ORDER BY id) FROM rows GROUP BY ROLLUP (kind, text)",
        "kind % 2, first_value(text ORDER BY id), array_agg(DISTINCT kind ORDER BY kind) FROM rows GROUP BY kind % 2",
        "count(*), count(DISTINCT text), min(worth) FROM rows",
        "count(*), count(DISTINCT text), count(DISTINCT worth), max(text), avg(id), sum(DISTINCT kind), count(DISTINCT list) FROM rows",
        "count(DISTINCT text), count(DISTINCT worth) FILTER (WHERE id > 9), count(*) FILTER (WHERE id > 100) FROM rows",
        "count(DISTINCT text), count(DISTINCT worth), median(id), array_agg(id ORDER BY id), max(id), count(*) FROM rows WHERE id < 0",
        "median(id), median(DISTINCT kind), median(CAST(kind AS DECIMAL(9, 2))), median(id) FILTER (WHERE kind = 3), median(worth) FROM rows",
        "percentile_cont(id, 0.3), percentile_cont(0.77) WITHIN GROUP (ORDER BY id DESC), percentile_cont(worth, 0.5) FROM rows",
        "array_agg(id ORDER BY kind, id DESC), string_agg(text, ', ' ORDER BY id), first_value(id ORDER BY text, id DESC), count(DISTINCT pair) FROM rows",
        "array_agg(DISTINCT text ORDER BY text DESC), array_agg(pair ORDER BY id), last_value(text ORDER BY id), nth_value(id, 7 ORDER BY worth, id) FROM rows",
        "kind, count(DISTINCT text), count(DISTINCT worth), count(*), max(text), sum(id) FILTER (WHERE id > 300) FROM rows GROUP BY kind",
        "worth, count(DISTINCT text) FILTER (WHERE kind > 2), median(id), percentile_cont(id, 0.9), array_agg(id ORDER BY id DESC), min(id) FROM rows GROUP BY worth",
        "text, kind, median(id), count(DISTINCT worth), count(DISTINCT list), array_agg(DISTINCT id ORDER BY id DESC) FROM rows GROUP BY kind, text",
        "kind, count(DISTINCT text), count(DISTINCT worth), first_value(id ORDER BY id), last_value(id ORDER BY text, id) FROM rows GROUP BY kind",
        "kind, count(*) FILTER (WHERE id > 100), array_agg(id ORDER BY id) FILTER (WHERE id < 50) FROM rows GROUP BY kind",
        "DISTINCT worth, kind FROM rows",
        "DISTINCT list, pair, text, kind % 2, id % 2, id % 3, kind, worth, id % 4, id % 5 FROM rows",
        "kind FROM rows UNION SELECT id FROM rows",
        "text, worth FROM rows INTERSECT SELECT text, worth FROM rows WHERE kind < 3",
        "text, kind FROM rows EXCEPT SELECT text, kind FROM rows WHERE kind < 3",
        "id, text FROM rows ORDER BY text DESC, id LIMIT 17",
        "a.id, b.id AS other FROM (SELECT * FROM rows WHERE id >= 0) a JOIN (SELECT * FROM rows WHERE id >= 0) b ON a.worth = b.worth AND a.id = b.kind",
        "a.id, b.id AS other FROM (SELECT * FROM rows WHERE id >= 0) a LEFT JOIN (SELECT * FROM rows WHERE id >= 0) b ON a.list = b.list AND a.pair = b.pair AND a.id = b.id * 2",
        "count(*), sum(b.id) FROM (SELECT id, CAST(id % 50 AS TIMESTAMP) AT TIME ZONE 'UTC' AS t FROM rows WHERE id >= 0) a FULL JOIN
         (SELECT id, CAST(id AS TIMESTAMP) AT TIME ZONE 'UTC' AS t FROM rows WHERE id > 20) b ON a.t = b.t",
        "a.id, b.id AS other FROM rows a, rows b WHERE a.id < 20 AND b.id < 9",
        "id FROM rows WHERE text NOT IN (SELECT text FROM rows WHERE kind = 3 AND text IS NOT NULL)",
        "id FROM rows WHERE text NOT IN (SELECT text FROM rows WHERE kind = 3)",
        "id FROM rows WHERE text NOT IN (SELECT text FROM rows WHERE kind = 99)",
        "id FROM rows WHERE worth NOT IN (SELECT worth FROM rows WHERE id IN (0, 4))",
    ];
    let limited = context(&options(Some(64 << 20))).unwrap();
    let free = context(&options(None)).unwrap();
    for ctx in [&limited, &free] {
        ctx.sql(&format!("CREATE TABLE rows AS SELECT * FROM {rows}")).await.unwrap().collect().await.unwrap();
    }
    let windows = windows.iter().map(|window| format!("SELECT id, {window} AS value FROM rows"));
    for query in windows.chain(groups.iter().map(|group| format!("SELECT {group}"))) {
        assert_eq!(lines(&limited, &query).await, lines(&free, &query).await, "{query}");
    }
}

/// The rows as lines, in any order.
async fn lines(ctx: &SessionContext, query: &str) -> Vec<String> {
    let rows = ctx.sql(query).await.unwrap().collect().await.unwrap_or_else(|error| panic!("{query}: {error}"));
    let table = arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string();
    let mut lines: Vec<_> =
        table.lines().map(|line| line.replace(' ', "")).filter(|line| line.starts_with('|')).collect();
    lines.sort();
    lines
}

/// What compares all pairs would go on for minutes.
#[tokio::test(flavor = "multi_thread")]
async fn deduplicators_stop_when_nobody_waits_for_them() {
    let calls = [
        "semantic_dedup((SELECT value AS id, [sin(value), cos(value), sin(value * 0.7), cos(value * 0.3)] AS v FROM range(600000)),
         vector => v, id => id, threshold => 0.999999, recall => 1.0)",
        "minhash_dedup((SELECT value AS id, array_to_string(range(value % 7 * 1000, value % 7 * 1000 + 60), ' ') || ' ' || value AS text
         FROM range(100000)), text => text, id => id, threshold => 0.9999, recall => 0.5, bucket_limit => 100000)",
    ];
    for call in calls {
        let ctx = context(&EngineOptions { threads: Some(2), ..EngineOptions::default() }).unwrap();
        let pool = ctx.runtime_env().memory_pool.clone();
        let query = ctx.sql(&format!("SELECT count(*) FROM {call}")).await.unwrap();
        let waited = tokio::time::timeout(Duration::from_secs(5), query.collect()).await;
        assert!(waited.is_err(), "too quick to be stopped: {call}");
        let dropped = Instant::now();
        while pool.reserved() > 0 && dropped.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(pool.reserved(), 0, "{call}");
    }
}
