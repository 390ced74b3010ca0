//! `limpid recipes`, `limpid select` and `limpid evaluate`.

use std::fs;

use super::{bad, folder, good, run};

/// 400 rows of two classes that the first of two numbers tells apart; every twentieth has the wrong label.
const POINTS: &str = "COPY (SELECT id, 'row ' || id AS text, [x, y] AS embedding, CASE WHEN id % 20 = 7 THEN 1 - class ELSE class END AS label, \
    hash_uniform(9, id) AS worth FROM (SELECT value AS id, value % 2 AS class, (value % 2) * 2.0 - 1.0 + hash_uniform(1, value) - 0.5 AS x, \
    hash_uniform(2, value) - 0.5 AS y FROM generate_series(0, 399))) TO 'points.parquet'";

#[test]
fn recipes_are_listed_shown_and_run() {
    let folder = folder();
    let list = good(folder.path(), &["recipes", "list"]);
    for name in ["ccs", "semdedup", "q_tuning", "rag_importance"] {
        assert!(list.contains(&format!("│ {name} ")), "{list}");
    }
    let json: serde_json::Value = serde_json::from_str(&good(folder.path(), &["recipes", "list", "--json"])).unwrap();
    let ccs = json.as_array().unwrap().iter().find(|recipe| recipe["name"] == "ccs").unwrap();
    assert_eq!(ccs["parameters"][0]["kind"], "column");
    let shown = good(folder.path(), &["recipes", "show", "ccs"]);
    assert!(shown.contains("-- param beta number 0.1 in 0..1:") && shown.contains("-- adds score:"));
    assert_eq!(ccs["outputs"][1]["name"], "keep");
    assert!(bad(folder.path(), &["recipes", "show", "cs"]).contains("there is no recipe `cs`"));
    good(folder.path(), &["sql", "--quiet", "-c", POINTS]);
    let args = [
        "recipes",
        "run",
        "score_top",
        "-i",
        "points.parquet",
        "--arg",
        "score=worth",
        "--arg",
        "fraction=0.01",
        "--format",
        "csv",
    ];
    let out = good(folder.path(), &args);
    assert_eq!(out.lines().filter(|line| line.ends_with(",true")).count(), 4, "{out}");
    let args = ["recipes", "run", "random", "--input", "SELECT 1 AS id", "--arg", "fraction=1", "--format", "csv"];
    assert_eq!(good(folder.path(), &args), "id,keep\n1,true\n");
    assert!(bad(folder.path(), &["recipes", "run", "random", "-i", "none.parquet"]).contains("none.parquet"));
}

#[test]
fn a_selection_writes_rows_scores_and_a_report() {
    let folder = folder();
    good(folder.path(), &["sql", "--quiet", "-c", POINTS]);
    let args = [
        "select",
        "points.parquet",
        "--method",
        "ccs",
        "--budget",
        "40",
        "--label",
        "label",
        "--arg",
        "runs=2",
        "--arg",
        "epochs=5",
        "--arg",
        "beta=0.05",
        "-o",
        "kept.parquet",
        "--scores",
        "scores.parquet",
        "--report",
        "why.html",
        "--sweep",
        "0.05,0.5",
    ];
    assert_eq!(good(folder.path(), &args), "ccs: 40 of 400 rows kept\n");
    let check = "SELECT (SELECT count(*) FROM 'kept.parquet') AS kept, (SELECT count(*) FROM 'scores.parquet') AS scored, \
                 (SELECT count(*) FROM 'scores.parquet' WHERE keep) AS stay, (SELECT count(*) FROM 'kept.parquet' WHERE id % 20 = 7) AS wrong";
    assert_eq!(good(folder.path(), &["sql", "--format", "csv", "-c", check]), "kept,scored,stay,wrong\n40,400,40,0\n");
    let first = fs::read(folder.path().join("kept.parquet")).unwrap();
    let page = fs::read_to_string(folder.path().join("why.html")).unwrap();
    for part in ["<svg", "Strata with their budgets", "Other budgets", "Most valuable", "row ", "scores AS (", "10.0%"]
    {
        assert!(page.contains(part), "{part}");
    }
    good(folder.path(), &[&args[..], &["--threads", "7"]].concat());
    assert!(first == fs::read(folder.path().join("kept.parquet")).unwrap(), "the same bytes");
    // A score of one's own.
    let args = [
        "select",
        "points.parquet",
        "--score",
        "worth",
        "--fraction",
        "0.1",
        "-o",
        "top.parquet",
        "--report",
        "top.html",
    ];
    assert_eq!(good(folder.path(), &args), "score_top: 40 of 400 rows kept\n");
    let check = "SELECT count(*) AS n FROM 'points.parquet' WHERE worth > (SELECT min(worth) FROM 'top.parquet')";
    assert_eq!(good(folder.path(), &["sql", "--format", "csv", "-c", check]), "n\n39\n");
}

