use std::io::Write;
use std::path::Path;

use datafusion::prelude::SessionContext;
use tempfile::{TempDir, tempdir};

use super::{Format, SourceSpec, list, table};
use crate::testing::{batches, count, error, rows, session, write};

fn gz(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zst(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 3).unwrap()
}

async fn parquet(ctx: &SessionContext, folder: &Path, name: &str, sql: &str) {
    std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
    batches(ctx, &format!("COPY ({sql}) TO '{}' STORED AS PARQUET", folder.join(name).display())).await;
}

/// Three Parquet files of two rows each.
async fn lake(ctx: &SessionContext) -> TempDir {
    let dir = tempdir().unwrap();
    for (name, id) in [("a.parquet", 1), ("x/b.parquet", 3), ("x/y/c.parquet", 5)] {
        parquet(
            ctx,
            dir.path(),
            name,
            &format!("SELECT * FROM (VALUES ({id}, 'r{id}'), ({}, 's')) t(id, name)", id + 1),
        )
        .await;
    }
    dir
}

#[tokio::test]
async fn every_format_by_its_extension() {
    let dir = tempdir().unwrap();
    let ctx = session(2);
    parquet(&ctx, dir.path(), "t.parquet", "SELECT 1 AS id, 'x' AS name").await;
    let lines = "{\"id\":1,\"name\":\"x\"}\n";
    write(dir.path(), "t.jsonl", lines);
    write(dir.path(), "t.ndjson", lines);
    write(dir.path(), "t.json", lines);
    write(dir.path(), "array.json", " [{\"id\":1,\"name\":\"x\"}]");
    write(dir.path(), "t.jsonl.gz", gz(lines));
    write(dir.path(), "t.jsonl.zst", zst(lines));
    write(dir.path(), "t.json.gz", gz(lines));
    write(dir.path(), "t.csv", "id,name\n1,x\n");
    write(dir.path(), "t.tsv", "id\tname\n1\tx\n");
    write(dir.path(), "t.csv.zst", zst("id,name\n1,x\n"));
    write(dir.path(), "t.tsv.gz", gz("id\tname\n1\tx\n"));
    for name in [
        "t.parquet",
        "t.jsonl",
        "t.ndjson",
        "t.json",
        "array.json",
        "t.jsonl.gz",
        "t.jsonl.zst",
        "t.json.gz",
        "t.csv",
        "t.tsv",
        "t.csv.zst",
        "t.tsv.gz",
    ] {
        let found = rows(&ctx, dir.path(), &format!("SELECT id + 1, name FROM '{{}}/{name}'")).await;
        assert_eq!(found, ["2|x"], "{name}");
    }
    write(dir.path(), "t.html", "<p>");
    write(dir.path(), "Makefile", "all:");
    for (name, text) in [("t.html", "<p>"), ("Makefile", "all:")] {
        assert_eq!(rows(&ctx, dir.path(), &format!("SELECT text FROM '{{}}/{name}'")).await, [text]);
    }
}

#[tokio::test]
async fn globs_folders_and_braces() {
    let ctx = session(3);
    let dir = lake(&ctx).await;
    write(dir.path(), ".hidden/d.parquet", "not parquet");
    write(dir.path(), "_manifest.json", "{}");
    write(dir.path(), "notes [1].txt", "n");
    for (from, expected) in [
        ("'{}/a.parquet'", 2),
        ("'{}/*.parquet'", 2),
        ("'{}/**/*.parquet'", 6),
        ("'{}/x'", 4),
        ("'{}/x/'", 4),
        ("'{}/x/*/?.parquet'", 2),
        ("'{}/x/[a-b].parquet'", 2),
        ("'{}/{a,x/b}.parquet'", 4),
        ("'{}/{a,**/c}.parquet'", 4),
        ("'{}/{**/*,a}.parquet'", 6),
        ("'{}/x/../a.parquet'", 2),
        ("'file://{}/x/**/*.parquet'", 4),
        ("'{}/notes [1].txt'", 1),
    ] {
        assert_eq!(count(&ctx, dir.path(), from).await, expected, "{from}");
    }
    let found = rows(&ctx, dir.path(), "SELECT name FROM '{}/**/*.parquet' WHERE id % 2 = 1").await;
    assert_eq!(found, ["r1", "r3", "r5"]);
    // A join, an alias, a CTE.
    let sql = "WITH d AS (SELECT * FROM '{}/x') SELECT count(*) FROM d JOIN '{}/**/*.parquet' p ON d.id = p.id";
    assert_eq!(rows(&ctx, dir.path(), sql).await, ["4"]);
}

