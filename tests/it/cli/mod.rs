//! The built program: formats, exit codes, messages, signals.

mod copy;
mod files;
mod models;
mod selection;
mod shell;
mod sources;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Takes far longer than any test waits.
const ENDLESS: &str = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.value + b.value = -1";

fn limpid(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_limpid"));
    command.current_dir(folder).args(args).stdin(Stdio::null());
    for name in ["MEMORY_LIMIT", "THREADS", "BATCH_SIZE", "SPILL_DIR", "LOG"] {
        command.env_remove(format!("LIMPID_{name}"));
    }
    command
}

struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

fn run(folder: &Path, args: &[&str]) -> Ended {
    limpid(folder, args).output().unwrap().into()
}

/// Runs, must succeed without a word on standard error, gives standard output.
fn good(folder: &Path, args: &[&str]) -> String {
    let ended = run(folder, args);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{args:?}\n{}", ended.out);
    ended.out
}

/// Runs, must fail as a user error, gives the message.
fn bad(folder: &Path, args: &[&str]) -> String {
    let ended = run(folder, args);
    assert_eq!(ended.code, Some(1), "{args:?}\n{}{}", ended.out, ended.err);
    assert!(ended.err.starts_with("error: "), "{args:?}: {}", ended.err);
    assert_eq!(
        ended.err.replace("(os error ", "").replace("on_error", "").matches("error").count(),
        1,
        "{args:?}: {}",
        ended.err
    );
    for noise in ["Error during planning", "SQL error", "ParserError(", "Arrow error", "panicked", "Some("] {
        assert!(!ended.err.contains(noise), "{args:?}: {}", ended.err);
    }
    ended.err
}

fn folder() -> TempDir {
    TempDir::new().unwrap()
}

/// A number, a text with everything that needs care, a NULL, a list and a struct.
const MIXED: &str = "SELECT * FROM (VALUES (1, 'a,\"b\nc', [1, 2], named_struct('k', true)), (20, NULL, [], NULL)) \
                     AS t(n, s, l, r) ORDER BY n";

#[test]
fn table() {
    let out = good(folder().path(), &["sql", "-c", MIXED]);
    let expected = "\
+----+---------+--------+-----------+
| n  | s       | l      | r         |
+----+---------+--------+-----------+
|  1 | a,\"b\\nc | [1, 2] | {k: true} |
| 20 | NULL    | []     | NULL      |
+----+---------+--------+-----------+
";
    assert_eq!(out, expected);
    let empty = good(folder().path(), &["sql", "-c", "SELECT 1 AS a WHERE false"]);
    assert_eq!(empty, "+---+\n| a |\n+---+\n");
}

#[test]
fn a_piped_table_is_whole_and_max_rows_cuts_it() {
    let query = "SELECT value FROM range(25000) ORDER BY value";
    let out = good(folder().path(), &["sql", "-c", query]);
    assert_eq!(out.lines().count(), 25_000 + 4);
    assert!(out.lines().all(|l| l.len() == out.lines().next().unwrap().len() || l.len() > 8));
    let out = good(folder().path(), &["sql", "--max-rows", "3", "-c", query]);
    let expected = "\
+-------+
| value |
+-------+
|     0 |
|     1 |
|     2 |
+-------+
(3 of 25000 rows; --max-rows all shows every row)
";
    assert_eq!(out, expected);
}

#[test]
fn csv_and_tsv() {
    let out = good(folder().path(), &["sql", "--format", "csv", "-c", MIXED]);
    assert_eq!(out, "n,s,l,r\n1,\"a,\"\"b\nc\",\"[1,2]\",\"{\"\"k\"\":true}\"\n20,,[],\n");
    let out = good(folder().path(), &["sql", "--format", "tsv", "-c", "SELECT 1 AS a, 'x y' AS b"]);
    assert_eq!(out, "a\tb\n1\tx y\n");
    let out = good(folder().path(), &["sql", "--format", "csv", "-c", "SELECT 1 AS a, [1] AS b WHERE false"]);
    assert_eq!(out, "a,b\n");
}

