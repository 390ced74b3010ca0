use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::util::display::array_value_to_string;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionContext;
use object_store::memory::InMemory;
use object_store::{ObjectStoreExt, PutPayload, path::Path as ObjectPath};
use tempfile::tempdir;

use super::TEXT;
use crate::testing::{batches, count, error, is_root, rows, session, set_mode, write};

fn metric(plan: &Arc<dyn ExecutionPlan>, name: &str) -> usize {
    let own = plan.metrics().and_then(|metrics| metrics.sum_by_name(name)).map_or(0, |value| value.as_usize());
    own + plan.children().iter().map(|child| metric(child, name)).sum::<usize>()
}

async fn metrics(ctx: &SessionContext, sql: &str, names: &[&str]) -> Vec<usize> {
    let plan = ctx.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    collect(Arc::clone(&plan), ctx.task_ctx()).await.unwrap();
    names.iter().map(|name| metric(&plan, name)).collect()
}

#[tokio::test]
async fn skips_what_is_not_text_and_keeps_the_rest() {
    let dir = tempdir().unwrap();
    write(dir.path(), "a.txt", "plain");
    write(dir.path(), "sub/b.md", "\u{FEFF}mark");
    write(dir.path(), "empty", "");
    write(dir.path(), "zero.bin", b"ab\0cd");
    write(dir.path(), "latin1.txt", b"caf\xe9");
    write(dir.path(), "große datei #1 %20.txt", "ä😀");
    // Longer than what is sniffed, binary at its end and at its start.
    write(dir.path(), "late.bin", [vec![b'x'; 400_000], vec![0]].concat());
    write(dir.path(), "early.bin", [vec![0], vec![b'x'; 400_000]].concat());
    write(dir.path(), "long.txt", "y".repeat(400_000));
    std::os::unix::fs::symlink("nowhere", dir.path().join("broken")).unwrap();
    std::os::unix::fs::symlink(".", dir.path().join("loop")).unwrap();

    let mut seen = Vec::new();
    for partitions in [1, 7] {
        let ctx = session(partitions);
        let sql = format!("CREATE EXTERNAL TABLE t STORED AS TEXT LOCATION '{}'", dir.path().display());
        batches(&ctx, &sql).await;
        let all = rows(&ctx, dir.path(), "SELECT path, size, left(text, 9), length(text) FROM t").await;
        let path_only = rows(&ctx, dir.path(), "SELECT path FROM t").await;
        assert_eq!(path_only.len(), all.len());
        assert_eq!(count(&ctx, dir.path(), "t").await, 5);
        let names = ["files_read", "files_skipped_binary", "files_skipped_not_utf8", "bytes_read"];
        let counted = metrics(&ctx, "SELECT text FROM t", &names).await;
        // early.bin is not read to its end.
        assert_eq!(counted, [5, 3, 1, 5 + 7 + 5 + 4 + 6 + 400_001 + 65_536 + 400_000], "{partitions} partitions");
        seen.push(all);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(
        seen[0],
        [
            "/a.txt|5|plain|5",
            "/empty|0||0",
            "/große datei #1 %20.txt|6|ä😀|2",
            "/long.txt|400000|yyyyyyyyy|400000",
            "/sub/b.md|7|mark|4"
        ]
    );
}

#[tokio::test]
async fn columns_have_their_types_and_meaning() {
    let dir = tempdir().unwrap();
    write(dir.path(), "a.txt", "x");
    let ctx = session(2);
    let from = format!("'{}/*.txt'", dir.path().display());
    let batch = &batches(&ctx, &format!("SELECT * FROM {from}")).await[0];
    assert_eq!(batch.schema().as_ref(), super::schema().as_ref());
    let fresh = format!("SELECT modified > now() - INTERVAL '1 hour' AND modified <= now() FROM {from}");
    assert!(batches(&ctx, &fresh).await[0].column(0).as_boolean().value(0));
    let expressions = format!("SELECT upper(text), size + 1, length(path) > 5 FROM {from}");
    assert_eq!(rows(&ctx, dir.path(), &expressions).await, ["X|2|true"]);
    let described = rows(&ctx, dir.path(), &format!("SELECT 1 AS one FROM {from}")).await;
    assert_eq!(described, ["1"]);
}

#[tokio::test]
async fn unreadable_files_are_errors_unless_skipped() {
    let dir = tempdir().unwrap();
    if is_root(dir.path()) {
        println!("skipped: permissions do not bind this user");
        return;
    }
    write(dir.path(), "a.txt", "a");
    write(dir.path(), "secret.txt", "b");
    set_mode(&dir.path().join("secret.txt"), 0);
    let ctx = session(2);
    let message = error(&ctx, dir.path(), "SELECT text FROM '{}/*.txt'").await;
    assert!(message.contains("/secret.txt") && message.contains("skip_unreadable"), "{message}");
    let location = format!("LOCATION '{}' OPTIONS (skip_unreadable 'true')", dir.path().display());
    batches(&ctx, &format!("CREATE EXTERNAL TABLE t STORED AS TEXT {location}")).await;
    assert_eq!(rows(&ctx, dir.path(), "SELECT path FROM t").await, ["/a.txt"]);
    assert_eq!(metrics(&ctx, "SELECT * FROM t", &["files_skipped_unreadable"]).await, [1]);
}

#[tokio::test]
async fn a_file_that_vanishes_is_named() {
    let dir = tempdir().unwrap();
    write(dir.path(), "a.txt", "a");
    write(dir.path(), "b.txt", "b");
    let ctx = session(1);
    let frame = ctx.sql(&format!("SELECT * FROM '{}/*.txt'", dir.path().display())).await.unwrap();
    std::fs::remove_file(dir.path().join("b.txt")).unwrap();
    let message = frame.collect().await.unwrap_err().to_string();
    assert!(message.contains("cannot read") && message.contains("b.txt"), "{message}");
}

#[tokio::test]
async fn options_limit_sizes_and_are_checked() {
    let dir = tempdir().unwrap();
    write(dir.path(), "small", "12");
    write(dir.path(), "large", "x".repeat(2000));
    let ctx = session(2);
    let create = |name: &str, options: &str| {
        format!("CREATE EXTERNAL TABLE {name} STORED AS TEXT LOCATION '{}' OPTIONS ({options})", dir.path().display())
    };
    batches(&ctx, &create("t", "max_file_size '1KB'")).await;
    assert_eq!(rows(&ctx, dir.path(), "SELECT path FROM t").await, ["/small"]);
    assert_eq!(metrics(&ctx, "SELECT * FROM t", &["files_skipped_too_large", "bytes_read"]).await, [1, 2]);
    let explained = rows(&ctx, dir.path(), "EXPLAIN SELECT * FROM t").await.join("\n");
    assert!(explained.contains("file_type=text, max_file_size=1024"), "{explained}");
    for (options, part) in
        [("max_file_size 'big'", "max_file_size is 'big'"), ("encoding 'latin1'", "no option encoding")]
    {
        let message = error(&ctx, dir.path(), &create("u", options)).await;
        assert!(message.contains(part), "{message}");
    }
    let columns = format!("CREATE EXTERNAL TABLE v (a INT) STORED AS TEXT LOCATION '{}'", dir.path().display());
    assert!(error(&ctx, dir.path(), &columns).await.contains("leave out the column list"));
    let copy = format!("COPY (SELECT 1) TO '{}/x.out' STORED AS {TEXT}", dir.path().display());
    assert!(error(&ctx, dir.path(), &copy).await.contains("read only"));
}

#[tokio::test]
async fn a_table_sees_new_files() {
    let dir = tempdir().unwrap();
    write(dir.path(), "a.txt", "a");
    let ctx = session(2);
    batches(&ctx, &format!("CREATE EXTERNAL TABLE t STORED AS TEXT LOCATION '{}'", dir.path().display())).await;
    write(dir.path(), "b.txt", "b");
    assert_eq!(rows(&ctx, dir.path(), "SELECT text FROM t").await, ["a", "b"]);
}

#[tokio::test]
async fn conditions_on_metadata_spare_the_reading() {
    let dir = tempdir().unwrap();
    for i in 0..20 {
        write(dir.path(), &format!("f{i:02}.txt"), "x".repeat(i));
    }
    let ctx = session(3);
    let sql = |condition: &str| format!("SELECT text FROM '{}/*.txt' WHERE {condition}", dir.path().display());
    for (condition, read) in [
        ("size < 5", 5),
        ("path LIKE '%/f1_.txt'", 10),
        ("modified > now()", 0),
        ("size < 5 AND length(text) > 3", 5),
        ("length(text) > 3", 20),
        ("size < 5 OR text = 'x'", 20),
    ] {
        assert_eq!(metrics(&ctx, &sql(condition), &["files_read"]).await, [read], "{condition}");
    }
    assert_eq!(rows(&ctx, dir.path(), &sql("size < 5 AND length(text) > 3")).await, ["xxxx"]);
    assert_eq!(rows(&ctx, dir.path(), &sql("size IN (SELECT 7)")).await, ["xxxxxxx"]);
}

#[tokio::test]
async fn many_small_files_share_batches_and_are_quick() {
    let dir = tempdir().unwrap();
    let content = "0123456789".repeat(100);
    for i in 0..5000 {
        write(dir.path(), &format!("{}/{i}.rs", i % 50), format!("{i} {content}"));
    }
    let mut sums = Vec::new();
    for partitions in [1, 7] {
        let ctx = session(partitions);
        let from = format!("'{}/**/*.rs'", dir.path().display());
        let start = Instant::now();
        let found = batches(&ctx, &format!("SELECT path, text FROM {from}")).await;
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert_eq!(found.iter().map(|batch| batch.num_rows()).sum::<usize>(), 5000);
        assert!(found.len() <= 2 * partitions, "{} batches", found.len());
        let sum = "sum(CAST(split_part(text, ' ', 1) AS BIGINT)), sum(size), count(DISTINCT path)";
        sums.push(rows(&ctx, dir.path(), &format!("SELECT {sum} FROM {from}")).await);
        for limit in [1, 10, 4999] {
            let limited = format!("SELECT * FROM {from} LIMIT {limit}");
            assert_eq!(rows(&ctx, dir.path(), &limited).await.len(), limit);
        }
        let read = metrics(&ctx, &format!("SELECT * FROM {from} LIMIT 3"), &["files_read"]).await[0];
        assert!(read <= 3 * partitions, "LIMIT 3 read {read} files");
    }
    assert_eq!(sums[0], sums[1]);
    assert_eq!(sums[0], [format!("{}|{}|5000", 4999 * 2500, 5000 * 1001 + 10 + 180 + 2700 + 16000)]);
}

#[tokio::test]
async fn rows_of_a_partition_are_in_path_order_whatever_the_batch_size() {
    let dir = tempdir().unwrap();
    for i in 0..100 {
        write(dir.path(), &format!("{i:03}"), format!("{i:03}"));
    }
    for batch_size in [1, 7, 8192] {
        let ctx = session(1);
        batches(&ctx, &format!("SET datafusion.execution.batch_size = {batch_size}")).await;
        let found = batches(&ctx, &format!("SELECT text FROM '{}/*'", dir.path().display())).await;
        assert!(found.iter().all(|batch| batch.num_rows() <= batch_size));
        let texts = found.iter().flat_map(|batch| batch.column(0).as_string::<i32>().iter().flatten());
        assert!(texts.is_sorted() && found.iter().map(|batch| batch.num_rows()).sum::<usize>() == 100);
    }
}

#[tokio::test]
async fn other_stores_give_the_same_rows() {
    let store = InMemory::new();
    for (name, content) in [("d/a.txt", &b"plain"[..]), ("d/b.txt", b"a\0b"), ("d/c.txt", b"\xff"), ("d/e/f.txt", b"")]
    {
        store.put(&ObjectPath::from(name), PutPayload::from(content.to_vec())).await.unwrap();
    }
    let ctx = session(2);
    let url = ObjectStoreUrl::parse("mem://lake").unwrap();
    ctx.register_object_store(url.as_ref(), Arc::new(store));
    let here = std::path::Path::new("/nowhere");
    let found = rows(&ctx, here, "SELECT path, size, text FROM 'mem://lake/d/**/*.txt'").await;
    assert_eq!(found, ["mem://lake/d/a.txt|5|plain", "mem://lake/d/e/f.txt|0|"]);
    assert_eq!(rows(&ctx, here, "SELECT text FROM 'mem://lake/d/a.txt'").await, ["plain"]);
    let message = error(&ctx, here, "SELECT * FROM 'mem://lake/none/*.txt'").await;
    assert!(message.contains("no file matches 'mem://lake/none/*.txt'"), "{message}");
    assert!(error(&ctx, here, "SELECT * FROM 'mem://other/x.txt'").await.contains("mem://other"));
}

/// Times on this machine: `cargo test --release -p limpid-connectors ten_thousand -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn ten_thousand_files() {
    let dir = tempdir().unwrap();
    let content = "0123456789".repeat(1024);
    for i in 0..10_000 {
        write(dir.path(), &format!("{}/{i}.rs", i % 100), &content);
    }
    let own = format!("{}/**/*.rs", dir.path().display());
    for pattern in [Some(own), std::env::var("LIMPID_MEASURE").ok()].into_iter().flatten() {
        for partitions in [1, 2] {
            let ctx = session(partitions);
            for sql in ["count(*)", "sum(length(text))", "count(DISTINCT path)"].repeat(2) {
                let start = Instant::now();
                let frame = ctx.sql(&format!("SELECT {sql} FROM '{pattern}'")).await.unwrap();
                let planned = start.elapsed();
                let found = frame.collect().await.unwrap();
                let value = array_value_to_string(found[0].column(0), 0).unwrap();
                println!(
                    "{partitions} partitions, {sql} = {value}: listed in {planned:?}, done in {:?}",
                    start.elapsed()
                );
            }
        }
    }
}