#[tokio::test]
async fn relative_paths_and_home() {
    // The current folder of a test is that of the crate.
    let ctx = session(2);
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for from in ["'./Cargo.toml'", "'Cargo.toml'", "'src/../Cargo.toml'", "'Cargo.{toml,none}'"] {
        assert_eq!(rows(&ctx, here, &format!("SELECT path FROM {from}")).await, ["/Cargo.toml"], "{from}");
    }
    let home = std::env::home_dir().unwrap();
    let message = error(&ctx, &home, "SELECT * FROM '~/limpid-no-such-folder/*.rs'").await;
    assert!(message.contains("(searched: /limpid-no-such-folder, which does not exist)"), "{message}");
}

#[tokio::test]
async fn errors_say_what_and_where() {
    let ctx = session(2);
    let dir = lake(&ctx).await;
    write(dir.path(), "mixed/a.jsonl", "{\"a\":1}\n");
    write(dir.path(), "mixed/b.csv", "a\n1\n");
    write(dir.path(), "mixed/c.txt", "x");
    write(dir.path(), "mixed/d.md", "x");
    write(dir.path(), "clash/a.csv", "v\n1\n");
    write(dir.path(), "empty.jsonl", "");
    std::fs::create_dir(dir.path().join("nothing")).unwrap();
    for (sql, parts) in [
        ("SELECT * FROM '{}/*.orc'", &["no file matches '/*.orc'", "searched: "][..]),
        ("SELECT * FROM '{}/gone/*.parquet'", &["searched: /gone, which does not exist"]),
        ("SELECT * FROM '{}/nothing'", &["no file matches '/nothing'"]),
        ("SELECT * FROM '{}/mixed'", &["1 JSON (/mixed/a.jsonl)", "1 CSV (/mixed/b.csv)", "2 TEXT (/mixed/c.txt)"]),
        ("SELECT * FROM '{}/{a.parquet'", &["has a { without its }"]),
        ("SELECT * FROM '{}/[a.parquet'", &["not a valid glob"]),
        ("SELECT * FROM '{}/empty.jsonl'", &["hold no rows"]),
        ("SELECT * FROM no_such_table", &["no_such_table"]),
        ("SELECT * FROM 'ftp://host/x.csv'", &["ftp://host"]),
    ] {
        let message = error(&ctx, dir.path(), sql).await;
        assert!(parts.iter().all(|part| message.contains(part)), "{sql}: {message}");
    }
}

#[tokio::test]
async fn damaged_files_are_named() {
    let ctx = session(2);
    let dir = lake(&ctx).await;
    let whole = std::fs::read(dir.path().join("a.parquet")).unwrap();
    write(dir.path(), "x/cut.parquet", &whole[..whole.len() / 2]);
    let message = error(&ctx, dir.path(), "SELECT * FROM '{}/x'").await;
    assert!(message.contains("cannot read /x/cut.parquet as PARQUET"), "{message}");
    std::fs::write(dir.path().join("x/cut.parquet"), "").unwrap();
    let message = error(&ctx, dir.path(), "SELECT * FROM '{}/x'").await;
    assert!(message.contains("cannot read /x/cut.parquet as PARQUET"), "{message}");
    std::fs::remove_file(dir.path().join("x/cut.parquet")).unwrap();
    parquet(&ctx, dir.path(), "x/other.parquet", "SELECT DATE '2024-01-01' AS id").await;
    let message = error(&ctx, dir.path(), "SELECT * FROM '{}/x'").await;
    assert!(message.contains("columns of") && message.contains("do not fit"), "{message}");
    write(dir.path(), "bad.jsonl", "{\"a\": 1\n");
    let message = error(&ctx, dir.path(), "SELECT * FROM '{}/bad.jsonl'").await;
    assert!(message.contains("/bad.jsonl"), "{message}");
}