#[test]
fn json_and_ndjson() {
    let rows = [r#"{"n":1,"s":"a,\"b\nc","l":[1,2],"r":{"k":true}}"#, r#"{"n":20,"s":null,"l":[],"r":null}"#];
    let out = good(folder().path(), &["sql", "--format", "ndjson", "-c", MIXED]);
    assert_eq!(out, format!("{}\n{}\n", rows[0], rows[1]));
    let out = good(folder().path(), &["sql", "--format", "json", "-c", MIXED]);
    assert_eq!(out, format!("[{},{}]\n", rows[0], rows[1]));
    assert_eq!(good(folder().path(), &["sql", "--format", "json", "-c", "SELECT 1 AS a WHERE false"]), "[]\n");
}

#[test]
fn vertical_keeps_line_breaks() {
    let out = good(folder().path(), &["sql", "--format", "vertical", "-c", "SELECT 'x\ny' AS text, 1 AS n"]);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("-[ row 1 ]---"));
    assert_eq!(lines[1..], ["text | x", "     | y", "n    | 1"]);
}

#[test]
fn parquet_to_a_file_and_back() {
    let folder = folder();
    let at = folder.path();
    // The ending of the file chooses the format.
    assert_eq!(good(at, &["sql", "--output", "r.parquet", "-c", MIXED]), "");
    let read = "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'r.parquet'; SELECT * FROM t ORDER BY n";
    let direct = good(at, &["sql", "--format", "ndjson", "-c", MIXED]);
    assert_eq!(good(at, &["sql", "--format", "ndjson", "-c", read]), direct);
    let by_path = "SELECT * FROM 'r.parquet' ORDER BY n";
    assert_eq!(good(at, &["sql", "--format", "ndjson", "-c", by_path]), direct);
    let piped = limpid(at, &["sql", "--format", "parquet", "-c", MIXED]).output().unwrap();
    assert!(piped.stdout.starts_with(b"PAR1") && piped.stdout.ends_with(b"PAR1"));
    let error = bad(at, &["sql", "--output", "two.parquet", "-c", "SELECT 1; SELECT 2"]);
    assert!(error.contains("holds one result"), "{error}");
    let error = bad(at, &["sql", "--output", "none.parquet", "-c", "SET datafusion.execution.batch_size = 7"]);
    assert!(error.contains("nothing to write"), "{error}");
    let left: Vec<_> = fs::read_dir(at).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["r.parquet"]);
}

#[test]
fn an_output_file_appears_only_when_whole() {
    let folder = folder();
    let at = folder.path();
    fs::write(at.join("old.csv"), "kept").unwrap();
    let failing = "SELECT 1 AS a; SELECT CAST(value AS VARCHAR)::int / (value - 20000) FROM range(30000)";
    bad(at, &["sql", "--output", "old.csv", "-c", failing]);
    assert_eq!(fs::read_to_string(at.join("old.csv")).unwrap(), "kept");
    assert_eq!(fs::read_dir(at).unwrap().count(), 1);
    let error = bad(at, &["sql", "--output", "old.csv", "-c", "SELECT 1 AS a; SELECT 2 AS b"]);
    assert!(error.contains("the file holds one result"), "{error}");
    good(at, &["sql", "--output", "old.csv", "-c", "SELECT 1 AS a; SET limpid.seed = 3"]);
    assert_eq!(fs::read_to_string(at.join("old.csv")).unwrap(), "a\n1\n");
    let error = bad(at, &["sql", "--output", "no/such/x.csv", "-c", "SELECT 1"]);
    assert!(error.contains("cannot write no/such/x.csv"), "{error}");
}

#[test]
fn copy_and_external_tables() {
    let folder = folder();
    let at = folder.path();
    let ended = run(at, &["sql", "-c", "COPY (SELECT value AS v FROM range(5)) TO 'five.csv'"]);
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (Some(0), "", "wrote 5 rows\n"));
    let sum = "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'five.csv' OPTIONS ('format.has_header' 'true'); \
               SELECT sum(v) AS s FROM t;";
    assert_eq!(good(at, &["sql", "--format", "csv", "-c", sum]), "s\n10\n");
    assert_eq!(good(at, &["-q", "sql", "-c", "COPY (SELECT 1 AS a) TO 'one.parquet'"]), "");
    assert!(at.join("one.parquet").is_file());
}

