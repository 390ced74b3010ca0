//! What a run sees of its inputs, and what it leaves alone.

use std::fs::{self, File, FileTimes};
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use super::{Workplace, files, resumed, stderr, stdout};

const BLOCKED: &str = "name: seen
sources: { docs: { paths: 'docs*.jsonl' } }
text: text
steps:
  - name: blocked
    sql: SELECT * FROM input WHERE id NOT IN (SELECT id FROM 'blocked.csv')
  - name: long
    sql: SELECT * FROM input WHERE length(text) > 3
checks:
  - { name: none_is_forbidden, sql: SELECT id FROM output WHERE id IN (SELECT id FROM 'forbidden.csv') }
sink: { path: out/clean, format: jsonl }
report: out/report.html
work: out/work
";

fn place() -> Workplace {
    let place = Workplace::new(30);
    fs::write(place.path("blocked.csv"), "id\n1\n").unwrap();
    fs::write(place.path("forbidden.csv"), "id\n100\n").unwrap();
    place.job(BLOCKED);
    place
}

#[test]
fn files_that_only_sql_names_are_inputs() {
    let place = place();
    let first = place.run(&[]);
    assert_eq!(first["warnings"], serde_json::json!([]));
    let before = first["rows_out"].as_u64().unwrap();
    fs::write(place.path("blocked.csv"), "id\n1\n2\n").unwrap();
    let report = place.run(&[]);
    assert_eq!(resumed(&report), [false, false]);
    assert_eq!(report["rows_out"], before - 1);
    assert_eq!(resumed(&place.run(&[])), [true, true]);
    // What only a check reads counts too.
    fs::write(place.path("forbidden.csv"), "id\n3\n").unwrap();
    assert!(place.fails(&["run", "job.yaml"]).contains("none_is_forbidden"));
}

#[test]
fn an_edit_that_keeps_size_and_time_is_seen() {
    let place = place();
    place.run(&[]);
    let path = place.path("docs.jsonl");
    for (from, to) in [("number 10", "NUMBER 10"), ("number 12", "NUMBER 12")] {
        let times = FileTimes::new().set_modified(fs::metadata(&path).unwrap().modified().unwrap());
        let edited = fs::read_to_string(&path).unwrap().replace(from, to);
        // The same inode, size and time of modification.
        fs::write(&path, edited).unwrap();
        File::options().write(true).open(&path).unwrap().set_times(times).unwrap();
        assert_eq!(resumed(&place.run(&[])), [false, false]);
        let sink = fs::read_to_string(place.path("out/clean/part-00000.jsonl")).unwrap();
        assert!(sink.contains(to), "{to}");
    }
}

#[test]
fn what_others_put_into_the_sink_is_not_deleted() {
    let place = place();
    place.run(&[]);
    fs::write(place.path("out/clean/note.txt"), "mine").unwrap();
    // A run that has nothing to do does no harm.
    assert_eq!(resumed(&place.run(&[])), [true, true]);
    let before = files(&place.path("out/clean"));
    place.source(20);
    for flags in [&["run", "job.yaml", "--dry-run"][..], &["run", "job.yaml"]] {
        let error = place.fails(flags);
        assert!(error.contains("note.txt") && error.contains("out/clean"), "{error}");
        assert_eq!(files(&place.path("out/clean")), before);
    }
    fs::remove_file(place.path("out/clean/note.txt")).unwrap();
    place.run(&[]);
}

#[test]
fn a_dry_run_finds_what_the_sink_cannot_write() {
    let place = place();
    place.job(
        &BLOCKED
            .replace(
                "SELECT * FROM input WHERE length",
                "SELECT *, named_struct('a', id) AS pair FROM input WHERE length",
            )
            .replace("format: jsonl", "format: csv"),
    );
    let error = place.fails(&["run", "job.yaml", "--dry-run"]);
    assert!(error.contains("job.yaml:11: sink:") && error.contains("csv") && error.contains("pair"), "{error}");
    place.job(&BLOCKED.replace("format: jsonl", "format: csv"));
    assert!(place.limpid(&["run", "job.yaml", "--dry-run"]).status.success());
}

#[test]
fn a_run_that_does_nothing_leaves_the_report() {
    let place = place();
    place.run(&[]);
    let report = fs::read(place.path("out/report.html")).unwrap();
    place.run(&[]);
    assert_eq!(fs::read(place.path("out/report.html")).unwrap(), report);
    fs::remove_file(place.path("out/report.html")).unwrap();
    place.run(&[]);
    assert!(place.path("out/report.html").exists());
}

#[test]
fn the_sink_can_be_globbed() {
    let place = place();
    let rows = place.run(&[])["rows_out"].as_u64().unwrap();
    for pattern in ["out/clean/*", "out/clean", "out/*/*.json*"] {
        let query = format!("SELECT count(*) AS n FROM '{pattern}'");
        let output = place.limpid(&["sql", "--format", "csv", "-c", &query]);
        let expected = format!("n\n{rows}\n");
        // The last pattern matches the manifests of steps, which lie one folder deeper, no more than the sink's.
        assert_eq!(stdout(&output), expected, "{pattern}: {}", stderr(&output));
    }
}

