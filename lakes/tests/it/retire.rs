//! Tables set aside and brought back, whatever happens in between.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use limpid_lakes::demo;
use limpid_lakes::lake::discover::{Listed, list_files};
use limpid_lakes::options::{Layout, Names, Options, Stage};
use limpid_lakes::pipeline;
use limpid_lakes::retention::{self, Prices};
use limpid_lakes::retire::{self, Done, PlanFile, exact, pin};
use tempfile::tempdir;

use crate::{roomy, write};

pub(crate) type Files = BTreeMap<String, (SchemaRef, exact::Print)>;

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().unwrap() != "_limpid" {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            found.push(path);
        }
    }
}

/// Every table file of a lake: schema and rows, bit for bit and in their order.
pub(crate) fn files(root: &Path) -> Files {
    let mut paths = vec![];
    walk(root, &mut paths);
    let name = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), exact::print(path).unwrap())).collect()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { assert!(fs::copy(&path, &target).is_ok()) }
    }
}

pub(crate) async fn listed(root: &Path) -> Listed {
    list_files(&SessionContext::new().state(), root.to_str().unwrap()).await.unwrap()
}

/// A plan in which everything goes that can.
pub(crate) async fn plan(root: &Path) -> PlanFile {
    let options = Options::default();
    let outcome = pipeline::run(listed(root).await, &options, &roomy(), 2).await.unwrap();
    let prices = Prices { accesses: 0.0, ..Prices::default() };
    let plan = retention::plan(&outcome, &prices);
    let root = pin::root(&listed(root).await).unwrap();
    PlanFile::new(&outcome, &plan, root, Layout::Auto, Names::Fold).unwrap()
}

pub(crate) async fn apply(root: &Path, plan: &PlanFile) -> Result<Vec<Done>> {
    retire::apply(plan, listed(root).await, &roomy()).await
}

pub(crate) async fn restore(root: &Path, rebuild: bool) -> Result<Vec<Done>> {
    retire::restore(root, &[], rebuild, Some(listed(root).await), &roomy()).await
}

pub(crate) async fn purge(root: &Path, tables: &[String], dry: bool) -> Result<Vec<Done>> {
    retire::purge(root, tables, dry, Some(listed(root).await), &roomy()).await
}

fn columns(ids: &[i64]) -> Vec<(&'static str, ArrayRef)> {
    let names: StringArray = ids.iter().map(|id| (id % 7 != 0).then(|| format!("it's {}", id % 5))).collect();
    let shares: Float64Array =
        ids.iter().map(|id| Some(if id % 9 == 0 { f64::NAN } else { *id as f64 / 8.0 })).collect();
    vec![
        ("id", Arc::new(Int64Array::from(ids.to_vec())) as ArrayRef),
        ("name", Arc::new(names) as ArrayRef),
        ("share", Arc::new(shares) as ArrayRef),
    ]
}