#[test]
fn files_with_comments_and_standard_input() {
    let folder = folder();
    let at = folder.path();
    let script = "-- a comment; with a semicolon\nCREATE TABLE t AS SELECT 1 AS a; /* and\n one; more */\n\nSELECT a + 1 AS b\nFROM t;\n";
    fs::write(at.join("two.sql"), script).unwrap();
    assert_eq!(good(at, &["sql", "--format", "csv", "-f", "two.sql"]), "b\n2\n");
    // Files come first, then -c, in one session.
    assert_eq!(good(at, &["sql", "--format", "csv", "-c", "SELECT a FROM t", "-f", "two.sql"]), "b\n2\na\n1\n");
    for args in [&["sql", "--format", "csv"][..], &["sql", "--format", "csv", "-f", "-"]] {
        let mut child = limpid(at, args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let ended: Ended = child.wait_with_output().unwrap().into();
        assert_eq!((ended.code, ended.out.as_str()), (Some(0), "b\n2\n"));
    }
    assert_eq!(good(at, &["sql", "-c", " ; -- nothing"]), "");
}

#[test]
fn errors_say_what_and_where() {
    let folder = folder();
    let at = folder.path();
    fs::write(at.join("bad.sql"), "SELECT 1 AS a;\n\nSELECT a\nFORM t WHERE;\n").unwrap();
    let ended = run(at, &["sql", "-f", "bad.sql"]);
    // Nothing runs where a later statement cannot be read.
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""));
    assert!(ended.err.starts_with("error: bad.sql:4:"), "{}", ended.err);
    assert!(ended.err.contains("  FORM t WHERE;\n"), "{}", ended.err);
    fs::write(at.join("plan.sql"), "SELECT 1 AS a;\nSELECT a,\n  nope FROM (SELECT 1 AS a);").unwrap();
    let ended = run(at, &["sql", "--format", "csv", "-f", "plan.sql"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), "a\n1\n"));
    assert!(ended.err.starts_with("error: plan.sql:3:3: there is no column nope."), "{}", ended.err);
    assert!(ended.err.ends_with("\n    nope FROM (SELECT 1 AS a);\n    ^\n"), "{}", ended.err);

    let error = bad(at, &["sql", "-c", "SELECT * FROM nowhere"]);
    assert_eq!(error, "error: table 'nowhere' not found\n  SELECT * FROM nowhere\n                ^\n");
    assert!(bad(at, &["sql", "-c", "SELECT 'open"]).starts_with("error: unterminated string literal\n"));
    assert!(bad(at, &["sql", "-c", "SELECT nofunc(1)"]).contains("nofunc"));
    let error = bad(at, &["sql", "-c", "SELECT * FROM minhash_dedupe((SELECT 1 AS id, 'a' AS text), text => text)"]);
    let expected = "error: there is no relation operator or table function minhash_dedupe. Did you mean minhash_dedup? \
                    The operators are ";
    assert!(error.starts_with(expected) && error.contains("exact_dedup"), "{error}");
    let error = bad(at, &["sql", "-c", "EXPLAIN SELECT * FROM nothing_like_it('a')"]);
    assert!(error.contains("no relation operator or table function nothing_like_it. The operators are"), "{error}");
    assert!(bad(at, &["sql", "-c", "SELECT 1 2"]).contains("expected end of statement, found 2"));
    assert!(bad(at, &["sql", "-c", "SELECT 1/(value-5) FROM range(10)"]).contains("division by zero"));
    assert!(bad(at, &["sql", "-c", "SELECT CAST('x' || value AS INT) FROM range(3)"]).contains("'x"));
    assert!(bad(at, &["sql", "-f", "missing.sql"]).contains("cannot read missing.sql"));
    let error = bad(at, &["sql", "-c", "SET limpid.nonsense = 1"]);
    assert!(
        error.starts_with("error: there is no setting limpid.nonsense") && error.contains("limpid.seed"),
        "{error}"
    );
    let error = bad(at, &["sql", "-c", "COPY (SELECT 1 AS a) TO '/proc/none/x.csv'"]);
    assert!(error.starts_with("error: cannot write /proc/none/x.csv"), "{error}");
    fs::write(at.join("bad.parquet"), "PAR1\0\0\0 and no more").unwrap();
    let error = bad(at, &["sql", "-c", "SELECT * FROM 'bad.parquet'"]);
    assert!(error.starts_with("error: cannot read ") && error.contains("/bad.parquet as PARQUET: "), "{error}");
    let error = bad(at, &["sql", "-c", "SELECT * FROM 'no.parquet'"]);
    assert!(error.starts_with("error: no file matches 'no.parquet' (searched: "), "{error}");
    assert!(bad(at, &["--spill-dir", "missing", "sql", "-c", "SELECT 1"]).contains("spill folder missing"));
}

