//! What a run does, and what the next one need not do again.

use std::fs;
use std::process::Stdio;

use super::{JOB, Workplace, files, resumed, stderr, stdout};

#[test]
fn the_funnel_adds_up() {
    let place = Workplace::new(300);
    let report = place.run(&[]);
    let ids = |keep: &dyn Fn(u64) -> bool| (0..300).filter(|id| keep(*id)).count() as u64;
    let long = |id: u64| id % 5 != 4;
    // The copy of row id - 1 goes where that row is still there.
    let copy = |id: u64| id % 3 == 2 && long(id) && long(id - 1);
    let steps = report["steps"].as_array().unwrap();
    let counts: Vec<_> =
        steps.iter().map(|step| (step["rows_in"].as_u64().unwrap(), step["rows_out"].as_u64().unwrap())).collect();
    let (quality, exact) = (ids(&long), ids(&|id| long(id) && !copy(id)));
    let sevens = ids(&|id| long(id) && !copy(id) && id % 7 != 0);
    assert_eq!(counts, [(300, quality), (quality, exact), (exact, sevens)]);
    assert_eq!(report["rows_in"], 300);
    assert_eq!(report["rows_out"], sevens);
    assert_eq!(steps[0]["reasons"], serde_json::json!([["too_short", 300 - quality]]));
    assert_eq!(steps[1]["reasons"], serde_json::json!([["exact duplicate", quality - exact]]));
    assert_eq!(steps[2]["reasons"], serde_json::json!([["no_sevens", exact - sevens]]));
    assert_eq!(steps[1]["cluster_sizes"], serde_json::json!([[2, quality - exact]]));
    let similar = steps[1]["similarities"]["counts"].as_array().unwrap();
    assert_eq!(similar.last().unwrap().as_u64(), Some(quality - exact));
    for lengths in [("lengths_in", 300), ("lengths_out", sevens)] {
        let counts = report[lengths.0]["counts"].as_array().unwrap();
        assert_eq!(counts.iter().map(|count| count.as_u64().unwrap()).sum::<u64>(), lengths.1);
    }
    assert_eq!(report["checks"], serde_json::json!([{ "name": "ids_are_unique", "rows": 0 }]));
    let sample = &steps[1]["samples"].as_array().unwrap()[0];
    assert_eq!(sample["removed_text"], sample["kept_text"]);
    assert_eq!(steps[1]["samples"].as_array().unwrap().len(), 12);
    assert!(fs::read_to_string(place.path("out/report.html")).unwrap().contains("tiny"));
    let names: Vec<_> = files(&place.path("out/clean")).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["_manifest.json", "part-00000.parquet"]);
}