/// A lake of one parent, a range and a sample of it, and a folder of two files.
pub(crate) fn small(root: &Path) {
    let all: Vec<i64> = (0..400).collect();
    let some = |keep: fn(&i64) -> bool| columns(&all.iter().copied().filter(keep).collect::<Vec<_>>());
    write(&root.join("all.parquet"), columns(&all));
    write(&root.join("range.parquet"), some(|id| (50..120).contains(id)));
    write(&root.join("deep/sample.parquet"), some(|id| (id * 7919) % 13 < 4)[..2].to_vec());
    write(&root.join("parts/part-0.parquet"), some(|id| *id < 20));
    write(&root.join("parts/part-1.parquet"), some(|id| id % 11 == 5 && *id >= 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_lake_goes_and_comes_back() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("lake");
    demo::write(&root, &demo::Plan { roots: 3, rows: (30, 500), seed: 7 }).unwrap();
    let before = files(&root);
    let plan = plan(&root).await;
    assert!(plan.retire.len() > 30);
    plan.write(&folder.path().join("plan.json")).unwrap();
    // Costs lose their last digit on the way.
    let read = PlanFile::read(&folder.path().join("plan.json")).unwrap();
    assert_eq!((&read.tables, read.retire.len()), (&plan.tables, plan.retire.len()));
    for rebuild in [false, true] {
        let done = apply(&root, &plan).await.unwrap();
        let kept: Vec<_> = done.iter().filter(|done| !done.done).collect();
        let queries = done.iter().filter(|done| done.says.starts_with("SELECT")).count();
        println!("{} set aside, {queries} by a query, {kept:?}", done.len() - kept.len());
        assert!(kept.len() * 10 < done.len(), "{done:?}");
        let here = files(&root);
        assert_eq!(here.len(), before.len() - gone(&plan, &done));
        // As after a run that was cut short: what went is said to have gone, and nothing that is left points at it.
        let again = apply(&root, &plan).await.unwrap();
        let went = |all: &[Done]| all.iter().filter(|done| done.done).map(|d| d.table.clone()).collect::<BTreeSet<_>>();
        assert_eq!(went(&again), went(&done));
        assert!(again.iter().filter(|done| done.done).all(|done| done.says.starts_with("before: ")), "{again:?}");
        assert_eq!(files(&root), here);
        if rebuild {
            let freed = purge(&root, &[], false).await.unwrap();
            assert!(freed.len() == done.len() - kept.len() && freed.iter().all(|done| done.done), "{freed:?}");
        }
        let back = restore(&root, false).await.unwrap();
        assert!(back.iter().all(|done| done.done), "{back:?}");
        assert!(back.iter().all(|done| done.says.starts_with("rebuilt") == rebuild), "{back:?}");
        assert_eq!(files(&root), before);
        if rebuild {
            break;
        }
    }
    // What was rebuilt has the same rows, so the lake looks the same to a comparison too.
    let options = Options { stage: Stage::Exact, ..Options::default() };
    let outcome = pipeline::run(listed(&root).await, &options, &roomy(), 2).await.unwrap();
    assert!(outcome.problems.is_empty() && outcome.found.len() > 100);
}

/// Files of the tables that were set aside.
fn gone(plan: &PlanFile, done: &[Done]) -> usize {
    done.iter().filter(|done| done.done).map(|done| plan.tables[&done.table].len()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_since_the_plan_stays() {
    let all: Vec<i64> = (0..401).collect();
    let check = |change: fn(&Path), says: &'static [&'static str]| async move {
        let folder = tempdir().unwrap();
        let root = folder.path().join("lake");
        small(&root);
        let plan = plan(&root).await;
        change(&root);
        let paths = |root: &Path| {
            let mut found = vec![];
            walk(root, &mut found);
            found.into_iter().collect::<BTreeSet<_>>()
        };
        let before = paths(&root);
        let done = apply(&root, &plan).await.unwrap();
        let refused: Vec<&Done> = done.iter().filter(|done| !done.done).collect();
        for word in says {
            assert!(refused.iter().any(|done| done.says.contains(word)), "{word}: {done:?}");
        }
        let went: usize = gone(&plan, &done);
        assert_eq!(paths(&root).len() + went, before.len());
        refused.len()
    };
    // The parent of all: nothing goes.
    let changed = check(
        |root| write(&root.join("all.parquet"), columns(&(0..401).collect::<Vec<_>>())),
        &["all.parquet: all.parquet was changed since the plan"],
    )
    .await;
    assert_eq!(changed, 3);
    let cut = |root: &Path| {
        let bytes = fs::read(root.join("all.parquet")).unwrap();
        fs::write(root.join("all.parquet"), &bytes[..bytes.len() / 2]).unwrap();
    };
    assert_eq!(check(cut, &["all.parquet cannot be read"]).await, 3);
    assert_eq!(check(|root| fs::remove_file(root.join("all.parquet")).unwrap(), &["gone since the plan"]).await, 3);
    // A child: it stays, the others go.
    let more = |root: &Path| write(&root.join("range.parquet"), columns(&[1, 2, 3]));
    assert_eq!(check(more, &["range.parquet was changed since the plan"]).await, 1);
    let extra = |root: &Path| write(&root.join("parts/part-2.parquet"), columns(&[1]));
    assert_eq!(check(extra, &["its files changed since the plan"]).await, 1);
    // Damage that leaves size and footer: only the time of change tells, or the data themselves.
    let torn = |root: &Path| {
        let path = root.join("all.parquet");
        let mut bytes = fs::read(&path).unwrap();
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        bytes[4..60].fill(0xAA);
        fs::write(&path, bytes).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    };
    assert_eq!(check(torn, &[]).await, 3);
    assert_eq!(all.len(), 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_by_value_is_not_enough() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("lake");
    let zeros = |zero: f64, rows: usize| vec![("x", Arc::new(Float64Array::from(vec![zero; rows])) as ArrayRef)];
    write(&root.join("all.parquet"), zeros(0.0, 5));
    write(&root.join("some.parquet"), zeros(-0.0, 3));
    write(&root.join("same.parquet"), zeros(0.0, 2));
    let before = files(&root);
    let plan = plan(&root).await;
    assert_eq!(plan.retire.len(), 2);
    let done = apply(&root, &plan).await.unwrap();
    let some = done.iter().find(|done| done.table == "some.parquet").unwrap();
    assert!(!some.done && some.says.contains("has not 3 of its 3 rows bit for bit"), "{some:?}");
    assert!(done.iter().any(|done| done.done));
    restore(&root, true).await.unwrap();
    assert_eq!(files(&root), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_over() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("lake");
    small(&root);
    let plan = plan(&root).await;
    apply(&root, &plan).await.unwrap();
    write(&root.join("range.parquet"), columns(&[7]));
    let back = restore(&root, false).await.unwrap();
    let range = back.iter().find(|done| done.table == "range.parquet").unwrap();
    assert!(!range.done && range.says.contains("something else is at range.parquet"), "{range:?}");
    fs::remove_file(root.join("range.parquet")).unwrap();
    // A source that changed after the originals were deleted: named, and what is there stays.
    purge(&root, &[], false).await.unwrap();
    write(&root.join("all.parquet"), columns(&[1, 2]));
    let back = restore(&root, false).await.unwrap();
    assert!(!back[0].done && back[0].says.contains("its source all.parquet is not what it was"), "{back:?}");
}
