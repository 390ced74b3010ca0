//! `COPY ... TO`: what it writes appears whole or not at all.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{ENDLESS, bad, folder, good, limpid, run};

/// Fails after enough rows that files have been begun.
const FAILING: &str = "SELECT value AS v, value % 3 AS part, 1 / (value - 90000) AS q FROM range(100000)";

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_query_that_fails_leaves_nothing_at_its_target() {
    let folder = folder();
    let at = folder.path();
    for target in ["r.parquet", "r.csv", "r.json", "out/", "new/deep/r.csv"] {
        let error = bad(at, &["sql", "-c", &format!("COPY ({FAILING}) TO '{target}' STORED AS {}", kind(target))]);
        assert!(error.contains("division by zero"), "{target}: {error}");
        assert!(names(at).is_empty(), "{target}: {:?}", names(at));
    }
    bad(at, &["sql", "-c", &format!("COPY ({FAILING}) TO 'out' STORED AS CSV PARTITIONED BY (part)")]);
    assert!(names(at).is_empty(), "{:?}", names(at));
    // What was there before stays.
    fs::write(at.join("old.csv"), "kept").unwrap();
    bad(at, &["sql", "-c", &format!("COPY ({FAILING}) TO 'old.csv'")]);
    bad(at, &["sql", "-c", &format!("EXPLAIN ANALYZE COPY ({FAILING}) TO 'old.csv'")]);
    assert_eq!(fs::read_to_string(at.join("old.csv")).unwrap(), "kept");
    assert_eq!(names(at), ["old.csv"]);
}

fn kind(target: &str) -> &'static str {
    match target.rsplit_once('.') {
        Some((_, "csv")) => "CSV",
        Some((_, "json")) => "JSON",
        _ => "PARQUET",
    }
}

#[test]
fn files_and_folders_are_what_datafusion_would_write() {
    let folder = folder();
    let at = folder.path();
    let count =
        |from: &str| good(at, &["sql", "--format", "csv", "-c", &format!("SELECT count(*) AS n FROM '{from}'")]);
    for target in ["r.parquet", "new/r.csv", "a b [1].json", "folder/", "./without_ending"] {
        let sql = format!("COPY (SELECT value AS v FROM range(1000)) TO '{target}' STORED AS {}", kind(target));
        let ended = run(at, &["sql", "-c", &sql]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), "wrote 1000 rows\n"), "{target}");
        assert_eq!(count(target), "n\n1000\n", "{target}");
    }
    assert!(at.join("folder").is_dir() && at.join("without_ending").is_dir());
    let partitioned =
        "COPY (SELECT value AS v, value % 3 AS part FROM range(9)) TO 'p' STORED AS PARQUET PARTITIONED BY (part)";
    good(at, &["-q", "sql", "-c", partitioned]);
    assert_eq!(names(&at.join("p")), ["part=0", "part=1", "part=2"]);
    // A file is replaced, even by a query that reads it; a folder with files is not.
    good(at, &["-q", "sql", "-c", "COPY (SELECT v FROM 'r.parquet' WHERE v < 5) TO 'r.parquet'"]);
    assert_eq!(count("r.parquet"), "n\n5\n");
    let error = bad(at, &["sql", "-c", partitioned]);
    assert!(error.ends_with("/p: the folder is not empty; remove it or name another\n"), "{error}");
    // EXPLAIN writes nothing and shows the commit.
    let plan = good(at, &["sql", "-c", "EXPLAIN COPY (SELECT 1 AS a) TO 'never.csv'"]);
    assert!(plan.contains("CommitExec: ") && plan.contains("never.csv"), "{plan}");
    let analyzed = good(at, &["sql", "-c", "EXPLAIN ANALYZE COPY (SELECT 1 AS a) TO 'once.csv'"]);
    assert!(analyzed.contains("CommitExec: "), "{analyzed}");
    assert_eq!(fs::read_to_string(at.join("once.csv")).unwrap(), "a\n1\n");
    let left = ["a b [1].json", "folder", "new", "once.csv", "p", "r.parquet", "without_ending"];
    assert_eq!(names(at), left);
}