#[test]
fn a_query_that_does_not_fit_says_so() {
    let folder = folder();
    let query = "SELECT cardinality(array_agg(value || 'some text to hold')) FROM range(3000000)";
    let error = bad(folder.path(), &["--memory-limit", "8MB", "sql", "-c", query]);
    assert!(error.starts_with("error: out of memory: "), "{error}");
    assert!(error.contains("raise --memory-limit") && !error.contains("datafusion."), "{error}");
}

#[test]
fn a_query_larger_than_its_memory_spills_into_the_folder_and_leaves_it_empty() {
    let folder = folder();
    fs::create_dir(folder.path().join("spill")).unwrap();
    let query = "SELECT max(r) AS n FROM (SELECT row_number() OVER (ORDER BY xxh3_64(CAST(value AS VARCHAR)), \
                 repeat('x', 50) || value) AS r FROM range(500000))";
    let flags = |sql: &str| {
        let args = ["--memory-limit", "16MB", "--spill-dir", "spill", "sql", "--format", "csv", "-c", sql];
        good(folder.path(), &args)
    };
    assert_eq!(flags(query), "n\n500000\n");
    assert_eq!(fs::read_dir(folder.path().join("spill")).unwrap().count(), 0);
    let plan = flags(&format!("EXPLAIN ANALYZE {query}"));
    assert!(plan.split("spill_count=").skip(1).any(|count| !count.starts_with('0')), "{plan}");
}

#[test]
fn wrong_command_lines_end_with_2() {
    let folder = folder();
    for (args, says) in [
        (&["sql", "--memory-limit", "12 apples"][..], "not a size"),
        (&["sql", "--memory-limit", "0"], "more than nothing"),
        (&["sql", "--memory-limit", "150%"], "between 0% and 100%"),
        (&["sql", "--threads", "0"], "--threads"),
        (&["sql", "--format", "xml"], "possible values"),
        (&["sql", "--max-rows", "few"], "'all'"),
        (&["sql", "--nonsense"], "--nonsense"),
        (&["nonsense"], "nonsense"),
        (&[], "Usage"),
    ] {
        let ended = run(folder.path(), args);
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.err);
        assert!(ended.err.contains(says) && ended.out.is_empty(), "{args:?}: {}", ended.err);
    }
    let ended: Ended =
        limpid(folder.path(), &["sql", "-c", "SELECT 1"]).env("LIMPID_MEMORY_LIMIT", "x").output().unwrap().into();
    assert_eq!(ended.code, Some(2), "{}", ended.err);
}

#[test]
fn flags_and_environment_reach_the_engine() {
    let folder = folder();
    let at = folder.path();
    let show = "SHOW datafusion.execution.target_partitions; SHOW datafusion.execution.batch_size";
    let args = ["sql", "--threads", "3", "--batch-size", "99", "--format", "csv", "-c", show];
    let expected =
        "name,value\ndatafusion.execution.target_partitions,3\nname,value\ndatafusion.execution.batch_size,99\n";
    assert_eq!(good(at, &args), expected);
    let ended: Ended = limpid(at, &["sql", "--format", "csv", "-c", show])
        .envs([("LIMPID_THREADS", "3"), ("LIMPID_BATCH_SIZE", "99")])
        .output()
        .unwrap()
        .into();
    assert_eq!(ended.out, expected);
    let set = "SET limpid.seed = 7; SHOW limpid.seed";
    assert_eq!(good(at, &["sql", "--format", "csv", "-c", set]), "name,value\nlimpid.seed,7\n");
    let doctor = good(at, &["doctor", "--memory-limit", "256MiB", "--threads", "3"]);
    assert!(doctor.contains("256.0 MiB") && doctor.contains("partitions         3"), "{doctor}");
    assert!(doctor.contains("DataFusion") && doctor.contains(" free"), "{doctor}");
}