#[tokio::test]
async fn partition_folders_become_columns() {
    let ctx = session(3);
    let dir = tempdir().unwrap();
    for (year, lang) in [(2023, "en"), (2024, "en"), (2024, "de%20at")] {
        let name = format!("year={year}/lang={lang}/part.parquet");
        parquet(&ctx, dir.path(), &name, &format!("SELECT {year} * 10 AS v")).await;
    }
    let sql = "SELECT v, year, lang FROM '{}/**/*.parquet'";
    assert_eq!(rows(&ctx, dir.path(), sql).await, ["20230|2023|en", "20240|2024|de at", "20240|2024|en"]);
    let pruned = "EXPLAIN SELECT v FROM '{}' WHERE year = '2024' AND lang <> 'en'";
    let plan = rows(&ctx, dir.path(), pruned).await.join("\n");
    assert!(plan.contains("lang=de%20at") && !plan.contains("year=2023") && !plan.contains("lang=en"), "{plan}");
    assert_eq!(rows(&ctx, dir.path(), "SELECT v FROM '{}' WHERE year = '2024' AND lang <> 'en'").await, ["20240"]);
    assert_eq!(rows(&ctx, dir.path(), "SELECT v FROM '{}' WHERE year = '1999'").await, [] as [&str; 0]);
    // Only the folders below the fixed part.
    let fixed = rows(&ctx, dir.path(), "SELECT * FROM '{}/year=2023/**/*.parquet'").await;
    assert_eq!(fixed, ["20230|en"]);
    // The same for text files.
    for year in [1, 2] {
        write(dir.path(), &format!("text/y={year}/a.txt"), format!("t{year}"));
    }
    assert_eq!(rows(&ctx, dir.path(), "SELECT text, y FROM '{}/text' WHERE y = '2'").await, ["t2|2"]);
    assert_eq!(rows(&ctx, dir.path(), "SELECT y, count(*) FROM '{}/text' GROUP BY y").await, ["1|1", "2|1"]);
}

#[tokio::test]
async fn sources_take_several_patterns_and_excludes() {
    let dir = tempdir().unwrap();
    for name in ["a/1.rs", "a/2.md", "b/3.rs", "b/target/4.rs", "b/5.min.rs", "c/6.log"] {
        write(dir.path(), name, name);
    }
    let root = dir.path().to_str().unwrap();
    let ctx = session(2);
    let state = ctx.state();
    let names = async |spec: SourceSpec| -> Vec<String> {
        let found = table(&state, &spec).await.unwrap();
        found.paths().map(|path| path.strip_prefix(root).unwrap().to_owned()).collect()
    };
    let spec = SourceSpec {
        paths: vec![format!("{root}/b/**/*.rs"), format!("{root}/{{a,b}}/*.{{md,rs}}")],
        exclude: vec!["target".into(), "*.min.rs".into()],
        ..SourceSpec::default()
    };
    assert_eq!(names(spec.clone()).await, ["/a/1.rs", "/a/2.md", "/b/3.rs"]);
    let all = SourceSpec { exclude: vec!["**/*.rs".into(), "*.md".into()], ..spec.clone() };
    let message = table(&state, &all).await.unwrap_err().to_string();
    assert!(message.contains("exclude takes out all 3 matches"), "{message}");
    let typo = SourceSpec { paths: vec![format!("{root}/a/*.rs"), format!("{root}/z/*.rs")], ..spec.clone() };
    assert!(table(&state, &typo).await.unwrap_err().to_string().contains("/z/*.rs"));
    let stores = SourceSpec { paths: vec![format!("{root}/a/*.rs"), "s3://b/x".into()], ..spec };
    assert!(table(&state, &stores).await.unwrap_err().to_string().contains("two stores"));
    write(dir.path(), "c/7.log", "{\"a\":1}");
    write(dir.path(), "c/6.log", "{\"a\":2}");
    let forced = SourceSpec { format: Some(Format::Json), ..SourceSpec::new(format!("{root}/c/*.log")) };
    let found = table(&state, &forced).await.unwrap();
    assert_eq!(found.parts().file_schema.field(0).name(), "a");
    let semicolons = SourceSpec {
        options: [("delimiter".to_owned(), ";".to_owned())].into(),
        ..SourceSpec::new(format!("{root}/d.csv"))
    };
    write(dir.path(), "d.csv", "a;b\n1;2\n");
    assert_eq!(table(&state, &semicolons).await.unwrap().parts().file_schema.fields().len(), 2);
    assert!(list(&state, &SourceSpec::default()).await.is_err());
}

