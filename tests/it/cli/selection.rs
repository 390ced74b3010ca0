//! `limpid recipes`, `limpid select` and `limpid evaluate`.

use std::fs;

use super::{bad, folder, good, run};

/// 400 rows of two classes that the first of two numbers tells apart; every twentieth has the wrong label.
const POINTS: &str = "COPY (SELECT id, 'row ' || id AS text, [x, y] AS vector, CASE WHEN id % 20 = 7 THEN 1 - class ELSE class END AS label, \
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
    assert!(good(folder.path(), &["recipes", "show", "ccs"]).contains("-- param beta number 0.1 in 0..1:"));
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
    for part in
        ["<svg", "Strata with their budgets", "Other budgets", "Most valuable", "row ", "WITH scores AS", "10.0%"]
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
    assert!(error(&["--method", "exact_dedup", "--fraction", "0.5"]).contains("has no parameter `fraction`"));
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
    let error = bad(folder.path(), &["evaluate", "points.parquet", "--methods", "semdedup"]);
    assert!(error.contains("has no parameter `fraction`"), "{error}");
}
