//! Delta tables: what their logs say counts, whatever lies in their folders.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use delta_kernel_default_engine::DefaultEngineBuilder;
use delta_kernel_default_engine::executor::tokio::TokioMultiThreadExecutor;
use limpid_lakes::discover;
use limpid_lakes::lake::discover::list_files;
use limpid_lakes::lake::{Kind, Lake};
use limpid_lakes::options::{Layout, Names, Options, Stage};
use limpid_lakes::retention::{self, Prices};
use limpid_lakes::retire::{self, pin::PlanFile};
use limpid_lakes::{pipeline, state};
use object_store::ObjectStoreExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use roaring::RoaringTreemap;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::{compare, pairs, roomy, write};

fn ids(ids: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(ids))
}

/// A Delta table that a test writes action by action.
struct Table {
    folder: PathBuf,
    version: u64,
}

impl Table {
    fn new(folder: PathBuf, fields: &[Value], partitions: &[&str], protocol: Value, configuration: Value) -> Self {
        fs::create_dir_all(folder.join("_delta_log")).unwrap();
        let mut table = Self { folder, version: 0 };
        table.commit(&[json!({ "protocol": protocol }), metadata(fields, partitions, configuration)]);
        table
    }

    /// Of one column `id`.
    fn of_ids(folder: PathBuf) -> Self {
        Self::new(folder, &[field("id", "long")], &[], old(), json!({}))
    }

    fn commit(&mut self, actions: &[Value]) {
        let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
        fs::write(self.folder.join(format!("_delta_log/{:020}.json", self.version)), lines.join("\n")).unwrap();
        self.version += 1;
    }

    /// Writes a file, and gives the action that adds it.
    fn file(&self, name: &str, columns: Vec<(&str, ArrayRef)>, partition: Value) -> Value {
        let path = self.folder.join(name);
        write(&path, columns);
        let size = fs::metadata(&path).unwrap().len();
        json!({ "add": {
            "path": name.replace(' ', "%20"), "partitionValues": partition, "size": size, "modificationTime": 0, "dataChange": true,
        } })
    }
}

fn old() -> Value {
    json!({ "minReaderVersion": 1, "minWriterVersion": 2 })
}

