//! Tables that were purged come back although the table that has their rows grew, was compacted, moved or lost a part.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use limpid_lakes::discover;
use limpid_lakes::options::{Layout, Names};
use limpid_lakes::retire::{Done, dependents};
use tempfile::tempdir;

use crate::retire::{Files, apply, files, listed, plan, purge, restore};
use crate::write;

fn rows(ids: impl IntoIterator<Item = i64>) -> Vec<(&'static str, ArrayRef)> {
    let ids: Vec<i64> = ids.into_iter().collect();
    let texts: StringArray = ids.iter().map(|id| (id % 7 != 0).then(|| format!("row {id}"))).collect();
    let shares: Float64Array = ids.iter().map(|id| if id % 5 == 0 { -0.0 } else { *id as f64 / 3.0 }).collect();
    vec![("id", Arc::new(Int64Array::from(ids)) as ArrayRef), ("text", Arc::new(texts)), ("share", Arc::new(shares))]
}

/// A parent of two files, and children that are a range, a sample out of order with repeated rows, and of two columns.
fn lake(root: &Path) {
    write(&root.join("all/part-1.parquet"), rows(0..300));
    write(&root.join("all/part-2.parquet"), rows(300..600));
    write(&root.join("range.parquet"), rows(100..400));
    write(&root.join("sample.parquet"), rows((0..200).map(|n| n * 7919 % 600)));
    write(&root.join("narrow.parquet"), rows((0..90).map(|n| n * 5))[..2].to_vec());
}

const CHILDREN: [&str; 3] = ["narrow.parquet", "range.parquet", "sample.parquet"];

/// The children are set aside, `before` happens, they are purged, `after` happens, and they are restored.
async fn lives(before: impl Fn(&Path), after: impl Fn(&Path)) -> (Vec<Done>, Vec<Done>) {
    let folder = tempdir().unwrap();
    let root = folder.path().join("lake");
    lake(&root);
    let then = children(&files(&root));
    let plan = plan(&root).await;
    let done = apply(&root, &plan).await.unwrap();
    assert!(done.len() == 3 && done.iter().all(|done| done.done), "{done:?}");
    before(&root);
    let purged = purge(&root, &[], false).await.unwrap();
    after(&root);
    let back = restore(&root, false).await.unwrap();
    if back.iter().all(|done| done.done) {
        assert_eq!(children(&files(&root)), then);
    }
    (purged, back)
}

fn children(files: &Files) -> Files {
    files
        .iter()
        .filter(|(name, _)| CHILDREN.contains(&name.as_str()))
        .map(|(name, file)| (name.clone(), file.clone()))
        .collect()
}

fn nothing(_: &Path) {}

/// Rows before, between and after the others, which meet the conditions of the range too.
fn append(root: &Path) {
    write(&root.join("all/part-0.parquet"), rows(100..350));
    write(&root.join("all/part-15.parquet"), rows(90..120));
    write(&root.join("all/part-3.parquet"), rows(0..1000));
}

fn compact(root: &Path) {
    fs::remove_file(root.join("all/part-1.parquet")).unwrap();
    fs::remove_file(root.join("all/part-2.parquet")).unwrap();
    write(&root.join("all/part-7.parquet"), rows((0..700).rev()));
}

