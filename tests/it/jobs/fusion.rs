//! Steps that look at each row alone run as one: what is reported, explained and written is the same as when each is written.

use std::fs;

use serde_json::{Value, json};

use super::{Workplace, files, resumed, stderr, stdout};

/// Two sources, rules, quality with reasons, a step that changes texts, duplicates, and columns.
const JOB: &str = r#"
name: fused
sources:
  docs: { paths: docs.jsonl }
  more: { paths: more.jsonl }
text: text
steps:
  - name: all
    sql: SELECT CAST(id AS VARCHAR) AS id, text, 'docs' AS source FROM docs UNION ALL SELECT 'm' || id, text, 'more' FROM more
  - name: rules
    rules:
      too_short: length(text) >= 3
      seven: text NOT LIKE '%7 of%'
  - name: exact
    recipe: exact_dedup
  - name: digits
    sql: SELECT *, length(text) % 2 = 0 AS keep, 'length ' || length(text) AS reason FROM input
  - name: upper
    sql: SELECT * EXCEPT (text), upper(text) AS text FROM input
  - name: columns
    sql: SELECT id, text, CASE WHEN id = '30' THEN 1 / ${divisor} END AS one FROM input
checks:
  - { name: ids_are_unique, sql: SELECT id FROM output GROUP BY id HAVING count(*) > 1 }
sink: { path: "${out:-out}/clean" }
report: ${out:-out}/report.html
work: ${out:-out}/work
vars: { divisor: 1 }
"#;

fn place() -> Workplace {
    let place = Workplace::new(300);
    let lines: String =
        (0..40).map(|id| format!("{}\n", json!({ "id": id, "text": format!("more of it {id}") }))).collect();
    fs::write(place.path("more.jsonl"), lines).unwrap();
    place.job(JOB);
    place
}

/// The same job, whose steps are all written because checks name them.
fn unfused() -> String {
    let steps = ["all", "rules", "digits", "upper"];
    let checks: String =
        steps.map(|step| format!("\n  - {{ name: see_{step}, sql: SELECT id FROM {step} WHERE false }}")).concat();
    JOB.replace("\nsink:", &format!("{checks}\nsink:"))
}

/// What a report says of steps and sources, without times.
fn told(report: &Value) -> Value {
    let mut steps = report["steps"].clone();
    for step in steps.as_array_mut().unwrap() {
        assert!(step["seconds"].as_f64().unwrap() >= 0.0);
        step.as_object_mut().unwrap().remove("seconds");
    }
    let others = ["rows_in", "rows_out", "bytes_in", "bytes_out", "lengths_in", "lengths_out", "sources", "warnings"];
    json!([steps, others.map(|name| report[name].clone())])
}

fn is_written(place: &Workplace, out: &str) -> Vec<bool> {
    let steps = ["1-all", "2-rules", "3-exact", "4-digits", "5-upper", "6-columns"];
    steps.map(|step| place.path(&format!("{out}/work/{step}/kept")).exists()).to_vec()
}

fn data(place: &Workplace, out: &str) -> Vec<(String, Vec<u8>)> {
    // The mark of the folder names the checks.
    files(&place.path(&format!("{out}/clean"))).into_iter().filter(|(name, _)| name != "_manifest.json").collect()
}

#[test]
fn fused_steps_report_and_write_what_single_ones_do() {
    let place = place();
    let mut reports = Vec::new();
    for (out, flags) in [("out1", &["--threads", "1"][..]), ("out3", &["--threads", "3", "--batch-size", "7"])] {
        let set = format!("out={out}");
        reports.push(place.run(&[&["--set", &set], flags].concat()));
        assert_eq!(is_written(&place, out), [false, false, true, false, false, true]);
    }
    place.job(&unfused());
    reports.push(place.run(&["--set", "out=single"]));
    assert_eq!(is_written(&place, "single"), [true; 6]);
    let (one, three, single) = (told(&reports[0]), told(&reports[1]), told(&reports[2]));
    assert_eq!(one, single);
    assert_eq!(three, single);
    // All of them say something.
    let steps = reports[0]["steps"].as_array().unwrap();
    let counts: Vec<_> = steps.iter().map(|step| (&step["rows_in"], &step["rows_out"])).collect();
    assert_eq!(counts[0], (&json!(340), &json!(340)));
    assert_eq!(steps[1]["reasons"][0][0], "too_short");
    assert!(steps[3]["reasons"].as_array().unwrap().len() > 1 && steps[3]["samples"].as_array().unwrap().len() == 12);
    assert!(!data(&place, "out1").is_empty());
    assert_eq!(data(&place, "out1"), data(&place, "single"));
    assert_eq!(data(&place, "out3"), data(&place, "single"));
}