#[cfg(unix)]
#[test]
fn links_and_devices_stay_what_they_are() {
    let folder = folder();
    let at = folder.path();
    fs::write(at.join("real.csv"), "old").unwrap();
    std::os::unix::fs::symlink("real.csv", at.join("link.csv")).unwrap();
    good(at, &["-q", "sql", "-c", "COPY (SELECT 1 AS a) TO 'link.csv'"]);
    assert!(at.join("link.csv").is_symlink());
    assert_eq!(fs::read_to_string(at.join("real.csv")).unwrap(), "a\n1\n");
    let error = bad(at, &["sql", "-c", "COPY (SELECT 1 AS a) TO '/dev/null' STORED AS CSV"]);
    assert!(error.contains("cannot write /dev/null: it is neither a file nor a folder"), "{error}");
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[cfg(unix)]
#[test]
fn a_killed_copy_leaves_nothing_under_the_final_name_and_the_next_one_cleans_up() {
    let folder = folder();
    let at = folder.path();
    for (target, signal) in [("r.csv", "-KILL"), ("out/", "-KILL"), ("r.csv", "-INT"), ("out/", "-TERM")] {
        let sql = format!("COPY ({ENDLESS}) TO '{target}' STORED AS CSV");
        let mut child = limpid(at, &["sql", "-c", &sql]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while names(at).is_empty() {
            assert!(child.try_wait().unwrap().is_none());
            std::thread::sleep(Duration::from_millis(10));
        }
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(!child.wait().unwrap().success());
        let name = target.trim_end_matches('/');
        assert!(!at.join(name).exists(), "{target} {signal}");
        if signal != "-KILL" {
            assert!(names(at).is_empty(), "{target} {signal}: {:?}", names(at));
        }
        good(at, &["-q", "sql", "-c", &format!("COPY (SELECT 1 AS a) TO '{target}' STORED AS CSV")]);
        assert_eq!(names(at), [name], "{target} {signal}");
        if at.join(name).is_dir() {
            fs::remove_dir_all(at.join(name)).unwrap()
        } else {
            fs::remove_file(at.join(name)).unwrap()
        }
    }
}

#[cfg(unix)]
#[test]
fn a_target_that_takes_no_more_bytes_is_named_and_stays_away() {
    let folder = folder();
    let at = folder.path();
    // A limit on the size of files stands for a full disk; the shell makes exceeding it an error instead of a signal.
    let script = "trap '' XFSZ; ulimit -f 20; exec \"$0\" \"$@\"";
    let query = "SELECT value, md5(CAST(value AS VARCHAR)) AS h FROM range(100000)";
    let sql = |target: &str| format!("COPY ({query}) TO '{target}' STORED AS {}", kind(target));
    for target in ["r.parquet", "r.json", "out/"] {
        let sql = sql(target);
        let mut command = Command::new("bash");
        let output = command
            .args(["-c", script, env!("CARGO_BIN_EXE_limpid"), "sql", "-c", &sql])
            .current_dir(at)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{target}: {error}");
        let name = target.trim_end_matches('/');
        assert!(
            error.starts_with("error: cannot write ") && error.contains(&format!("/{name}: File too large")),
            "{error}"
        );
        assert!(names(at).is_empty(), "{target}: {:?}", names(at));
    }
    let mut command = Command::new("bash");
    let args = [
        "-c",
        script,
        env!("CARGO_BIN_EXE_limpid"),
        "sql",
        "--output",
        "o.csv",
        "-c",
        "SELECT value FROM range(100000)",
    ];
    let error = command.args(args).current_dir(at).output().unwrap().stderr;
    let error = String::from_utf8_lossy(&error).into_owned();
    assert!(error.starts_with("error: cannot write o.csv: File too large"), "{error}");
    assert!(names(at).is_empty(), "{:?}", names(at));
}
