//! Mistakes are found before anything runs, named with file, line and key; nothing is written at the sink.

use std::fs;
use std::process::Command;

use super::{JOB, Workplace, stderr, stdout};

#[test]
fn a_dry_run_shows_the_plan_and_runs_nothing() {
    let place = Workplace::new(30);
    let output = place.limpid(&["run", "job.yaml", "--dry-run"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    for part in ["quality", "docs", "rules", "no_sevens", "to compute", "ids_are_unique", "is valid"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!place.path("out").exists());
    place.run(&[]);
    let after = stdout(&place.limpid(&["run", "job.yaml", "--dry-run"]));
    assert!(after.contains("finished") && !after.contains("to compute"), "{after}");
}

#[test]
fn each_kind_of_mistake_is_found_without_running() {
    let place = Workplace::new(30);
    fs::write(place.path("file"), "").unwrap();
    fs::create_dir(place.path("theirs")).unwrap();
    fs::write(place.path("theirs/data.parquet"), "").unwrap();
    fs::write(place.path("broken.parquet"), "PAR1 and no more").unwrap();
    // What is replaced, by what, and what the message must say.
    let mistakes: &[(&str, &str, &[&str])] = &[
        ("steps:", "stepz:", &["stepz"]),
        ("sources:", "sources: 5\nx:", &["job.yaml:3", "sources"]),
        ("least: 3", "lost: 3", &["job.yaml:10", "steps.quality.rules.too_short", "variable `least`", "--set least="]),
        ("docs.jsonl", "nothing/*.jsonl", &["job.yaml:4", "sources.docs", "nothing/*.jsonl"]),
        ("docs.jsonl", "broken.parquet", &["job.yaml:4", "sources.docs", "broken.parquet"]),
        ("id: id", "id: key", &["steps.quality", "no column `key`"]),
        ("text: text\n", "text: id\n", &["steps.quality", "`id`"]),
        ("id % 7 <> 0", "idd % 7 <> 0", &["job.yaml:17", "steps.no_sevens", "idd"]),
        ("id % 7 <> 0", "id % 7 <>", &["job.yaml:17", "steps.no_sevens"]),
        ("SELECT id, text FROM input", "SELECT text FROM input", &["steps.no_sevens", "no column `id`"]),
        (
            "SELECT id, text FROM input",
            "SELECT a.id, b.id, a.text FROM input a JOIN input b ON a.id = b.id",
            &["steps.no_sevens", "id"],
        ),
        ("place = 1 AS keep", "place AS keep", &["steps.exact", "`keep`", "BOOLEAN"]),
        (
            "regexp_like(text, '[a-z]')",
            "regexp_lik(text)",
            &["job.yaml:11", "steps.quality.rules.no_letter", "regexp_lik"],
        ),
        ("SELECT id, text FROM input WHERE id % 7 <> 0", "DROP TABLE docs", &["steps.no_sevens", "DDL"]),
        ("SELECT id, text FROM input WHERE id % 7 <> 0", "COPY docs TO 'x.parquet'", &["steps.no_sevens", "DML"]),
        (
            "sql: SELECT id, text FROM input WHERE id % 7 <> 0",
            "recipe: no_such_recipe",
            &["job.yaml:18", "no_such_recipe", "minhash_dedup"],
        ),
        ("count(*) > 1", "count(*) > one", &["job.yaml:20", "checks.ids_are_unique", "one"]),
        ("\"${out:-out}/clean\"", "file", &["job.yaml:22", "sink.path", "is a file"]),
        ("\"${out:-out}/clean\"", "theirs", &["sink.path", "not written by job `tiny`"]),
        ("\"${out:-out}/clean\"", "file/clean", &["sink.path", "not a folder"]),
        ("work: ${out:-out}/work", "work: file/work", &["work", "not a folder"]),
        ("format: parquet }", "format: xml }", &["sink.format", "xml"]),
        ("name: tiny", "name: ../tiny", &["job.yaml:2", "name"]),
        ("- name: exact", "- name: quality", &["step `quality`", "has this name"]),
    ];
    for (from, to, expected) in mistakes {
        assert!(JOB.contains(from), "{from}");
        place.job(&JOB.replacen(from, to, 1));
        let error = place.fails(&["run", "job.yaml", "--dry-run"]);
        for part in *expected {
            assert!(error.contains(part), "{to}: `{part}` is missing in: {error}");
        }
        assert_eq!(error, place.fails(&["run", "job.yaml"]));
        assert!(!place.path("out").exists(), "{to}");
    }
    assert!(place.path("theirs/data.parquet").exists());
}

#[test]
fn flags_that_name_nothing() {
    let place = Workplace::new(30);
    assert!(
        place.fails(&["run", "job.yaml", "--set", "most=3"]).contains("no variable of this name; it has least, out")
    );
    assert!(place.fails(&["run", "job.yaml", "--from", "exakt"]).contains("it has quality, exact, no_sevens"));
    assert!(place.fails(&["run", "no.yaml"]).contains("no.yaml"));
    assert_eq!(place.limpid(&["run", "job.yaml", "--set", "least"]).status.code(), Some(2));
    assert!(place.fails(&["explain", "1", "job.yaml"]).contains("has no results"));
}

#[test]
fn several_mistakes_are_told_together() {
    let place = Workplace::new(30);
    place.job(
        &JOB.replace("least: 3", "lost: 3")
            .replace("- name: exact", "- name: Exact")
            .replace("name: tiny", "name: a b"),
    );
    let error = place.fails(&["run", "job.yaml"]);
    for part in ["job.yaml:2:", "job.yaml:10:", "job.yaml:12:"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_failed_check_leaves_the_sink_as_it_was() {
    let place = Workplace::new(300);
    let failing = JOB.replace("HAVING count(*) > 1", "HAVING id < 9");
    place.job(&failing);
    let error = place.fails(&["run", "job.yaml"]);
    for part in ["tiny", "ids_are_unique", "| 1", "sink was not written"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!place.path("out/clean").exists());
    place.job(JOB);
    place.run(&[]);
    let before = super::files(&place.path("out/clean"));
    place.job(&failing.replace("id % 7", "id % 11"));
    place.fails(&["run", "job.yaml"]);
    assert_eq!(super::files(&place.path("out/clean")), before);
}

#[test]
fn mistakes_in_the_data_name_step_and_statement() {
    let place = Workplace::new(30);
    let error = |place: &Workplace, parts: &[&str]| {
        let error = place.fails(&["run", "job.yaml"]);
        for part in parts {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(!place.path("out/clean").exists());
    };
    place.job(
        &JOB.replace(
            "SELECT id, text FROM input WHERE id % 7 <> 0",
            "SELECT id, text FROM input WHERE 5 / (id - 3) < 9",
        ),
    );
    error(&place, &["job `tiny`", "step `no_sevens`", "zero", "5 / (id - 3)"]);
    place.job(JOB);
    fs::write(place.path("docs.jsonl"), "{\"id\": null, \"text\": \"a text\"}\n{\"id\": 1, \"text\": \"another\"}\n")
        .unwrap();
    error(&place, &["step `quality`", "`id` is NULL in 1 row"]);
    fs::write(place.path("docs.jsonl"), "{\"id\": 1, \"text\": \"a text\"}\n{\"id\": 1, \"text\": \"another\"}\n")
        .unwrap();
    place.job(&JOB.replace("HAVING count(*) > 1", "HAVING count(*) > 5"));
    error(&place, &["sink", "key `1`", "comes twice"]);
}

#[test]
fn a_disk_that_is_full_is_an_error_and_the_sink_stays_away() {
    let place = Workplace::new(20_000);
    // A limit on the size of files stands for a full disk; the shell makes exceeding it an error instead of a signal.
    let limited = |place: &Workplace| {
        let program = env!("CARGO_BIN_EXE_limpid");
        let script = format!("trap '' XFSZ; ulimit -f 20; exec '{program}' run job.yaml");
        let output = Command::new("bash").args(["-c", &script]).current_dir(place.path("")).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let error = stderr(&output);
        assert!(error.contains("File too large") && error.contains("cannot write"), "{error}");
        assert!(!place.path("out/clean").exists(), "{error}");
        error
    };
    let error = limited(&place);
    assert!(error.contains("step `quality`") && error.contains("1-quality/kept/part-"), "{error}");
    place.job(&JOB.replace("HAVING count(*) > 1", "HAVING count(*) > 0"));
    place.fails(&["run", "job.yaml"]);
    place.job(JOB);
    let error = limited(&place);
    assert!(error.contains("sink"), "{error}");
    assert_eq!(super::resumed(&place.run(&[])), [true, true, true]);
    assert!(place.path("out/clean/_manifest.json").exists());
}