#[test]
fn the_work_folder_is_cleaned_by_policy() {
    let place = place();
    let has_rows = |step: &str| place.path("out/work").join(step).join("kept").exists();
    for (policy, blocked, long) in [("all", true, true), ("last", false, true), ("none", false, false)] {
        let job = format!("{BLOCKED}keep: {policy}\n");
        place.job(&job);
        let first = place.run(&["--force"]);
        assert_eq!((has_rows("1-blocked"), has_rows("2-long")), (blocked, long), "{policy}");
        // Nothing changed: nothing to do, and the report can be told from what was counted.
        let second = place.run(&[]);
        assert_eq!(resumed(&second), [true, true], "{policy}");
        assert_eq!(second["rows_out"], first["rows_out"]);
        // What needs rows that are gone computes them again.
        place.job(&job.replace("> 3", "> 2"));
        assert_eq!(resumed(&place.run(&[])), [policy == "all", false], "{policy}");
        place.job(&job);
        place.run(&[]);
    }
    let error = place.fails(&["explain", "1", "job.yaml"]);
    assert!(error.contains("were deleted") && error.contains("keep: all"), "{error}");
    place.job(&format!("{BLOCKED}keep: some\n"));
    assert!(place.fails(&["run", "job.yaml"]).contains("job.yaml:14: keep: `some` is none of all, last, none"));
    place.job(&BLOCKED.replace("sink: { path: out/clean, format: jsonl }", "keep: none"));
    assert!(place.fails(&["run", "job.yaml"]).contains("without a sink"));
}

#[test]
fn recipes_of_duplicates_take_an_order_and_name_their_parameters() {
    let place = Workplace::new(30);
    let job = "name: best
sources: { docs: { paths: docs.jsonl } }
text: text
steps:
  - name: exact
    recipe: exact_dedup
    args: { order_by: 'id DESC' }
sink: { path: out/clean, format: jsonl }
work: out/work
";
    place.job(job);
    place.run(&[]);
    let sink = fs::read_to_string(place.path("out/clean/part-00000.jsonl")).unwrap();
    // Of texts 1 and 2, which are the same, the later one stays.
    assert!(sink.contains("\"id\":2,") && !sink.contains("\"id\":1,"), "{sink}");
    place.job(&job.replace("order_by: 'id DESC'", "text: body"));
    let error = place.fails(&["run", "job.yaml"]);
    assert!(error.contains("job.yaml:7:") && error.contains("parameter `text` of recipe `exact_dedup`"), "{error}");
    place.job(&job.replace("id DESC", "quality DESC"));
    let error = place.fails(&["run", "job.yaml"]);
    assert!(error.contains("order_by") && error.contains("recipe: exact_dedup with"), "{error}");
}

/// A step that is still at work when its folder has been there for a moment.
const SLOW: &str = "name: slow
sources: { docs: { paths: 'docs*.jsonl' } }
steps:
  - name: slow
    sql: >
      SELECT * FROM input WHERE id NOT IN (SELECT id FROM 'blocked.csv')
      AND id < (SELECT count(DISTINCT md5(CAST(value AS VARCHAR))) FROM generate_series(1, 3000000))
sink: { path: out/clean, format: jsonl }
work: out/work
";

/// What a run says where `change` happens while its step runs; the next run has to succeed.
fn changed_meanwhile(change: impl FnOnce(&Workplace)) -> String {
    let place = place();
    place.job(SLOW);
    let mut run = place.command(&["run", "job.yaml"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while !place.path("out/work/1-slow").exists() {
        assert!(run.try_wait().unwrap().is_none(), "the run ended before its step began");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(run.try_wait().unwrap().is_none(), "the step ended before anything could change");
    change(&place);
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(!place.path("out/clean").exists(), "nothing is made of what was read");
    place.run(&[]);
    stderr(&output)
}

#[test]
fn a_source_that_changes_during_a_run_is_named() {
    let grown = changed_meanwhile(|place| {
        let mut file = File::options().append(true).open(place.path("docs.jsonl")).unwrap();
        file.write_all(b"{\"id\": 1000, \"text\": \"one more\"}\n").unwrap();
    });
    let start = "job `slow`, step `slow`: source `docs` changed while it was read: /";
    assert!(grown.contains(start) && grown.contains("docs.jsonl was changed; run the job again"), "{grown}");
    let more = changed_meanwhile(|place| {
        fs::write(place.path("docs_more.jsonl"), "{\"id\": 1000, \"text\": \"one more\"}\n").unwrap();
    });
    assert!(more.contains(start) && more.contains("docs_more.jsonl is new; run the job again"), "{more}");
    let replaced = changed_meanwhile(|place| {
        // A file of the same size in its place.
        let rows = fs::read_to_string(place.path("docs.jsonl")).unwrap().replace("number", "Number");
        fs::write(place.path("other"), rows).unwrap();
        fs::rename(place.path("other"), place.path("docs.jsonl")).unwrap();
    });
    assert!(replaced.contains(start) && replaced.contains("docs.jsonl was changed"), "{replaced}");
    let in_sql = changed_meanwhile(|place| fs::write(place.path("blocked.csv"), "id\n1\n2\n").unwrap());
    assert!(in_sql.contains("step `slow`: 'blocked.csv' changed while it was read: /"), "{in_sql}");
}