#[test]
fn mistakes_of_a_selection_are_named() {
    let folder = folder();
    good(folder.path(), &["sql", "--quiet", "-c", POINTS]);
    let usage = |args: &[&str]| {
        let ended = run(folder.path(), args);
        assert_eq!(ended.code, Some(2), "{}", ended.err);
        ended.err
    };
    assert!(usage(&["select", "points.parquet", "--score", "worth"]).contains("--budget ROWS or --fraction SHARE"));
    assert!(usage(&["select", "points.parquet", "--fraction", "0.5"]).contains("--method or a --score column"));
    assert!(usage(&["select", "points.parquet", "--fraction", "1.5"]).contains("above 0 and at most 1"));
    assert!(
        usage(&["select", "points.parquet", "--score", "worth", "--fraction", "1", "--sweep", "x"])
            .contains("separated by commas")
    );
    let error = |args: &[&str]| bad(folder.path(), &[&["select", "points.parquet"], args].concat());
    assert!(
        error(&["--score", "wort", "--fraction", "0.5"])
            .contains("--score: there is no column `wort`. Did you mean `worth`? The columns are id, text")
    );
    assert!(error(&["--score", "worth", "--budget", "401"]).contains("there are 400 rows only"));
    assert!(
        error(&["--method", "exact_dedup", "--fraction", "0.5"])
            .contains("neither the parameter `fraction` nor `budget`")
    );
    assert!(
        error(&["--method", "random", "--text", "text", "--budget", "5"])
            .contains("--text: the recipe `random` has no parameter")
    );
    assert!(error(&["--method", "ccs", "--log", "none.parquet", "--budget", "5"]).contains("none.parquet"));
    assert!(error(&["--method", "random", "--fraction", "0.5", "--arg", "sead=1"]).contains("has no argument `sead`"));
}