#[test]
fn people_get_a_table() {
    let place = Workplace::new(300);
    let output = place.limpid(&["run", "job.yaml"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    for part in
        ["quality", "too_short 60", "exact duplicate", "no_sevens", "out/clean", "out/report.html", "limpid explain"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(stdout(&place.limpid(&["run", "job.yaml"])).contains("resumed"));
}

#[test]
fn a_second_run_computes_nothing_and_changes_nothing() {
    let place = Workplace::new(300);
    assert_eq!(resumed(&place.run(&[])), [false, false, false]);
    let before = files(&place.path("out/clean"));
    let changed = fs::metadata(place.path("out/clean/part-00000.parquet")).unwrap().modified().unwrap();
    let report = place.run(&[]);
    assert_eq!(resumed(&report), [true, true, true]);
    assert_eq!(report["rows_in"], 300);
    assert_eq!(files(&place.path("out/clean")), before);
    assert_eq!(fs::metadata(place.path("out/clean/part-00000.parquet")).unwrap().modified().unwrap(), changed);
    assert_eq!(resumed(&place.run(&["--from", "exact"])), [true, false, false]);
    assert_eq!(resumed(&place.run(&["--force"])), [false, false, false]);
    assert_eq!(files(&place.path("out/clean")), before);
}

#[test]
fn changes_are_computed_again_from_where_they_are() {
    let place = Workplace::new(300);
    place.run(&[]);
    place.job(&JOB.replace("id % 7", "id % 11"));
    assert_eq!(resumed(&place.run(&[])), [true, true, false]);
    // Another query of the same result: what follows need not run again.
    place.job(&JOB.replace("id % 7", "id % 11").replace("regexp_like(text, '[a-z]')", "regexp_like(text, '[a-y]')"));
    assert_eq!(resumed(&place.run(&[])), [false, true, true]);
    place.source(200);
    assert_eq!(resumed(&place.run(&[])), [false, false, false]);
    assert_eq!(resumed(&place.run(&["--set", "least=30"])), [false, false, false]);
    assert!(place.run(&["--set", "least=30"])["rows_out"] == 0);
    // A folder that is not whole does not count.
    place.run(&[]);
    let kept = place.path("out/work/2-exact/kept");
    fs::write(kept.join(&files(&kept)[0].0), "short").unwrap();
    assert_eq!(resumed(&place.run(&[])), [true, false, true]);
    // Folders of steps that are gone go too, with what a killed run left in them; others stay.
    fs::write(place.path("out/work/3-no_sevens/.limpid-a1b2c3.tmp"), "").unwrap();
    fs::create_dir(place.path("out/work/2020-photos")).unwrap();
    fs::write(place.path("out/work/2020-photos/a.jpg"), "").unwrap();
    place.job(&JOB.replace("name: no_sevens", "name: sevens"));
    place.run(&[]);
    assert!(!place.path("out/work/3-no_sevens").exists() && place.path("out/work/3-sevens").exists());
    assert!(place.path("out/work/2020-photos/a.jpg").exists());
}

#[test]
fn the_sink_has_the_same_bytes_however_it_was_computed() {
    let place = Workplace::new(3_000);
    let mut sinks = Vec::new();
    for (number, flags) in
        [&["--threads", "1"][..], &["--threads", "7"], &["--threads", "2", "--batch-size", "100"]].iter().enumerate()
    {
        let set = format!("out=out{number}");
        let mut args = vec!["--set", &set];
        args.extend(*flags);
        place.run(&args);
        sinks.push(files(&place.path(&format!("out{number}/clean"))));
    }
    assert_eq!(sinks[0], sinks[1]);
    assert_eq!(sinks[0], sinks[2]);
}

#[test]
fn set_goes_before_environment_before_file() {
    let place = Workplace::new(300);
    let kept = |args: &[&str], environment: Option<&str>| {
        let mut all = vec!["run", "job.yaml", "--json"];
        all.extend(args);
        let mut command = place.command(&all);
        command.envs(environment.map(|value| ("least", value)));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["steps"][0]["rows_out"].as_u64().unwrap()
    };
    assert_eq!(kept(&[], None), 240);
    assert_eq!(kept(&[], Some("1")), 300);
    assert_eq!(kept(&["--set", "least=1000"], Some("1")), 0);
}

#[test]
fn formats_and_tables_beyond_input() {
    let place = Workplace::new(30);
    place.job(
        "name: joined
sources:
  docs: { paths: docs.jsonl }
  files: { paths: 'notes/*.{md,txt}', format: text }
text: text
steps:
  - name: some
    sql: SELECT * FROM input WHERE id < 10
  - name: known
    input: docs
    sql: SELECT d.*, s.id IS NOT NULL AS keep FROM input d LEFT JOIN some s ON d.id = s.id + 3
  - name: read
    sql: SELECT i.id, i.text, (SELECT count(*) FROM files) AS notes FROM input i
checks:
  - name: removed_rows_name_their_step
    sql: SELECT * FROM removed WHERE step NOT IN ('some', 'known', 'read')
sink: { path: out, format: jsonl }
",
    );
    fs::create_dir(place.path("notes")).unwrap();
    for (name, text) in [("a.md", "one"), ("b.txt", "two"), ("c.rs", "three")] {
        fs::write(place.path("notes").join(name), text).unwrap();
    }
    fs::write(place.path("notes/binary.md"), [0]).unwrap();
    let report = place.run(&[]);
    assert_eq!(report["warnings"], serde_json::json!(["step `read`: 1 file was left out: 1 binary"]));
    assert_eq!(report["steps"][1]["rows_in"], 30);
    let lines = fs::read_to_string(place.path("out/part-00000.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 10);
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((first["id"].as_u64(), first["notes"].as_u64()), (Some(3), Some(2)));
}

#[test]
fn explain_follows_a_row_to_its_end() {
    let place = Workplace::new(300);
    place.run(&[]);
    let explain = |args: &[&str]| {
        let mut all = vec!["explain"];
        all.extend(args);
        let output = place.limpid(&all);
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    assert_eq!(explain(&["4", "job.yaml"]), "4: removed by step `quality`: too_short\n");
    assert_eq!(explain(&["1", "job.yaml"]), "1: kept\n");
    assert_eq!(
        explain(&["2", "job.yaml"]),
        "2: removed by step `exact`: exact duplicate, repeats 1 (similarity 1.0000)\n1: kept\n"
    );
    // 91 is kept by `exact` and goes one step later.
    let chained = explain(&["92", "job.yaml"]);
    assert!(chained.ends_with("repeats 91 (similarity 1.0000)\n91: removed by step `no_sevens`\n"), "{chained}");
    assert!(explain(&["2", "job.yaml", "--diff"]).contains("the texts are equal"));
    let json: serde_json::Value = serde_json::from_str(&explain(&["2", "job.yaml", "--json"])).unwrap();
    assert_eq!(json["removed"]["kept"]["id"], "1");
    assert!(place.fails(&["explain", "5000", "job.yaml"]).contains("no row has the key `5000`"));
    place.job(&JOB.replace("id % 7", "id % 11"));
    assert!(stderr(&place.limpid(&["explain", "4", "job.yaml"])).contains("was changed after its last run"));
}

#[test]
fn init_writes_a_job_and_overwrites_nothing() {
    let place = Workplace::new(30);
    assert!(place.limpid(&["init", "new.yaml"]).status.success());
    let template = fs::read_to_string(place.path("new.yaml")).unwrap();
    assert!(template.lines().filter(|line| line.contains('#')).count() > 10);
    assert!(place.fails(&["init", "new.yaml"]).contains("exists already"));
    assert_eq!(fs::read_to_string(place.path("new.yaml")).unwrap(), template);
}

#[test]
fn one_run_at_a_time() {
    let place = Workplace::new(30);
    // A query that does not end by itself keeps the first run in its only step.
    place.job(&JOB.replace(
        "SELECT id, text FROM input WHERE id % 7 <> 0",
        "SELECT i.id, i.text FROM input i, generate_series(1, 100000000000) s WHERE s.value < 0",
    ));
    let mut first = place.command(&["run", "job.yaml"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let lock = place.path("out/work/.lock");
    while !place.path("out/work/3-no_sevens").exists() {
        assert!(first.try_wait().unwrap().is_none());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let error = place.fails(&["run", "job.yaml"]);
    assert!(error.contains("already running") && error.contains(&first.id().to_string()), "{error}");
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(lock.exists());
    place.job(JOB);
    assert_eq!(resumed(&place.run(&[])), [true, true, false]);
}