fn all_done(done: &[Done]) {
    assert!(done.len() == 3 && done.iter().all(|done| done.done), "{done:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_appended_to_a_parent_lose_no_child() {
    let (purged, back) = lives(nothing, append).await;
    all_done(&purged);
    all_done(&back);
    // By its recipe, from the files that it names.
    assert!(back.iter().all(|done| !done.says.contains("were found in")), "{back:?}");
    let (purged, back) = lives(append, nothing).await;
    all_done(&purged);
    all_done(&back);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_that_is_written_anew_loses_no_child() {
    let (_, back) = lives(nothing, compact).await;
    all_done(&back);
    assert!(back.iter().all(|done| done.says.contains("its rows were found in all")), "{back:?}");
    // While the originals are there, they stay.
    let (purged, back) = lives(compact, nothing).await;
    assert!(purged.iter().all(|done| !done.done && done.says.contains("all is not what it was")), "{purged:?}");
    all_done(&back);
    assert!(back.iter().all(|done| done.says == "the original"), "{back:?}");
    // A part of the rows is elsewhere, and columns are of other types.
    let scatter = |root: &Path| {
        fs::remove_dir_all(root.join("all")).unwrap();
        write(&root.join("old/first.parquet"), rows(0..250));
        let mut wide = rows(250..600);
        wide[0].1 = Arc::new(StringArray::from_iter_values((250..600).map(|id| id.to_string())));
        wide.push(("more", Arc::new(Int64Array::from_iter_values(0..350))));
        write(&root.join("new.parquet"), wide);
    };
    let (_, back) = lives(nothing, scatter).await;
    all_done(&back);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parent_that_is_deleted_is_named_and_what_can_be_is_saved() {
    let (_, back) = lives(nothing, |root| {
        fs::remove_file(root.join("all/part-2.parquet")).unwrap();
        write(&root.join("other.parquet"), rows(295..400));
    })
    .await;
    let (good, bad): (Vec<&Done>, Vec<&Done>) = back.iter().partition(|done| done.done);
    assert!(good.len() == 1 && good[0].table == "range.parquet", "{back:?}");
    assert!(bad.iter().all(|done| done.says.contains("part-2.parquet is gone")), "{bad:?}");
    assert!(bad.iter().all(|done| done.says.contains("rows are in no table of the lake any more")), "{bad:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_are_rebuilt_from_stays() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("lake");
    lake(&root);
    apply(&root, &plan(&root).await).await.unwrap();
    purge(&root, &[], false).await.unwrap();
    // A larger table of the same rows: the parent could go, were nothing rebuilt from it.
    write(&root.join("larger.parquet"), rows(0..900));
    assert_eq!(plan(&root).await.retire, []);
    let lake = discover(listed(&root).await, Layout::Auto, Names::Fold).await.unwrap();
    let all = lake.tables.iter().find(|table| table.name == "all").unwrap();
    let why = "it is what narrow.parquet, range.parquet, sample.parquet is rebuilt from";
    assert_eq!(all.why_it_stays(), Some(why));
    // Seen as a lake of its own, it stays too.
    write(&root.join("all/larger/x.parquet"), rows(0..900));
    let inner = discover(listed(&root.join("all")).await, Layout::File, Names::Fold).await.unwrap();
    let held = inner.tables.iter().filter(|table| table.held.is_some()).count();
    assert_eq!((inner.tables.len(), held), (3, 2));
    fs::remove_dir_all(root.join("all/larger")).unwrap();
    let asides = dependents::all(&root);
    assert!(asides.len() == 3 && asides.iter().all(|aside| !aside.original && aside.changed(&root).unwrap().is_none()));
    compact(&root);
    assert!(dependents::all(&root).iter().all(|aside| aside.changed(&root).unwrap().is_some()));
    let back = restore(&root, false).await.unwrap();
    all_done(&back);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_purge_deletes_nothing() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("lake");
    lake(&root);
    apply(&root, &plan(&root).await).await.unwrap();
    let done = purge(&root, &[], true).await.unwrap();
    all_done(&done);
    assert!(dependents::all(&root).iter().all(|aside| aside.original));
    let named = ["nothing.parquet".to_owned()];
    let done = purge(&root, &named, true).await.unwrap();
    assert!(done.len() == 1 && !done[0].done && done[0].says == "it is not set aside", "{done:?}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_frees_no_file_that_has_another_name() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("lake");
    lake(&root);
    let size = |name: &str| fs::metadata(root.join(name)).unwrap().len();
    let sizes = CHILDREN.map(size);
    apply(&root, &plan(&root).await).await.unwrap();
    let original = dependents_file(&root, "range.parquet");
    fs::hard_link(original, folder.path().join("mine.parquet")).unwrap();
    for dry in [true, false] {
        let done = purge(&root, &[], dry).await.unwrap();
        let bytes: Vec<_> = done.iter().map(|done| (done.table.as_str(), done.bytes)).collect();
        assert_eq!(bytes, [(CHILDREN[0], sizes[0]), (CHILDREN[1], 0), (CHILDREN[2], sizes[2])], "{done:?}");
    }
}

/// Where the original of a table is that is set aside.
#[cfg(unix)]
fn dependents_file(root: &Path, name: &str) -> std::path::PathBuf {
    let entries = fs::read_dir(root.join("_limpid/retired")).unwrap();
    let mut files = entries.map(|entry| entry.unwrap().path().join("files").join(name));
    files.find(|file| file.exists()).unwrap()
}