#[test]
fn fused_steps_resume_as_one() {
    let place = place();
    place.run(&[]);
    let before = data(&place, "out");
    assert_eq!(resumed(&place.run(&[])), [true; 6]);
    // The first chain is used as it is, the second is computed from its beginning.
    assert_eq!(resumed(&place.run(&["--from", "upper"])), [true, true, true, false, false, false]);
    place.job(&JOB.replace("SELECT * EXCEPT (text), upper(text)", "SELECT * EXCEPT (text), lower(text)"));
    assert_eq!(resumed(&place.run(&[])), [true, true, true, false, false, false]);
    place.job(JOB);
    // A run that was killed before the last of its manifests.
    place.run(&[]);
    fs::remove_file(place.path("out/work/6-columns/manifest.json")).unwrap();
    let forecast = stdout(&place.limpid(&["run", "job.yaml", "--dry-run", "--json"]));
    let forecast: Value = serde_json::from_str(&forecast).unwrap();
    let finished: Vec<_> = forecast["steps"].as_array().unwrap().iter().map(|step| step["finished"] == true).collect();
    assert_eq!(finished, [true, true, true, false, false, false]);
    assert_eq!(resumed(&place.run(&[])), [true, true, true, false, false, false]);
    assert_eq!(data(&place, "out"), before);
    // What is asked for later is written then.
    place.job(&unfused());
    place.run(&[]);
    assert_eq!(is_written(&place, "out"), [true; 6]);
    place.job(JOB);
    place.run(&[]);
    assert_eq!(data(&place, "out"), before);
}

#[test]
fn fused_steps_are_explained_and_blamed_one_by_one() {
    let place = place();
    place.run(&[]);
    let explain = |id: &str| stdout(&place.limpid(&["explain", id, "job.yaml"]));
    assert_eq!(explain("4"), "4: removed by step `rules`: too_short\n");
    assert!(explain("2").starts_with("2: removed by step `exact`, repeats 1"), "{}", explain("2"));
    assert!(explain("m10").contains("removed by step `digits`: length "), "{}", explain("m10"));
    assert_eq!(explain("m5"), "m5: kept\n");
    assert!(stdout(&place.limpid(&["explain", "2", "job.yaml", "--diff"])).contains("the texts are equal"));
    let run = place.limpid(&["run", "job.yaml", "--set", "divisor=(length(text) - length(text))"]);
    let error = stderr(&run);
    assert!(!run.status.success() && error.contains("step `columns`") && error.contains("zero"), "{error}");
    // The step in the middle of a chain that fails is the one that is named.
    place.job(&JOB.replace(
        "upper(text) AS text FROM",
        "upper(text) || CAST(1 / (length(id) - length(id)) AS VARCHAR) AS text FROM",
    ));
    let error = place.fails(&["run", "job.yaml"]);
    assert!(error.contains("step `upper`") && error.contains("zero") && error.contains("length(id)"), "{error}");
    assert!(!error.contains("step `columns`"), "{error}");
}