#[test]
fn plans_are_text() {
    let out = good(folder().path(), &["sql", "-c", "EXPLAIN SELECT 1 + value AS v FROM range(3)"]);
    assert!(out.starts_with("logical plan:\n") && out.contains("\nphysical plan:\n"), "{out}");
    assert!(!out.contains('|') && !out.contains("+--"), "{out}");
    let out = good(folder().path(), &["sql", "-c", "EXPLAIN ANALYZE SELECT value FROM range(3)"]);
    assert!(out.contains("output_rows=3") && !out.contains("+--"), "{out}");
    let out = good(folder().path(), &["sql", "--format", "ndjson", "-c", "EXPLAIN SELECT 1"]);
    assert!(out.starts_with("{\"plan_type\":\"logical_plan\""), "{out}");
}

#[test]
fn functions_are_documented() {
    let folder = folder();
    let at = folder.path();
    let out = good(at, &["sql", "--format", "csv", "-c", "SHOW FUNCTIONS LIKE 'xxh3_64'"]);
    assert!(out.contains("xxh3_64,scalar,limpid,xxh3_64(text),64-bit XXH3"), "{out}");
    let out =
        good(at, &["sql", "--format", "csv", "-c", "SHOW FUNCTIONS WHERE kind = 'window' AND source = 'datafusion'"]);
    assert!(out.contains("\nrow_number,window,"), "{out}");
    let all = good(at, &["sql", "--format", "csv", "-c", "SHOW FUNCTIONS"]);
    assert!(all.lines().count() > 200, "{}", all.lines().count());
    let out = good(at, &["functions", "xxh3_64"]);
    assert!(
        out.starts_with("xxh3_64(text)   [scalar]\n") && out.contains("Arguments:") && out.contains("> SELECT"),
        "{out}"
    );
    assert!(good(at, &["functions", "--all", "octet"]).contains("octet_length"));
    bad(at, &["functions", "no_such_function"]);
}

#[test]
fn timing_goes_to_standard_error() {
    let ended = run(folder().path(), &["sql", "--timing", "--format", "csv", "-c", "SELECT 1 AS a"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "a\n1\n"));
    assert!(ended.err.starts_with("1 row, 0.") && ended.err.contains(" s, peak memory "), "{}", ended.err);
}

#[test]
fn help_and_version() {
    let folder = folder();
    assert!(good(folder.path(), &["--version"]).starts_with(concat!("limpid ", env!("CARGO_PKG_VERSION"))));
    let help = good(folder.path(), &["sql", "--help"]);
    for flag in ["--memory-limit", "--threads", "--batch-size", "--spill-dir", "--format", "--output", "--max-rows"] {
        assert!(help.contains(flag), "{flag}");
    }
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_error() {
    let folder = folder();
    for format in ["csv", "tsv", "json", "ndjson", "table", "vertical", "parquet"] {
        let args = ["sql", "--format", format, "-c", "SELECT value, value || 'x' AS s FROM range(100000000)"];
        let mut child = limpid(folder.path(), &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut first = Vec::new();
        out.read_until(if format == "json" { b'}' } else { b'\n' }, &mut first).unwrap();
        assert!(!first.is_empty());
        drop(out);
        let ended: Ended = child.wait_with_output().unwrap().into();
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{format}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_a_query_promptly() {
    let folder = folder();
    let at = folder.path();
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let args = ["sql", "--output", "never.csv", "-c", ENDLESS];
        let child = limpid(at, &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(700));
        let sent = Instant::now();
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let ended: Ended = child.wait_with_output().unwrap().into();
        assert_eq!((ended.code, ended.err.as_str()), (Some(code), ""));
        assert!(sent.elapsed() < Duration::from_secs(5), "{:?}", sent.elapsed());
        assert_eq!(fs::read_dir(at).unwrap().count(), 0, "nothing is left behind");
    }
}
