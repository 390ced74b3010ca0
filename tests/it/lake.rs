//! `limpid lake`, from a shell.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

fn limpid(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let ended = Command::new(env!("CARGO_BIN_EXE_limpid")).current_dir(folder).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}

#[test]
fn a_lake_is_made_listed_and_compared() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let (code, out, err) = limpid(at, &["lake", "demo", "made", "--roots", "2"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let tables: usize = out.split(' ').next().unwrap().parse().unwrap();
    assert!(tables > 40, "{out}");
    let (code, _, err) = limpid(at, &["lake", "demo", "made"]);
    assert!(code == Some(1) && err.contains("made is not empty"), "{err}");

    let (code, out, err) = limpid(at, &["lake", "scan", "made", "--format", "csv"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out.lines().count(), tables + 1);
    let (_, out, _) = limpid(at, &["lake", "scan", "made"]);
    assert!(out.contains("| r000/root.parquet ") && !out.contains("| columns"), "{out}");

    let (code, out, err) = limpid(at, &["lake", "containment", "made", "--format", "csv"]);
    assert_eq!(code, Some(0), "{err}");
    let pairs = out.lines().count() - 1;
    assert!(out.contains("r000/01_copy.parquet,r000/root.parquet,hash-exact,1.0,"), "{out}");
    assert!(err.contains("contained") && err.contains("tables and"), "{err}");
    let (code, out, err) = limpid(at, &["-q", "lake", "containment", "made", "--json"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(found["edges"].as_array().unwrap().len(), pairs);
    assert_eq!(found["stages"]["contained"], pairs);

    std::fs::write(at.join("prices.yaml"), "accesses: 0.01\nuses:\n  r000/root.parquet: 50\n").unwrap();
    let (code, out, err) = limpid(at, &["lake", "plan", "made", "--prices", "prices.yaml", "--format", "csv"]);
    assert!(code == Some(0) && err.contains("at most 0.00% above the optimum"), "{err}");
    assert!(out.contains("r000/01_copy.parquet,rebuild,") && out.contains(",hash-exact,"), "{out}");
    std::fs::write(at.join("wrong.yaml"), "storage: -1\n").unwrap();
    let (code, _, err) = limpid(at, &["lake", "plan", "made", "--prices", "wrong.yaml"]);
    assert!(code == Some(1) && err.contains("`storage` must be a number from 0 to 1000000000000, not -1"), "{err}");

    // What the program says is what SQL says.
    let sql = "SELECT count(*) AS n FROM table_containment('made') WHERE state = 'hash-exact'";
    let (_, out, _) = limpid(at, &["sql", "--format", "csv", "-c", sql]);
    assert_eq!(out, format!("n\n{pairs}\n"));
}

#[test]
fn tables_go_and_come_back() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    limpid(at, &["lake", "demo", "made", "--roots", "1"]);
    let listed = || limpid(at, &["lake", "scan", "made", "--format", "csv"]).1;
    let before = listed();
    std::fs::write(at.join("prices.yaml"), "accesses: 0\n").unwrap();
    let plan = ["lake", "plan", "made", "--prices", "prices.yaml", "--save", "plan.json", "--report", "page.html"];
    let (code, _, err) = limpid(at, &plan);
    assert_eq!(code, Some(0), "{err}");
    let page = std::fs::read_to_string(at.join("page.html")).unwrap();
    assert!(page.contains("<svg ") && page.contains("r000/01_copy.parquet"), "{page}");
    let (code, out, err) = limpid(at, &["lake", "apply", "plan.json"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let gone = out.lines().count();
    assert!(gone > 10 && out.contains(": set aside ("), "{out}");
    assert_eq!(listed().lines().count() + gone, before.lines().count());
    let (code, _, err) = limpid(at, &["lake", "apply", "plan.json"]);
    assert_eq!(code, Some(0), "{err}");
    let (code, out, err) = limpid(at, &["lake", "scan", "made", "--format", "csv"]);
    assert!(
        code == Some(0) && out.lines().next().is_some_and(|head| head.ends_with(",problem,needed_by")),
        "{out}{err}"
    );
    assert!(out.lines().any(|line| line.contains("\"r000/01_copy.parquet, r000/02_reorder_rows.parquet, ")), "{out}");
    let (code, out, err) = limpid(at, &["lake", "restore", "made", "r000/01_copy.parquet"]);
    assert!(code == Some(0) && out == "r000/01_copy.parquet: brought back (the original)\n", "{out}{err}");
    let (code, out, err) = limpid(at, &["lake", "purge", "made"]);
    assert!(code == Some(2) && out.is_empty() && err.contains("add --yes, or --dry-run"), "{out}{err}");
    let (code, out, err) = limpid(at, &["lake", "purge", "made", "--dry-run"]);
    assert!(
        code == Some(0) && out.lines().filter(|line| line.contains(": would be freed (")).count() == gone - 1,
        "{err}"
    );
    let (code, out, err) = limpid(at, &["lake", "purge", "made", "--yes"]);
    assert!(code == Some(0) && out.lines().count() == gone - 1, "{out}{err}");
    let (code, out, err) = limpid(at, &["lake", "restore", "made"]);
    assert!(code == Some(0) && out.lines().all(|line| line.contains("brought back (rebuilt: ")), "{out}{err}");
    assert_eq!(listed().lines().count(), before.lines().count());

    let kept = ["-q", "lake", "containment", "made", "--update", "--json"];
    let (first, second) = (limpid(at, &kept).1, limpid(at, &kept).1);
    let [first, second] = [first, second].map(|text| serde_json::from_str::<serde_json::Value>(&text).unwrap());
    assert_eq!(first["edges"].as_array().unwrap().len(), second["edges"].as_array().unwrap().len());
    assert!(first["bytes_read"].as_u64().unwrap() > 0 && second["bytes_read"] == 0);
    let (code, out, err) = limpid(at, &["lake", "containment", "made", "--renamed", "--format", "csv"]);
    assert!(code == Some(0) && out.contains("_rename.parquet,r000/root.parquet,hash-exact,"), "{out}{err}");
}

#[test]
fn rows_are_shown_where_columns_are_nested() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let all = "COPY (SELECT value AS id, 'p' || value AS name, named_struct('lat', value * 2) AS place FROM range(40)) \
               TO 'nested/all.parquet'";
    let some = "COPY (SELECT * FROM 'nested/all.parquet' WHERE id < 30) TO 'nested/some.parquet'";
    for sql in [all, some] {
        let (code, _, err) = limpid(at, &["-q", "sql", "-c", sql]);
        assert_eq!(code, Some(0), "{err}");
    }
    std::fs::write(at.join("prices.yaml"), "accesses: 0\n").unwrap();
    let (code, _, err) = limpid(at, &["lake", "plan", "nested", "--prices", "prices.yaml", "--report", "page.html"]);
    assert_eq!(code, Some(0), "{err}");
    let page = std::fs::read_to_string(at.join("page.html")).unwrap();
    // The same rows on both sides.
    assert_eq!(page.matches("<td>p3</td>").count(), 2, "{page}");
}

#[test]
fn mistakes_are_named() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let (code, _, err) = limpid(at, &["lake", "restore", "nowhere"]);
    assert!(code == Some(1) && err.contains("there is no folder"), "{err}");
    std::fs::write(at.join("plan.json"), "{}").unwrap();
    let (code, _, err) = limpid(at, &["lake", "apply", "plan.json"]);
    assert!(code == Some(1) && err.contains("plan.json is no plan of a lake"), "{err}");
    let (code, _, err) = limpid(at, &["lake", "scan", "nowhere"]);
    assert!(code == Some(1) && err.contains("no file matches"), "{err}");
    for (args, says) in [
        (&["lake", "containment", "x", "--stage", "guess"][..], "possible values"),
        (&["lake", "containment", "x", "--threshold", "0"], "from 0.01 to 1"),
        (&["lake", "containment", "x", "--stage", "bytes", "--threshold", "0.9"], "--threshold at 1"),
        (&["lake", "containment", "x", "--renamed", "--stage", "minmax"], "--renamed needs"),
        (&["lake"], "Usage"),
    ] {
        let (code, _, err) = limpid(at, args);
        assert!(code == Some(2) && err.contains(says), "{args:?}: {err}");
    }
}

#[cfg(unix)]
#[test]
fn links_and_tables_of_other_formats_are_named() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let copy = |name: &str, rows: usize| {
        let sql = format!("COPY (SELECT value AS id FROM range({rows})) TO '{name}'");
        assert_eq!(limpid(at, &["sql", "-c", &sql]).0, Some(0));
    };
    copy("lake/real.parquet", 3);
    copy("lake/orders/part-0.parquet", 3);
    std::fs::create_dir(at.join("lake/orders/_delta_log")).unwrap();
    std::fs::write(at.join("lake/orders/_delta_log/00000000000000000000.json"), "{}").unwrap();
    std::os::unix::fs::symlink("real.parquet", at.join("lake/a_link.parquet")).unwrap();
    std::os::unix::fs::symlink("..", at.join("lake/orders/up")).unwrap();
    let (code, out, err) = limpid(at, &["lake", "plan", "lake", "--save", "plan.json", "--format", "csv"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("real.parquet,keep,") && !out.contains("a_link"), "{out}");
    assert!(err.contains("a_link.parquet left out: a link to real.parquet"), "{err}");
    assert!(err.contains("orders left out: a Delta table") && err.contains("is a link back to"), "{err}");
    for from in ["lake/orders", "lake/orders/*.parquet", "lake/**/*.parquet"] {
        let (code, _, err) = limpid(at, &["sql", "-c", &format!("SELECT count(*) FROM '{from}'")]);
        assert!(code == Some(1) && err.contains("lake/orders is a Delta table"), "{from}: {err}");
    }
}