fn with(features: &[&str]) -> Value {
    json!({ "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features })
}

fn field(name: &str, kind: &str) -> Value {
    json!({ "name": name, "type": kind, "nullable": true, "metadata": {} })
}

fn metadata(fields: &[Value], partitions: &[&str], configuration: Value) -> Value {
    let schema = json!({ "type": "struct", "fields": fields }).to_string();
    json!({ "metaData": {
        "id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9", "format": { "provider": "parquet", "options": {} },
        "schemaString": schema, "partitionColumns": partitions, "configuration": configuration, "createdTime": 0,
    } })
}

fn remove(path: &str) -> Value {
    json!({ "remove": { "path": path, "deletionTimestamp": 1, "dataChange": true } })
}

async fn lake(root: &Path) -> Lake {
    let listed = list_files(&SessionContext::new().state(), root.to_str().unwrap()).await.unwrap();
    discover(listed, Layout::Auto, Names::Fold).await.unwrap()
}

async fn found(root: &Path) -> Vec<(String, String)> {
    let outcome = compare(root, &Options { stage: Stage::Bytes, ..Options::default() }, &roomy(), 2).await;
    assert!(outcome.problems.is_empty(), "{:?}", outcome.problems);
    pairs(&outcome).into_iter().collect()
}

fn named(edges: &[(&str, &str)]) -> Vec<(String, String)> {
    edges.iter().map(|(child, parent)| ((*child).to_owned(), (*parent).to_owned())).collect()
}

/// Files of ids 0 to 9, 10 to 19 and 20 to 29, the first of which was removed and still lies there.
fn three_versions(root: &Path) -> Table {
    let mut table = Table::of_ids(root.join("events"));
    let first = table.file("part 0.parquet", vec![("id", ids(0..10))], json!({}));
    let second = table.file("part-1.parquet", vec![("id", ids(10..20))], json!({}));
    table.commit(&[first, second]);
    let third = table.file("part-2.parquet", vec![("id", ids(20..30))], json!({}));
    table.commit(&[remove("part%200.parquet"), third]);
    write(&root.join("gone.parquet"), vec![("id", ids(0..10))]);
    write(&root.join("some.parquet"), vec![("id", ids(12..24))]);
    write(&root.join("all.parquet"), vec![("id", ids(5..40))]);
    table
}

const EDGES: [(&str, &str); 3] = [("events", "all"), ("some", "all"), ("some", "events")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_says_which_files_count() {
    let folder = tempdir().unwrap();
    three_versions(folder.path());
    // No file of the table, though its ending says so: it was never added.
    write(&folder.path().join("events/stray.parquet"), vec![("id", ids(100..200))]);
    let lake = lake(folder.path()).await;
    assert!(lake.problems.is_empty(), "{:?}", lake.problems);
    let events = lake.tables.iter().find(|table| table.name == "events").unwrap();
    assert_eq!((events.kind, events.rows, events.files.len(), events.version), (Kind::Delta, 20, 2, Some(2)));
    assert_eq!(found(folder.path()).await, named(&EDGES));
}

#[tokio::test]
async fn logs_are_read_through_the_store_of_the_session() {
    let folder = tempdir().unwrap();
    three_versions(folder.path());
    let store = Arc::new(InMemory::new());
    let mut left = vec![folder.path().to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let name = path.strip_prefix(folder.path()).unwrap().to_str().unwrap();
            let to = ObjectPath::from(format!("a lake/{name}"));
            store.put(&to, fs::read(&path).unwrap().into()).await.unwrap();
        }
    }
    let ctx = SessionContext::new();
    ctx.register_object_store(&"s3://far".parse().unwrap(), store);
    let listed = list_files(&ctx.state(), "s3://far/a lake").await.unwrap();
    let outcome = pipeline::run(listed, &Options::default(), &roomy(), 2).await.unwrap();
    assert!(outcome.problems.is_empty(), "{:?}", outcome.problems);
    assert_eq!(pairs(&outcome).into_iter().collect::<Vec<_>>(), named(&EDGES));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_stands_for_the_log_before_it() {
    let folder = tempdir().unwrap();
    let mut table = three_versions(folder.path());
    let root = format!("file://{}/", table.folder.display());
    let executor = TokioMultiThreadExecutor::new(tokio::runtime::Handle::current());
    let engine =
        DefaultEngineBuilder::new(Arc::new(LocalFileSystem::new())).with_task_executor(Arc::new(executor)).build();
    tokio::task::block_in_place(|| {
        delta_kernel::Snapshot::builder_for(&root).build(&engine).unwrap().checkpoint(&engine, None).unwrap();
    });
    for version in 0..table.version {
        fs::remove_file(table.folder.join(format!("_delta_log/{version:020}.json"))).unwrap();
    }
    assert_eq!(found(folder.path()).await, named(&EDGES));
    let more = table.file("part-3.parquet", vec![("id", ids(100..101))], json!({}));
    table.commit(&[more, remove("part-1.parquet")]);
    assert_eq!(found(folder.path()).await, named(&[("some", "all")]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_of_partitions_have_the_types_of_the_schema() {
    let folder = tempdir().unwrap();
    let fields = [
        field("id", "long"),
        field("day", "date"),
        field("hour", "integer"),
        field("at", "timestamp"),
        field("late", "string"),
    ];
    let mut table = Table::new(folder.path().join("events"), &fields, &["day", "hour", "at"], old(), json!({}));
    let first = table.file(
        "day=2024-01-02/a.parquet",
        vec![("id", ids([1, 2]))],
        json!({ "day": "2024-01-02", "hour": "7", "at": "2024-01-02 00:00:01" }),
    );
    let second = table.file(
        "day=x/b.parquet",
        vec![("id", ids([3])), ("late", Arc::new(StringArray::from(vec!["x"])) as ArrayRef)],
        json!({ "day": null, "hour": "", "at": "2024-01-02T01:00:02.000000+01:00" }),
    );
    table.commit(&[first, second]);
    // Midnight of the second of January 2024, as days and as microseconds.
    let (day, midnight) = (19_724, 1_704_153_600_000_000);
    let plain = |late: Vec<Option<&str>>| -> Vec<(&str, ArrayRef)> {
        let at =
            TimestampMicrosecondArray::from(vec![midnight + 1_000_000, midnight + 1_000_000, midnight + 2_000_000]);
        vec![
            ("id", ids([1, 2, 3])),
            ("day", Arc::new(Date32Array::from(vec![Some(day), Some(day), None]))),
            ("hour", Arc::new(Int32Array::from(vec![Some(7), Some(7), None]))),
            ("at", Arc::new(at.with_timezone("UTC"))),
            ("late", Arc::new(StringArray::from(late))),
        ]
    };
    write(&folder.path().join("same.parquet"), plain(vec![None, None, Some("x")]));
    write(&folder.path().join("other.parquet"), plain(vec![None, None, Some("y")]));
    write(&folder.path().join("hours.parquet"), vec![("hour", Arc::new(Int64Array::from(vec![7])) as ArrayRef)]);
    write(&folder.path().join("texts.parquet"), vec![("hour", Arc::new(StringArray::from(vec!["7"])) as ArrayRef)]);
    let edges = [("events", "same"), ("hours", "events"), ("hours", "other"), ("hours", "same"), ("same", "events")];
    assert_eq!(found(folder.path()).await, named(&edges));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_rows_do_not_count() {
    let folder = tempdir().unwrap();
    let mut table =
        Table::new(folder.path().join("events"), &[field("id", "long")], &[], with(&["deletionVectors"]), json!({}));
    let mut whole = table.file("part-0.parquet", vec![("id", ids(0..10))], json!({}));
    let mut bytes = 1_681_511_377_u32.to_le_bytes().to_vec();
    RoaringTreemap::from_iter([0, 9]).serialize_into(&mut bytes).unwrap();
    whole["add"]["deletionVector"] = json!({
        "storageType": "i", "pathOrInlineDv": z85(&bytes), "sizeInBytes": bytes.len(), "cardinality": 2,
    });
    table.commit(&[whole]);
    write(&folder.path().join("left.parquet"), vec![("id", ids(1..9))]);
    write(&folder.path().join("first.parquet"), vec![("id", ids(0..1))]);
    // The bounds of the file are 0 and 9: they must not speak against this parent.
    assert_eq!(found(folder.path()).await, named(&[("events", "left"), ("left", "events")]));
    let options = Options::default();
    for _ in 0..2 {
        let listed = list_files(&SessionContext::new().state(), folder.path().to_str().unwrap()).await.unwrap();
        let outcome = pipeline::update(listed, &options, &roomy(), 2, folder.path()).await.unwrap();
        assert_eq!(pairs(&outcome).len(), 2);
    }
}

/// Base 85 as ZeroMQ writes it.
fn z85(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    let digits = |four: &[u8]| {
        let number = u32::from_be_bytes(four.try_into().unwrap());
        (0..5).rev().map(move |place| DIGITS[(number / 85_u32.pow(place) % 85) as usize] as char)
    };
    bytes.chunks(4).flat_map(digits).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_that_the_files_call_otherwise() {
    let folder = tempdir().unwrap();
    let mapped = |name: &str, physical: &str, id: u32| {
        json!({ "name": name, "type": "long", "nullable": true, "metadata": {
            "delta.columnMapping.id": id, "delta.columnMapping.physicalName": physical,
        } })
    };
    let mode = |mode: &str| json!({ "delta.columnMapping.mode": mode, "delta.columnMapping.maxColumnId": "3" });
    let protocol = json!({ "minReaderVersion": 2, "minWriterVersion": 5 });
    // `b` was dropped, and another column took its name.
    let fields = [mapped("a", "a", 1), mapped("b", "col-7", 3)];
    let mut table = Table::new(folder.path().join("names"), &fields, &[], protocol.clone(), mode("name"));
    let file = table.file("x.parquet", vec![("a", ids([1])), ("b", ids([2])), ("col-7", ids([3]))], json!({}));
    table.commit(&[file]);
    write(&folder.path().join("plain.parquet"), vec![("a", ids([1])), ("b", ids([3]))]);
    assert_eq!(found(folder.path()).await, named(&[("names", "plain"), ("plain", "names")]));
    Table::new(folder.path().join("numbers"), &fields, &[], protocol, mode("id"));
    let problems = lake(folder.path()).await.problems;
    assert!(problems.len() == 1 && problems[0].reason.contains("column mapping `id`"), "{problems:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_named() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let ids_only = [field("id", "long")];
    Table::new(at("future"), &ids_only, &[], with(&["holograms"]), json!({}));
    let mut table = Table::of_ids(at("lost"));
    let file = table.file("x.parquet", vec![("id", ids([1]))], json!({}));
    table.commit(&[file]);
    fs::remove_file(at("lost/x.parquet")).unwrap();
    let mut table = Table::of_ids(at("other"));
    let file = table.file("x.parquet", vec![("id", ids([1]))], json!({}));
    table.commit(&[file]);
    write(&at("other/x.parquet"), vec![("id", ids(0..9))]);
    let mut table = Table::of_ids(at("kinds"));
    let file = table.file("x.parquet", vec![("id", Arc::new(StringArray::from(vec!["1"])) as ArrayRef)], json!({}));
    table.commit(&[file]);
    let mut table = Table::of_ids(at("away"));
    let mut file = table.file("x.parquet", vec![("id", ids([1]))], json!({}));
    file["add"]["path"] = json!("s3://elsewhere/x.parquet");
    table.commit(&[file]);
    let mut table = Table::new(at("torn"), &ids_only, &[], old(), json!({}));
    table.version = 2;
    table.commit(&[]);
    let mut table = Table::new(at("values"), &[field("id", "long"), field("n", "integer")], &["n"], old(), json!({}));
    let file = table.file("x.parquet", vec![("id", ids([1]))], json!({ "n": "many" }));
    table.commit(&[file]);
    // A table without rows is one.
    Table::of_ids(at("empty"));
    let lake = lake(folder.path()).await;
    assert_eq!(lake.tables.iter().map(|table| (table.name.as_str(), table.rows)).collect::<Vec<_>>(), [("empty", 0)]);
    let reasons: BTreeMap<&str, &str> =
        lake.problems.iter().map(|problem| (problem.table.as_str(), problem.reason.as_str())).collect();
    for (name, says) in [
        ("future", "holograms"),
        ("lost", "x.parquet, which its log names, is not there"),
        ("other", "and its log says"),
        ("kinds", "column `id` is Utf8 in a file and Int64 in the log"),
        ("away", "lies elsewhere"),
        ("torn", "a Delta table that cannot be read"),
        ("values", "'many' as 'integer'"),
    ] {
        assert!(reasons.get(name).is_some_and(|reason| reason.contains(says)), "{name}: {reasons:?}");
    }
    assert_eq!(reasons.len(), 7);
}

async fn plan(root: &Path) -> PlanFile {
    let outcome = compare(root, &Options::default(), &roomy(), 2).await;
    let prices = Prices { accesses: 0.001, ..Prices::default() };
    let plan = retention::plan(&outcome, &prices);
    PlanFile::new(&outcome, &plan, root.to_owned(), Layout::Auto, Names::Fold).unwrap()
}

async fn apply(root: &Path, plan: &PlanFile) -> Vec<retire::Done> {
    let listed = list_files(&SessionContext::new().state(), root.to_str().unwrap()).await.unwrap();
    retire::apply(plan, listed, &roomy()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_rebuilt_from_a_snapshot_and_never_taken_apart() {
    let folder = tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let mut table = three_versions(&root);
    fs::remove_file(root.join("all.parquet")).unwrap();
    // In the table and holding all of it, so that either could be rebuilt from the other.
    write(&root.join("twin.parquet"), vec![("id", ids(10..30))]);
    let before = fs::read(root.join("some.parquet")).unwrap();
    let mut plan = plan(&root).await;
    assert!(plan.retire.iter().all(|retire| retire.table != "events"), "{:?}", plan.retire);
    for retire in &mut plan.retire {
        assert_eq!(retire.from, "events");
    }
    assert_eq!(plan.versions, [("events".to_owned(), 2)].into());
    // Whatever a plan says, its files stay.
    let mut wrong = plan.clone();
    wrong.retire.truncate(1);
    (wrong.retire[0].table, wrong.retire[0].from) = ("events".to_owned(), "twin.parquet".to_owned());
    let refused = apply(&root, &wrong).await;
    assert!(!refused[0].done && refused[0].says.contains("events is a Delta table"), "{refused:?}");
    // A version that changes no file is another version.
    table.commit(&[json!({ "commitInfo": { "operation": "OPTIMIZE" } })]);
    let refused = apply(&root, &plan).await;
    assert!(refused.iter().all(|done| !done.done && done.says.contains("its log has another version")), "{refused:?}");
    assert_eq!(plan.moved_on("events", &root), Some("its log has a new version".to_owned()));
    let plan = self::plan(&root).await;
    assert_eq!(plan.moved_on("events", &root), None);
    let done = apply(&root, &plan).await;
    assert!(done.iter().all(|done| done.done) && done.len() == 2, "{done:?}");
    assert!(!root.join("some.parquet").exists());
    for rebuild in [true, false] {
        let listed = list_files(&SessionContext::new().state(), root.to_str().unwrap()).await.unwrap();
        let back = retire::restore(&root, &[], rebuild, Some(listed), &roomy()).await.unwrap();
        assert!(back.iter().all(|done| done.done), "{back:?}");
        if rebuild {
            let edges = [("some", "events"), ("some", "twin"), ("events", "twin"), ("twin", "events")];
            let mut edges = named(&edges);
            edges.sort();
            assert_eq!(found(&root).await, edges);
            // Once more, for the originals this time.
            fs::write(root.join("some.parquet"), &before).unwrap();
            let plan = self::plan(&root).await;
            assert!(apply(&root, &plan).await.iter().all(|done| done.done));
        }
    }
    assert_eq!(fs::read(root.join("some.parquet")).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_learnt_of_a_version_is_kept_for_it() {
    let folder = tempdir().unwrap();
    let root = folder.path().to_owned();
    let mut table = three_versions(&root);
    let update = async || {
        let listed = list_files(&SessionContext::new().state(), root.to_str().unwrap()).await.unwrap();
        pipeline::update(listed, &Options::default(), &roomy(), 2, &root).await.unwrap()
    };
    let edges = |outcome: &pipeline::Outcome| pairs(outcome).into_iter().collect::<Vec<_>>();
    assert_eq!(edges(&update().await), named(&EDGES));
    let again = update().await;
    assert_eq!((edges(&again), again.counts.bytes_read, again.counts.scanned), (named(&EDGES), 0, 0));
    // The same files at a new version, and then fewer.
    table.commit(&[json!({ "commitInfo": { "operation": "OPTIMIZE" } })]);
    let again = update().await;
    assert_eq!(edges(&again), named(&EDGES));
    assert!(again.counts.bytes_read > 0);
    table.commit(&[remove("part-2.parquet")]);
    assert_eq!(edges(&update().await), named(&[("events", "all"), ("some", "all")]));
    assert!(state::folder(&root).exists());
}
