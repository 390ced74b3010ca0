//! Lakes that are damaged, or that change meanwhile.

use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use datafusion::prelude::SessionContext;
use limpid_lakes::demo::{self, Plan};
use limpid_lakes::discover;
use limpid_lakes::lake::discover::list_files;
use limpid_lakes::lake::grouping::Kind;
use limpid_lakes::options::{Layout, Names, Options, Stage};
use limpid_lakes::pipeline;
use tempfile::tempdir;

use crate::{compare, pairs, roomy, write};

fn ids(ids: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(ids.to_vec()))
}

#[tokio::test]
async fn damaged_tables_are_named_and_left_out() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("a.parquet"), vec![("id", ids(&[1, 2, 3]))]);
    write(&at("b.parquet"), vec![("id", ids(&[2, 3]))]);
    let whole = fs::read(at("a.parquet")).unwrap();
    fs::write(at("cut.parquet"), &whole[..whole.len() / 2]).unwrap();
    fs::write(at("nothing.parquet"), "").unwrap();
    fs::write(at("text.parquet"), "this is no Parquet file, whatever its name says").unwrap();
    let mut torn = whole.clone();
    torn[4..40].fill(0xAA);
    fs::write(at("torn.parquet"), torn).unwrap();
    write(&at("misfit/part-0.parquet"), vec![("id", ids(&[1]))]);
    write(&at("misfit/part-1.parquet"), vec![("id", Arc::new(StringArray::from(vec!["x"])) as ArrayRef)]);
    fs::create_dir_all(at("delta/_delta_log")).unwrap();
    fs::write(at("delta/_delta_log/00000000000000000000.json"), "{}").unwrap();
    write(&at("delta/part-0.parquet"), vec![("id", ids(&[1]))]);
    let outcome = compare(folder.path(), &Options::default(), &roomy(), 2).await;
    assert_eq!(pairs(&outcome), [("b".to_owned(), "a".to_owned())].into());
    let problems: Vec<(&str, &str)> = outcome.problems.iter().map(|p| (p.table.as_str(), p.reason.as_str())).collect();
    let names: Vec<&str> = problems.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        ["cut.parquet", "delta", "misfit", "nothing.parquet", "text.parquet", "torn.parquet"],
        "{problems:?}"
    );
    for (name, says) in [
        ("misfit", "column `id` is Int64 in misfit/part-0.parquet and Utf8 in misfit/part-1.parquet"),
        ("delta", "Delta"),
        ("cut.parquet", "cut.parquet"),
    ] {
        let (_, reason) = problems.iter().find(|(table, _)| *table == name).unwrap();
        assert!(reason.contains(says), "{name}: {reason}");
    }
    assert_eq!(outcome.problems[1].kind, Kind::Delta);
}

#[tokio::test]
async fn a_table_that_changes_meanwhile_is_left_out() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("a.parquet"), vec![("id", ids(&[1, 2, 3]))]);
    write(&at("b.parquet"), vec![("id", ids(&[2, 3]))]);
    write(&at("c.parquet"), vec![("id", ids(&[3]))]);
    let ctx = SessionContext::new();
    let listed = list_files(&ctx.state(), folder.path().to_str().unwrap()).await.unwrap();
    write(&at("a.parquet"), vec![("id", ids(&[2, 3, 4]))]);
    fs::remove_file(at("c.parquet")).unwrap();
    let outcome = pipeline::run(listed, &Options::default(), &roomy(), 2).await.unwrap();
    assert!(outcome.found.is_empty(), "{:?}", outcome.found);
    let reasons: Vec<&str> = outcome.problems.iter().map(|problem| problem.reason.as_str()).collect();
    assert_eq!(outcome.problems.len(), 2, "{reasons:?}");
}

#[tokio::test]
async fn tables_are_described() {
    let folder = tempdir().unwrap();
    demo::write(folder.path(), &Plan { roots: 1, ..Plan::default() }).unwrap();
    for year in [2024, 2025] {
        let path = folder.path().join(format!("sales/year={year}/part-0.parquet"));
        write(
            &path,
            vec![
                ("id", ids(&[year, year + 1])),
                ("Name", Arc::new(StringArray::from(vec![Some("x"), None])) as ArrayRef),
            ],
        );
    }
    let ctx = SessionContext::new();
    let listed = list_files(&ctx.state(), folder.path().to_str().unwrap()).await.unwrap();
    let lake = discover(listed, Layout::Auto, Names::Fold).await.unwrap();
    assert!(lake.problems.is_empty());
    let sales = lake.tables.iter().find(|table| table.name == "sales").unwrap();
    assert_eq!((sales.kind, sales.rows, sales.files.len()), (Kind::Hive, 4, 2));
    let columns: Vec<_> = sales.columns.iter().map(|c| (&*c.name, &*c.shown, c.stats.nulls)).collect();
    assert_eq!(columns, [("id", "id", Some(0)), ("name", "Name", Some(2)), ("year", "year", Some(0))]);
    assert!(lake.tables.iter().any(|table| table.kind == Kind::Folder && table.files.len() == 2));
    // A partition's value is a column like any other.
    write(
        &folder.path().join("one.parquet"),
        vec![("id", ids(&[2024])), ("year", Arc::new(StringArray::from(vec!["2024"])) as ArrayRef)],
    );
    let outcome = compare(folder.path(), &Options { stage: Stage::Bytes, ..Options::default() }, &roomy(), 2).await;
    assert!(pairs(&outcome).contains(&("one".to_owned(), "sales".to_owned())));
}
