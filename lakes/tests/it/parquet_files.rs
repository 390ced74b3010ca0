//! Parquet as the world writes it: nothing is called contained, and nothing goes, on a part of what is stored.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use limpid_lakes::discover;
use limpid_lakes::options::{Layout, Names, Options, Stage};
use limpid_lakes::pipeline::{self, Outcome};
use limpid_lakes::retire::{self, Done};
use parquet::arrow::ArrowWriter;
use parquet::data_type::{FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int96, Int96Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use tempfile::tempdir;

use crate::retire::{apply, files, listed, plan, purge, restore};
use crate::{compare, pairs, roomy};

/// Writes columns of any names, two of one name too.
fn write(path: &Path, columns: Vec<(&str, ArrayRef)>, metadata: Option<Vec<KeyValue>>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let fields = columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let batch =
        RecordBatch::try_new(Arc::clone(&schema), columns.into_iter().map(|(_, column)| column).collect()).unwrap();
    let properties = WriterProperties::builder().set_key_value_metadata(metadata).build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), schema, Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn ints(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

/// A day since 1970 and the nanoseconds of that day.
fn int96(day: i64, nanoseconds: u64) -> Int96 {
    let mut value = Int96::new();
    value.set_data(nanoseconds as u32, (nanoseconds >> 32) as u32, (day + 2_440_588) as i32 as u32);
    value
}

/// Columns `id` and `ts`, as Spark and Hive write them.
fn write_int96(path: &Path, values: &[Int96]) {
    let schema = Arc::new(parse_message_type("message spark { required int32 id; required int96 ts; }").unwrap());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Default::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let ids: Vec<i32> = (1..=values.len() as i32).collect();
    column.typed::<Int32Type>().write_batch(&ids, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int96Type>().write_batch(values, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

const HOUR: u64 = 3_600_000_000_000;
const DAY: i64 = 86_400_000_000;
/// 9999-12-31 and 0001-01-01.
const LATE: i64 = 2_932_896;
const EARLY: i64 = -719_162;

async fn exact(root: &Path) -> Outcome {
    compare(root, &Options::default(), &roomy(), 2).await
}

fn pair(child: &str, parent: &str) -> (String, String) {
    (child.to_owned(), parent.to_owned())
}

fn problem<'a>(outcome: &'a Outcome, table: &str) -> &'a str {
    &outcome.problems.iter().find(|problem| problem.table == table).unwrap().reason
}

/// Plans, applies, purges and restores; what became of each table that was planned.
async fn round(root: &Path) -> Vec<Done> {
    let plan = plan(root).await;
    if plan.retire.is_empty() {
        return vec![];
    }
    let done = apply(root, &plan).await.unwrap();
    purge(root, &[], false).await.unwrap();
    let back = restore(root, false).await.unwrap();
    assert!(back.iter().all(|done| done.done), "{back:?}");
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_of_one_name_are_never_compared_in_part() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("lake");
    write(&root.join("plain.parquet"), vec![("id", ints([1, 2, 3])), ("value", ints([10, 20, 30]))], None);
    let two = vec![("id", ints([1, 2, 3])), ("value", ints([10, 20, 30])), ("value", ints([100, 200, 300]))];
    write(&root.join("joined.parquet"), two, None);
    let s = StructArray::from(vec![(Arc::new(Field::new("b", DataType::Int64, true)), ints([1, 2, 3]))]);
    write(&root.join("dotted.parquet"), vec![("a", Arc::new(s)), ("a.b", ints([7, 8, 9]))], None);
    write(&root.join("flat.parquet"), vec![("a.b", ints([1, 2, 3]))], None);
    let field = |name: &str| Arc::new(Field::new(name, DataType::Int64, true));
    let s = StructArray::from(vec![(field("x"), ints([1])), (field("x"), ints([2]))]);
    write(&root.join("fields.parquet"), vec![("s", Arc::new(s))], None);
    write(&root.join("case.parquet"), vec![("ID", ints([1])), ("id", ints([9]))], None);
    write(&root.join("lower.parquet"), vec![("id", ints([9]))], None);
    let before = files(&root);
    for stage in [Stage::Schema, Stage::Exact, Stage::Bytes] {
        let outcome = compare(&root, &Options { stage, ..Options::default() }, &roomy(), 2).await;
        assert!(problem(&outcome, "joined.parquet").contains("two of its columns are named `value`"));
        assert!(problem(&outcome, "dotted.parquet").contains("both called `a.b`"));
        assert!(problem(&outcome, "fields.parquet").contains("two fields of `s` are named `x`"));
        let left_out = ["joined", "dotted", "fields"];
        let found = pairs(&outcome);
        assert!(
            !found.iter().any(|(a, b)| left_out.contains(&a.as_str()) || left_out.contains(&b.as_str())),
            "{found:?}"
        );
        assert!(!found.contains(&pair("case", "lower")) && found.contains(&pair("lower", "case")), "{found:?}");
    }
    round(&root).await;
    assert_eq!(files(&root), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn int96_is_what_it_is_in_every_year() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("lake");
    fs::create_dir_all(&root).unwrap();
    let ids = || Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef;
    let micros = TimestampMicrosecondArray::from(vec![LATE * DAY + 2 * DAY / 24, EARLY * DAY]);
    write(&root.join("micros.parquet"), vec![("id", ids()), ("ts", Arc::new(micros))], None);
    write_int96(&root.join("spark.parquet"), &[int96(LATE, 2 * HOUR), int96(EARLY, 0)]);
    // 2^64 nanoseconds apart: in 64 bits they are the same.
    let near = int96(10_957, 0);
    let nanoseconds = 10_957_i128 * 86_400_000_000_000 + (1 << 64);
    let day = 86_400_000_000_000_i128;
    let far = int96(nanoseconds.div_euclid(day) as i64, nanoseconds.rem_euclid(day) as u64);
    write_int96(&root.join("near.parquet"), &[near]);
    write_int96(&root.join("far.parquet"), &[int96(far_day(&far), (nanoseconds.rem_euclid(day) as u64) / 1000 * 1000)]);
    // Below the microsecond they differ still, where nanoseconds count them.
    write_int96(&root.join("fine.parquet"), &[int96(10_957, 1)]);
    // Neither unit holds both.
    write_int96(&root.join("both.parquet"), &[int96(LATE, 1), int96(EARLY, 0)]);
    for stage in [Stage::Exact, Stage::Bytes] {
        let outcome = compare(&root, &Options { stage, ..Options::default() }, &roomy(), 2).await;
        assert_eq!(pairs(&outcome), [pair("micros", "spark"), pair("spark", "micros")].into());
        assert!(problem(&outcome, "both.parquet").contains("INT96"), "{:?}", outcome.problems);
    }
}

fn far_day(value: &Int96) -> i64 {
    i64::from(value.data()[2] as i32) - 2_440_588
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_written_again_is_never_planned() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("lake");
    fs::create_dir_all(&root).unwrap();
    let values: Vec<Int96> = (0..100).map(|day| int96(if day == 1 { LATE } else { day }, 2 * HOUR)).collect();
    write_int96(&root.join("all.parquet"), &values);
    write_int96(&root.join("half.parquet"), &values[..50]);
    let outcome = exact(&root).await;
    assert!(pairs(&outcome).contains(&pair("half", "all")));
    assert_eq!(plan(&root).await.retire, []);
    // Nor from what was learnt of them before.
    for _ in 0..2 {
        let listed = listed(&root).await;
        let outcome = pipeline::update(listed, &Options::default(), &roomy(), 2, &root).await.unwrap();
        let advice = limpid_lakes::retention::plan(&outcome, &cheap()).advice;
        assert!(advice.iter().all(|advice| advice.from.is_none()), "{advice:?}");
        assert!(advice.iter().any(|advice| advice.why.contains("`ts` holds INT96 timestamps")), "{advice:?}");
    }
    // A table of microseconds goes, and comes back from INT96.
    let micros = TimestampMicrosecondArray::from_iter_values(
        (0..9).map(|day| if day == 1 { LATE } else { day } * DAY + DAY / 12),
    );
    let ids = Arc::new(Int32Array::from_iter_values(1..10));
    write(&root.join("micros.parquet"), vec![("id", ids), ("ts", Arc::new(micros))], None);
    let before = exact_print(&root.join("micros.parquet"));
    let done = round(&root).await;
    assert!(done.len() == 1 && done[0].done, "{done:?}");
    assert_eq!(exact_print(&root.join("micros.parquet")), before);
}

/// Prices by which everything goes that can.
fn cheap() -> limpid_lakes::retention::Prices {
    limpid_lakes::retention::Prices { accesses: 0.0, ..Default::default() }
}

fn exact_print(path: &Path) -> (arrow::datatypes::SchemaRef, retire::exact::Print) {
    retire::exact::print(path).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_file_says_of_its_columns_is_not_lost() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("lake");
    fs::create_dir_all(&root).unwrap();
    // A UUID comes back as plain bytes, so such a table stays.
    for (name, count) in [("all", 3_u8), ("some", 2)] {
        let schema = parse_message_type("message m { required fixed_len_byte_array(16) id (UUID); }").unwrap();
        let file = File::create(root.join(format!("{name}.parquet"))).unwrap();
        let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Default::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let ids: Vec<FixedLenByteArray> = (0..count).map(|id| vec![id; 16].into()).collect();
        column.typed::<FixedLenByteArrayType>().write_batch(&ids, None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
    }
    assert_eq!(round(&root).await, []);
    let lake = discover(listed(&root).await, Layout::Auto, Names::Fold).await.unwrap();
    assert!(lake.tables.iter().all(|table| table.why_it_stays().is_some_and(|why| why.contains("`id` is Uuid"))));
    // Metadata come back.
    let pair = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
    let lake = folder.path().join("other");
    write(&lake.join("all.parquet"), vec![("x", ints(0..9))], None);
    write(&lake.join("some.parquet"), vec![("x", ints(2..5))], Some(vec![pair("owner", "me"), pair("note", "")]));
    let done = round(&lake).await;
    assert!(done.len() == 1 && done[0].done, "{done:?}");
    let file =
        parquet::file::serialized_reader::SerializedFileReader::new(File::open(lake.join("some.parquet")).unwrap());
    let metadata =
        parquet::file::reader::FileReader::metadata(&file.unwrap()).file_metadata().key_value_metadata().cloned();
    let metadata = metadata.unwrap();
    assert!(metadata.contains(&pair("owner", "me")) && metadata.contains(&pair("note", "")), "{metadata:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_come_back_in_their_order() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("lake");
    let texts =
        |ids: &[i64]| Arc::new(StringArray::from_iter_values(ids.iter().map(|id| format!("row {id}")))) as ArrayRef;
    let table = |name: &str, ids: &[i64]| {
        write(&root.join(name), vec![("id", ints(ids.iter().copied())), ("text", texts(ids))], None);
    };
    let all: Vec<i64> = (0..20_000).map(|id| id % 15_000).collect();
    table("all.parquet", &all);
    table("down.parquet", &(0..10_000).rev().collect::<Vec<_>>());
    table("mixed.parquet", &(0..9_000).map(|id| id * 7919 % 9_000).collect::<Vec<_>>());
    table("twice.parquet", &[5, 3, 5, 3, 4_999, 0, 0]);
    table("up.parquet", &(100..9_000).collect::<Vec<_>>());
    let before = files(&root);
    let done = round(&root).await;
    assert!(done.len() == 4 && done.iter().all(|done| done.done), "{done:?}");
    assert_eq!(files(&root), before);
    // Read back row by row, by another reader.
    let first = |name: &str| {
        let file = File::open(root.join(name)).unwrap();
        let mut reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(file, 3).unwrap();
        let batch = reader.next().unwrap().unwrap();
        batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec()
    };
    assert_eq!((first("down.parquet"), first("twice.parquet")), (vec![9_999, 9_998, 9_997], vec![5, 3, 5]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_pandas_saved_is_no_column() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("lake");
    let pandas =
        |columns: &str| Some(vec![KeyValue::new("pandas".to_owned(), format!("{{\"index_columns\": [{columns}]}}"))]);
    let range = "{\"kind\": \"range\", \"start\": 0, \"stop\": 5, \"step\": 1}";
    let index = "__index_level_0__";
    write(&root.join("all.parquet"), vec![("a", ints([1, 2, 3, 4, 9]))], pandas(range));
    let filtered = vec![("a", ints([1, 2, 9])), (index, ints([0, 1, 4]))];
    write(&root.join("filtered.parquet"), filtered.clone(), pandas("\"__index_level_0__\""));
    write(&root.join("only.parquet"), vec![(index, ints([0, 1, 4]))], pandas("\"__index_level_0__\""));
    // A column of that name that no pandas wrote is a column.
    write(&root.join("other.parquet"), filtered, None);
    let before = files(&root);
    let outcome = exact(&root).await;
    let found = pairs(&outcome);
    assert!(found.contains(&pair("filtered", "all")) && !found.contains(&pair("other", "all")), "{found:?}");
    assert!(outcome.problems.is_empty(), "{:?}", outcome.problems);
    // It would be lost, so the table stays.
    assert!(!plan(&root).await.retire.iter().any(|retire| retire.table == "filtered.parquet"));
    round(&root).await;
    assert_eq!(files(&root), before);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_are_no_copies() {
    use std::os::unix::fs::symlink;
    let folder = tempdir().unwrap();
    let root = folder.path().join("lake");
    let at = |name: &str| root.join(name);
    write(&at("a/t.parquet"), vec![("id", ints([1, 2, 3]))], None);
    symlink("..", at("a/up")).unwrap();
    symlink("a", at("b")).unwrap();
    symlink("a/t.parquet", at("0.parquet")).unwrap();
    write(&at("whole.parquet"), vec![("id", ints(0..9))], None);
    write(&at("two.parquet"), vec![("id", ints([4, 5]))], None);
    fs::hard_link(at("two.parquet"), at("two_again.parquet")).unwrap();
    write(&folder.path().join("outside/t.parquet"), vec![("id", ints([7]))], None);
    symlink("../outside", at("outside")).unwrap();
    write(&at("copy.parquet"), vec![("id", ints([6, 7]))], None);
    let lake = discover(listed(&root).await, Layout::Auto, Names::Fold).await.unwrap();
    let names: Vec<&str> = lake.tables.iter().map(|table| table.name.as_str()).collect();
    let expected =
        ["a/t.parquet", "copy.parquet", "outside/t.parquet", "two.parquet", "two_again.parquet", "whole.parquet"];
    assert_eq!(names, expected);
    let links: Vec<(&str, &str)> = lake.problems.iter().map(|p| (p.table.as_str(), p.reason.as_str())).collect();
    let says = "a link to a/t.parquet, which is listed under that name";
    assert_eq!(links, [("0.parquet", says), ("b/t.parquet", says)]);
    let table = |name: &str| lake.tables.iter().find(|table| table.name == name).unwrap();
    let stays = |name: &str| table(name).why_it_stays().unwrap_or_default().to_owned();
    assert!(stays("a/t.parquet").contains("is a link to a/t.parquet"), "{}", stays("a/t.parquet"));
    assert!(stays("two.parquet").contains("hard links") && stays("two_again.parquet").contains("hard links"));
    assert!(stays("outside/t.parquet").contains("symbolic link"));
    assert_eq!(stays("whole.parquet"), "");
    // Only the copy goes: what has another name would free nothing and break that name.
    let plan = plan(&root).await;
    let planned: Vec<&str> = plan.retire.iter().map(|retire| retire.table.as_str()).collect();
    assert_eq!(planned, ["copy.parquet"]);
    // A link that appears after the plan is noticed too.
    fs::hard_link(at("copy.parquet"), folder.path().join("elsewhere.parquet")).unwrap();
    let done = apply(&root, &plan).await.unwrap();
    assert!(!done[0].done && done[0].says.contains("hard links"), "{done:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_of_hive_are_what_they_say() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("lake");
    let values = ["AC%2FDC", "%2Fusr", "", "NULL", "a%2520b", "__HIVE_DEFAULT_PARTITION__"];
    for (id, value) in values.iter().enumerate() {
        write(&root.join(format!("t/p={value}/part-0.parquet")), vec![("id", ints([id as i64]))], None);
    }
    let p = StringArray::from(vec![Some("AC/DC"), Some("/usr"), Some(""), Some("NULL"), Some("a%20b"), None]);
    write(&root.join("flat.parquet"), vec![("id", ints(0..6)), ("p", Arc::new(p))], None);
    assert_eq!(pairs(&exact(&root).await), [pair("t", "flat"), pair("flat", "t")].into());
    // A column in folder and file that differ.
    for (year, says) in [(1, 1), (2, 3)] {
        let columns = vec![("id", ints([1])), ("year", ints([says]))];
        write(&root.join(format!("u/year={year}/part-0.parquet")), columns, None);
    }
    let outcome = exact(&root).await;
    let reason = problem(&outcome, "u");
    assert!(reason.contains("u/year=2/part-0.parquet") && reason.contains("`year` holds 3"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_other_formats_are_left_out_wherever_one_looks() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("lake");
    for (name, marker) in [("hudi", ".hoodie/hoodie.properties"), ("iceberg", "metadata/v1.metadata.json")] {
        write(&root.join(name).join("x=1/part-0.parquet"), vec![("id", ints([1]))], None);
        let marker = root.join(name).join(marker);
        fs::create_dir_all(marker.parent().unwrap()).unwrap();
        fs::write(marker, "{}").unwrap();
    }
    write(&root.join("plain.parquet"), vec![("id", ints([1]))], None);
    let outcome = exact(&root).await;
    assert!(outcome.found.is_empty());
    assert!(
        problem(&outcome, "hudi").contains("a Hudi table") && problem(&outcome, "iceberg").contains("an Iceberg table")
    );
    // From inside of one, or by a pattern that leaves its metadata out.
    let ctx = datafusion::prelude::SessionContext::new();
    let inside = root.join("hudi/x=1");
    let error = limpid_lakes::lake::discover::list_files(&ctx.state(), inside.to_str().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("is a part of the Hudi table"), "{error}");
    let glob = format!("{}/iceberg/*/*.parquet", root.display());
    let listed = limpid_lakes::lake::discover::list_files(&ctx.state(), &glob).await;
    if let Ok(listed) = listed {
        let outcome = pipeline::run(listed, &Options::default(), &roomy(), 2).await.unwrap();
        assert!(outcome.lake.tables.is_empty(), "{:?}", outcome.lake.tables);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identifiers_of_fixed_width_compare_with_bytes() {
    let folder = tempdir().unwrap();
    let fixed = FixedSizeBinaryArray::try_from_iter([vec![1_u8, 2], vec![3, 4]].into_iter()).unwrap();
    write(&folder.path().join("fixed.parquet"), vec![("x", Arc::new(fixed))], None);
    let bytes = arrow::array::BinaryArray::from_vec(vec![&[1, 2], &[3, 4], &[5, 6]]);
    write(&folder.path().join("bytes.parquet"), vec![("x", Arc::new(bytes))], None);
    assert_eq!(pairs(&exact(folder.path()).await), [pair("fixed", "bytes")].into());
}