#[tokio::test]
async fn json_lines_in_statements() {
    let dir = tempdir().unwrap();
    let ctx = session(2);
    write(dir.path(), "in/a.jsonl", "{\"a\":1}\n{\"a\":2}\n");
    write(dir.path(), "in/b.ndjson", "{\"a\":3}\n");
    write(dir.path(), "z/a.jsonl.zst", zst("{\"a\":7}\n"));
    write(dir.path(), "plain/a.json", "{\"a\":9}\n");
    for (name, stored, location, expected) in [
        ("t1", "JSON", "in/", "6"),
        ("t2", "JSON", "in/a.jsonl", "3"),
        ("t3", "JSON", "z/", "7"),
        ("t4", "JSON", "z/a.jsonl.zst", "7"),
        ("t5", "JSON", "plain/", "9"),
        ("t6", "JSONL", "in/*.jsonl", "3"),
        ("t7", "NDJSON", "in/", "6"),
    ] {
        let location = dir.path().join(location);
        batches(&ctx, &format!("CREATE EXTERNAL TABLE {name} STORED AS {stored} LOCATION '{}'", location.display()))
            .await;
        assert_eq!(rows(&ctx, dir.path(), &format!("SELECT sum(a) FROM {name}")).await, [expected], "{name}");
    }
    let columns = format!("(a DOUBLE) STORED AS JSON LOCATION '{}/in/'", dir.path().display());
    batches(&ctx, &format!("CREATE EXTERNAL TABLE t8 {columns}")).await;
    assert_eq!(rows(&ctx, dir.path(), "SELECT arrow_typeof(a) FROM t8 LIMIT 1").await, ["Float64"]);
    batches(&ctx, &format!("COPY (SELECT 5 AS a) TO '{}/out.jsonl'", dir.path().display())).await;
    assert_eq!(rows(&ctx, dir.path(), "SELECT a FROM '{}/out.jsonl'").await, ["5"]);
}

#[tokio::test]
async fn settings_of_the_session_apply_and_the_context_may_go() {
    let dir = tempdir().unwrap();
    write(dir.path(), "a.csv", "1,2\n3,4\n");
    let ctx = session(2);
    assert_eq!(count(&ctx, dir.path(), "'{}/a.csv'").await, 1);
    batches(&ctx, "SET datafusion.catalog.has_header = false").await;
    assert_eq!(count(&ctx, dir.path(), "'{}/a.csv'").await, 2);
    // A context made from the state of another one, as a cluster client does, outlives it.
    let other = SessionContext::new_with_state(ctx.state());
    drop(ctx);
    assert!(count(&other, dir.path(), "'{}/a.csv'").await > 0);
}

#[tokio::test]
async fn names_of_tables_are_not_paths() {
    // The crate's folder holds `src`, which must not stand in the way of a table of that name.
    let ctx = session(2);
    batches(&ctx, "CREATE TABLE src AS SELECT 1 AS a").await;
    assert_eq!(rows(&ctx, Path::new("-"), "SELECT a FROM src").await, ["1"]);
}

#[tokio::test]
async fn what_is_no_number_is_not_taken_for_the_bounds() {
    let dir = tempdir().unwrap();
    let ctx = session(2);
    // The footer's bounds are 5.625 and 5.625: NaN is in neither.
    let [number, nan] = ["5.625", "NaN"].map(|text| format!("arrow_cast('{text}', 'Float64')"));
    let sql = format!("SELECT * FROM (VALUES (1, {number}), (2, {nan}), (3, {nan})) t(id, share)");
    parquet(&ctx, dir.path(), "t.parquet", &sql).await;
    assert_eq!(rows(&ctx, dir.path(), "SELECT id, share FROM '{}/t.parquet'").await, ["1|5.625", "2|NaN", "3|NaN"]);
    assert_eq!(rows(&ctx, dir.path(), "SELECT count(*) FROM '{}/t.parquet' WHERE isnan(share)").await, ["2"]);
}