#[test]
fn an_evaluation_compares_with_random_rows() {
    let folder = folder();
    good(folder.path(), &["sql", "--quiet", "-c", POINTS]);
    let args = [
        "evaluate",
        "points.parquet",
        "--methods",
        "aum",
        "--fractions",
        "0.2,0.9",
        "--seeds",
        "2",
        "--epochs",
        "5",
        "--hidden",
        "0",
        "--arg",
        "runs=2",
        "--arg",
        "epochs=5",
        "--report",
        "pays.html",
        "--quiet",
    ];
    let out = good(folder.path(), &args);
    assert!(out.contains("everything") && out.contains("aum") && out.contains("random"), "{out}");
    let page = fs::read_to_string(folder.path().join("pays.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("Beside random rows"));
    let json: serde_json::Value =
        serde_json::from_str(&good(folder.path(), &[&args[..], &["--json"]].concat())).unwrap();
    assert_eq!(json["methods"][0]["name"], "random");
    assert_eq!(json["methods"][1]["budgets"][1]["accuracies"].as_array().unwrap().len(), 2);
    assert!(json["everything"]["mean"].as_f64().unwrap() > 80.0);
    let error = bad(folder.path(), &["evaluate", "points.parquet", "--label", "class"]);
    assert!(error.contains("--label: there is no column `class`"));
    let error = bad(folder.path(), &["evaluate", "points.parquet", "--methods", "divprune"]);
    assert!(error.contains("neither the parameter `fraction` nor `budget`"), "{error}");
}

#[test]
fn every_budget_is_met() {
    let folder = folder();
    good(folder.path(), &["sql", "--quiet", "-c", POINTS]);
    let select = |args: &[&str]| good(folder.path(), &[&["select", "points.parquet", "--budget", "37"], args].concat());
    for (method, args) in [
        ("k_center", &["--arg", "vector=embedding"][..]),
        ("semdedup", &["--arg", "vector=embedding", "--arg", "k=4"]),
        ("density_pruning", &["--arg", "vector=embedding", "--arg", "k=4"]),
        ("ssl_prototypes", &["--arg", "vector=embedding", "--arg", "k=4"]),
        ("data_mixture", &["--arg", "source=label", "--arg", "weight=worth"]),
        ("score_top", &["--score", "worth", "--arg", "class=label", "--arg", "balance=equal"]),
        ("random", &[]),
    ] {
        let out = select(&[&["--method", method, "-o", "kept.parquet"], args].concat());
        assert_eq!(out, format!("{method}: 37 of 400 rows kept\n"));
    }
    let classes = "SELECT abs(sum(2 * label - 1)) AS difference FROM 'kept.parquet'";
    select(&["--score", "worth", "--arg", "class=label", "--arg", "balance=equal", "-o", "kept.parquet"]);
    assert_eq!(good(folder.path(), &["sql", "--format", "csv", "-c", classes]), "difference\n1\n");
    // Fewer stay where others are too similar, and a warning says so.
    let args = [
        "select",
        "points.parquet",
        "--method",
        "deita",
        "--score",
        "worth",
        "--arg",
        "vector=embedding",
        "--fraction",
        "0.9",
    ];
    let ended = run(folder.path(), &args);
    assert!(
        ended.err.contains("warning: deita keeps") && ended.out.starts_with("deita: "),
        "{} {}",
        ended.err,
        ended.out
    );
}

#[test]
fn labels_and_texts_are_taken_as_they_are() {
    let folder = folder();
    let named = "COPY (SELECT id, CASE WHEN id % 2 = 0 THEN 'refund of row ' || id ELSE 'weather on day ' || id END AS body, \
                 CASE WHEN id % 20 = 7 THEN 'refund' WHEN id % 2 = 0 THEN 'refund' ELSE 'weather' END AS topic \
                 FROM (SELECT value AS id FROM generate_series(0, 199))) TO 'named.parquet'";
    good(folder.path(), &["sql", "--quiet", "-c", named]);
    let args = ["--text", "body", "--label", "topic", "--quiet"];
    let small = ["--arg", "runs=2", "--arg", "epochs=5", "--arg", "hidden=4"];
    let select = ["select", "named.parquet", "--method", "aum", "--fraction", "0.9", "-o", "kept.parquet"];
    assert_eq!(good(folder.path(), &[&select[..], &args, &small].concat()), "aum: 180 of 200 rows kept\n");
    let check = "SELECT count(*) FILTER (WHERE id % 20 = 7) AS wrong FROM 'kept.parquet'";
    assert_eq!(good(folder.path(), &["sql", "--format", "csv", "-c", check]), "wrong\n0\n");
    let out = good(folder.path(), &["sql", "--format", "csv", "-c", "SELECT * FROM 'kept.parquet' LIMIT 1"]);
    assert!(out.starts_with("id,body,topic,score\n"), "{out}");
    let evaluate = [
        "evaluate",
        "named.parquet",
        "--methods",
        "k_center",
        "--fractions",
        "0.3",
        "--seeds",
        "2",
        "--epochs",
        "3",
        "--hidden",
        "0",
    ];
    let out = good(folder.path(), &[&evaluate[..], &args].concat());
    assert!(out.contains("k_center"), "{out}");
}

#[test]
fn a_training_log_of_ones_own_takes_the_place_of_the_probe() {
    let folder = folder();
    good(folder.path(), &["sql", "--quiet", "-c", POINTS]);
    let log = "COPY (SELECT id, label, run, step, probs FROM fit_softmax('points.parquet', hidden => 4, epochs => 5, runs => 2)) TO 'log.parquet'";
    good(folder.path(), &["sql", "--quiet", "-c", log]);
    let probe = ["--arg", "hidden=4", "--arg", "epochs=5", "--arg", "runs=2"];
    for method in ["aum", "ccs", "forgetting"] {
        let select = ["select", "points.parquet", "--method", method, "--budget", "100", "--quiet", "--scores"];
        good(folder.path(), &[&select[..], &["probe.parquet"], &probe].concat());
        good(folder.path(), &[&select[..], &["own.parquet", "--log", "log.parquet"]].concat());
        let check = "SELECT count(*) AS differ FROM (SELECT * FROM 'probe.parquet' EXCEPT SELECT * FROM 'own.parquet')";
        assert_eq!(good(folder.path(), &["sql", "--format", "csv", "-c", check]), "differ\n0\n", "{method}");
    }
}