#[test]
fn steps_that_need_all_rows_are_not_fused() {
    let place = place();
    let cases = [
        (
            "SELECT id, text, 1 AS one FROM input WHERE id NOT IN (SELECT 'x' || id FROM docs)",
            "a condition on other rows",
        ),
        ("SELECT id, text, 1 AS one FROM (SELECT * FROM input WHERE length(text) > 0)", "a condition below"),
        ("SELECT 'x' || id AS id, text, 1 AS one FROM input", "another key"),
        ("SELECT id, text, row_number() OVER (ORDER BY id) AS one FROM input", "a window"),
        ("SELECT id, text, random() AS one FROM input", "chance"),
        ("SELECT id, text, (SELECT count(*) FROM more) AS one FROM input", "a subquery"),
        ("SELECT id, text, 1 AS one FROM input ORDER BY id LIMIT 1000", "a limit"),
        ("SELECT id, text, unnest([1]) AS one FROM input", "more rows"),
        ("SELECT i.id, i.text, 1 AS one FROM input i JOIN more m ON i.id = 'm' || m.id", "a join"),
        ("SELECT i.id, i.text, 1 AS one FROM input i, upper u WHERE i.id = u.id", "a second look"),
    ];
    for (sql, why) in cases {
        let job = JOB.replace("SELECT id, text, CASE WHEN id = '30' THEN 1 / ${divisor} END AS one FROM input", sql);
        place.job(&job.replace("vars: { divisor: 1 }", ""));
        let report = place.run(&["--force"]);
        assert_eq!(is_written(&place, "out"), [false, false, true, false, true, true], "{why}");
        let steps = report["steps"].as_array().unwrap();
        assert_eq!(steps[5]["rows_in"], steps[4]["rows_out"], "{why}");
    }
}

#[test]
fn steps_with_a_condition_are_fused() {
    let place = place();
    let lines: String = (0..100)
        .map(|id| {
            let key = if id % 10 == 3 { Value::Null } else { json!(id) };
            format!(
                "{}\n",
                json!({ "id": key, "text": format!("{}text {id}", if id % 4 == 0 { "" } else { "long " }) })
            )
        })
        .collect();
    fs::write(place.path("docs.jsonl"), lines).unwrap();
    place.job(
        r#"
name: conditions
sources: { docs: { paths: docs.jsonl } }
text: text
steps:
  - { name: keyed, sql: SELECT * FROM docs WHERE id IS NOT NULL }
  - { name: long, sql: "SELECT id, upper(text) AS text FROM input WHERE text LIKE 'long %'" }
  - { name: odd, sql: SELECT i.* FROM input i WHERE i.id % 2 = 1 OR NULL }
sink: { path: out/clean, format: jsonl }
work: out/work
"#,
    );
    let report = place.run(&[]);
    let steps = report["steps"].as_array().unwrap();
    let counts: Vec<_> =
        steps.iter().map(|step| json!([step["name"], step["rows_in"], step["rows_out"], step["reasons"]])).collect();
    let count = |keep: &dyn Fn(u64) -> bool| (0..100).filter(|id| keep(*id)).count();
    let keyed = count(&|id| id % 10 != 3);
    let long = count(&|id| id % 10 != 3 && id % 4 != 0);
    let odd = count(&|id| id % 10 != 3 && id % 4 != 0 && id % 2 == 1);
    let expected = [
        json!(["keyed", 100, keyed, [["keyed", 100 - keyed]]]),
        json!(["long", keyed, long, [["long", keyed - long]]]),
        json!(["odd", long, odd, [["odd", long - odd]]]),
    ];
    assert_eq!(counts, expected);
    // What went is shown as it was.
    assert!(steps[1]["samples"][0]["removed_text"].as_str().unwrap().starts_with("text "));
    assert!(steps[2]["samples"][0]["removed_text"].as_str().unwrap().starts_with("LONG TEXT "));
    let kept = ["1-keyed", "2-long", "3-odd"].map(|step| place.path(&format!("out/work/{step}/kept")).exists());
    assert_eq!(kept, [false, false, true]);
    assert_eq!(resumed(&place.run(&[])), [true; 3]);
    let explain = |id: &str| stdout(&place.limpid(&["explain", id, "job.yaml"]));
    assert_eq!(explain("4"), "4: removed by step `long`\n");
    assert_eq!(explain("2"), "2: removed by step `odd`\n");
    assert_eq!(explain("1"), "1: kept\n");
    let sink = fs::read_to_string(place.path("out/clean/part-00000.jsonl")).unwrap();
    assert_eq!((sink.lines().count(), sink.contains("\"LONG TEXT 1\"")), (odd, true));
}
