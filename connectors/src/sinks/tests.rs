use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray, StringViewArray};
use arrow::datatypes::Int32Type;
use datafusion::common::{Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use tempfile::tempdir;

use super::{AtomicDir, MANIFEST, Manifest, WriteOptions};
use crate::sinks::encode::{WriteFormat, WriteKind};
use crate::testing::{count, is_root, rows, session, set_mode};

fn table(rows: usize) -> RecordBatch {
    let ids = Int64Array::from_iter_values(0..rows as i64);
    // Of many lengths, and hard to compress.
    let noise =
        |i: usize| (0..i * 31 % 20).map(move |k| format!("{:x} ", (i * 20 + k).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    let text = |i: usize| (!i.is_multiple_of(7)).then(|| format!("row {i} {}", noise(i).collect::<String>()));
    let texts: StringArray = (0..rows).map(text).collect();
    let views: StringViewArray = (0..rows).map(|i| Some(format!("a longer view of row {i}"))).collect();
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(
        (0..rows).map(|i| (i % 5 != 0).then(|| (0..i % 4).map(|v| Some(v as i32)))),
    );
    let columns: [(&str, ArrayRef); 4] =
        [("id", Arc::new(ids)), ("text", Arc::new(texts)), ("view", Arc::new(views)), ("list", Arc::new(lists))];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn flat(rows: usize) -> RecordBatch {
    table(rows).project(&[0, 1]).unwrap()
}

fn stream(table: &RecordBatch, sizes: &[usize]) -> SendableRecordBatchStream {
    let mut batches: Vec<Result<RecordBatch>> = Vec::new();
    let mut start = 0;
    for size in sizes.iter().cycle() {
        if start >= table.num_rows() {
            break;
        }
        let rows = (*size).min(table.num_rows() - start);
        batches.push(Ok(table.slice(start, rows)));
        start += rows;
    }
    Box::pin(RecordBatchStreamAdapter::new(table.schema(), futures::stream::iter(batches)))
}

fn options(format: WriteKind, target_file_bytes: u64) -> WriteOptions {
    WriteOptions { format, target_file_bytes, ..WriteOptions::default() }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    names(folder).into_iter().map(|name| (name.clone(), std::fs::read(folder.join(name)).unwrap())).collect()
}

async fn write(target: &Path, rows: usize) -> Result<Manifest> {
    let table = flat(rows);
    AtomicDir::new(target).write(stream(&table, &[100]), &WriteOptions::default(), serde_json::Value::Null).await
}

#[tokio::test]
async fn parquet_round_trip_with_rotation() {
    let dir = tempdir().unwrap();
    let target = dir.path().join("deep/er/out");
    let table = table(150_000);
    let extra = serde_json::json!({"input": "x"});
    let written = AtomicDir::new(&target)
        .write(stream(&table, &[8192]), &options(WriteKind::plain(WriteFormat::Parquet), 1 << 20), extra.clone())
        .await
        .unwrap();
    assert_eq!((written.rows, &written.extra, written.format.as_str()), (150_000, &extra, "parquet"));
    assert!(written.files.len() >= 2, "{:?}", written.files);
    assert_eq!(Manifest::read(&target).unwrap(), Some(written.clone()));
    assert_eq!(names(target.parent().unwrap()), ["out"]);
    assert_eq!(names(&target)[..2], [MANIFEST, "part-00000.parquet"]);
    let ctx = session(2);
    let from = format!("'{}'", target.display());
    assert_eq!(count(&ctx, dir.path(), &from).await, 150_000);
    let read = rows(&ctx, dir.path(), &format!("SELECT * FROM {from} WHERE id IN (0, 8, 149999)")).await;
    let expected = ["0||a longer view of row 0|", "149999|", "8|row 8 "];
    assert!(read.iter().zip(expected).all(|(row, start)| row.starts_with(start)) && read.len() == 3, "{read:?}");
    std::fs::remove_file(target.join("part-00001.parquet")).unwrap();
    assert!(Manifest::read(&target).unwrap_err().to_string().contains("part-00001.parquet is missing"));
}

#[tokio::test]
async fn the_same_rows_give_the_same_bytes() {
    let dir = tempdir().unwrap();
    let full = table(40_000);
    let formats = ["parquet", "jsonl", "jsonl.zst", "jsonl.gz", "csv", "csv.zst"];
    for format in formats.map(|format| format.parse::<WriteKind>().unwrap()) {
        let table =
            if matches!(format.format, WriteFormat::Csv | WriteFormat::Tsv) { flat(40_000) } else { full.clone() };
        let mut seen: Option<Vec<(String, Vec<u8>)>> = None;
        for (sizes, concurrency) in [(&[40_000][..], 1), (&[8192], 4), (&[1, 2, 3, 255, 257, 1000], 2)] {
            let target = dir.path().join(format!("{format}-{}", sizes.len() * 10 + concurrency));
            let options = WriteOptions { concurrency, row_group_bytes: 1 << 20, ..options(format, 300_000) };
            AtomicDir::new(&target).write(stream(&table, sizes), &options, serde_json::Value::Null).await.unwrap();
            let content = content(&target);
            assert!(content.len() > 2, "{format}: {} files", content.len());
            assert!(seen.get_or_insert_with(|| content.clone()) == &content, "{format} {sizes:?}");
        }
    }
}

#[tokio::test]
async fn lines_are_readable() {
    let dir = tempdir().unwrap();
    let ctx = session(2);
    for format in ["jsonl.zst", "jsonl.gz", "csv"].map(|format| format.parse::<WriteKind>().unwrap()) {
        let target = dir.path().join(format.to_string());
        let table = flat(5000);
        let writer = AtomicDir::new(&target);
        let written =
            writer.write(stream(&table, &[999]), &options(format, 50_000), serde_json::Value::Null).await.unwrap();
        assert_eq!(written.rows, 5000);
        let sql = format!("SELECT count(*), sum(id), count(text) FROM '{}'", target.display());
        assert_eq!(rows(&ctx, dir.path(), &sql).await, ["5000|12497500|4285"], "{format}");
    }
    let first = std::fs::read_to_string(dir.path().join("csv/part-00001.csv")).unwrap();
    assert!(first.starts_with("id,text\n"));
}

#[tokio::test]
async fn no_rows_are_a_result_too() {
    let dir = tempdir().unwrap();
    for (format, name) in [("parquet", "part-00000.parquet"), ("csv", "part-00000.csv"), ("jsonl", "part-00000.jsonl")]
    {
        let target = dir.path().join(format);
        let options = options(format.parse().unwrap(), 1000);
        let written =
            AtomicDir::new(&target).write(stream(&flat(0), &[1]), &options, serde_json::Value::Null).await.unwrap();
        assert_eq!((written.rows, written.files[0].name.as_str(), written.columns.len()), (0, name, 2));
    }
    assert_eq!(count(&session(1), dir.path(), "'{}/parquet'").await, 0);
    assert!("orc".parse::<WriteKind>().is_err() && "parquet.gz".parse::<WriteKind>().is_err());
}

#[tokio::test]
async fn a_failing_stream_leaves_the_target_alone() {
    let dir = tempdir().unwrap();
    let target = dir.path().join("out");
    let failing = || -> SendableRecordBatchStream {
        let table = flat(5000);
        let batches = vec![Ok(table.clone()), exec_err!("the input broke")];
        Box::pin(RecordBatchStreamAdapter::new(table.schema(), futures::stream::iter(batches)))
    };
    let writer = AtomicDir::new(&target);
    let message =
        writer.write(failing(), &WriteOptions::default(), serde_json::Value::Null).await.unwrap_err().to_string();
    assert!(message.contains("the input broke") && names(dir.path()).is_empty(), "{message}");
    write(&target, 10).await.unwrap();
    let before = content(&target);
    writer.write(failing(), &WriteOptions::default(), serde_json::Value::Null).await.unwrap_err();
    assert!(content(&target) == before && names(dir.path()) == ["out"]);
}

#[tokio::test]
async fn replaces_only_what_is_its_own() {
    let dir = tempdir().unwrap();
    let target = dir.path().join("out");
    write(&target, 10).await.unwrap();
    write(&target, 20).await.unwrap();
    assert_eq!(Manifest::read(&target).unwrap().unwrap().rows, 20);
    let precious = dir.path().join("precious");
    crate::testing::write(&precious, "thesis.txt", "years of work");
    let message = write(&precious, 1).await.unwrap_err().to_string();
    assert!(message.contains("will not replace it"), "{message}");
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(write(&file, 1).await.unwrap_err().to_string().contains("a folder is needed"));
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    write(&empty, 3).await.unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("out", &link).unwrap();
    write(&link, 5).await.unwrap();
    assert!(link.is_symlink() && Manifest::read(&target).unwrap().unwrap().rows == 5);
    assert_eq!(names(dir.path()), ["empty", "file", "link", "out", "precious"]);
}

#[tokio::test]
async fn cleans_up_after_the_dead_and_yields_to_the_living() {
    let dir = tempdir().unwrap();
    let target = dir.path().join("out");
    crate::testing::write(dir.path(), ".out.staging-1-0/part-00000.parquet", "half");
    let empty = r#"{"limpid":"0","format":"parquet","rows":0,"bytes":0,"columns":[],"files":[]}"#;
    crate::testing::write(dir.path(), ".out.old-1-0/_manifest.json", empty);
    crate::testing::write(dir.path(), ".other.staging-1-0/x", "not ours");
    let living = AtomicDir::new(&target).begin().unwrap();
    // The previous folder had been moved aside when its replacement was killed; it must be restored.
    assert_eq!(names(dir.path()).len(), 3, "{:?}", names(dir.path()));
    assert_eq!(names(&target), [MANIFEST]);
    let message = write(&target, 1).await.unwrap_err().to_string();
    assert!(message.contains("another process is writing it"), "{message}");
    drop(living);
    write(&target, 1).await.unwrap();
    assert_eq!(names(dir.path()), [".other.staging-1-0", "out"]);
}

#[tokio::test]
async fn a_full_disk_is_one_clear_error() {
    let dir = tempdir().unwrap();
    for format in ["parquet", "jsonl", "jsonl.zst", "csv.gz"] {
        let staging = AtomicDir::new(dir.path().join("out")).begin().unwrap();
        // What is written here fails with "no space left on device".
        std::os::unix::fs::symlink("/dev/full", staging.path().join(format!("part-00000.{format}"))).unwrap();
        let options = options(format.parse().unwrap(), 1 << 20);
        let written = super::write::write_parts(staging.path(), stream(&flat(200_000), &[8192]), &options).await;
        let message = written.unwrap_err().to_string();
        assert!(message.contains(&format!("part-00000.{format}: ")) && message.contains("No space left"), "{message}");
        drop(staging);
        assert!(names(dir.path()).is_empty());
    }
}

#[tokio::test]
async fn a_forbidden_folder_is_named() {
    let dir = tempdir().unwrap();
    if is_root(dir.path()) {
        println!("skipped: permissions do not bind this user");
        return;
    }
    set_mode(dir.path(), 0o555);
    let message = write(&dir.path().join("out"), 1).await.unwrap_err().to_string();
    set_mode(dir.path(), 0o755);
    assert!(message.contains("out.staging") && message.contains("ermission denied"), "{message}");
}

/// Where the process below writes, and the failpoint at which it dies.
const TARGET: &str = "LIMPID_TEST_TARGET";
const POINT: &str = "LIMPID_TEST_POINT";

/// Not a test on its own: `killed_writers_leave_the_target_whole` runs it as a process that is killed. Failpoints apply to a
/// whole process, so other tests must not see them.
#[tokio::test]
async fn dying_writer() {
    if let (Some(target), Ok(point)) = (std::env::var_os(TARGET).map(PathBuf::from), std::env::var(POINT)) {
        limpid_failpoints::cfg_callback(point, || std::process::abort());
        write(&target, 20).await.unwrap();
    }
}

#[tokio::test]
async fn killed_writers_leave_the_target_whole() {
    let test = std::env::current_exe().unwrap();
    for (point, first_rows, then_rows) in [
        ("sink::staged", None, Some(10)),
        ("sink::part-written", None, Some(10)),
        ("sink::manifest-written", None, Some(10)),
        ("sink::named", Some(20), Some(20)),
    ] {
        for older in [false, true] {
            let dir = tempdir().unwrap();
            let target = dir.path().join("out");
            if older {
                write(&target, 10).await.unwrap();
            }
            let mut child = Command::new(&test);
            child.args(["--exact", "sinks::tests::dying_writer", "--nocapture"]);
            child.env(TARGET, &target).env(POINT, point);
            let output = child.output().unwrap();
            assert!(!output.status.success(), "{point}: {}", String::from_utf8_lossy(&output.stdout));
            let expected = if older { then_rows } else { first_rows };
            let found =
                if target.exists() { Manifest::read(&target).unwrap().map(|manifest| manifest.rows) } else { None };
            assert_eq!(found, expected, "{point}, older {older}");
            write(&target, 30).await.unwrap();
            assert_eq!(names(dir.path()), ["out"], "{point}");
            assert_eq!(Manifest::read(&target).unwrap().unwrap().rows, 30);
        }
    }
}
