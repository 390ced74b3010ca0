use std::io::Write;
use std::path::Path;

use datafusion::prelude::SessionContext;
use tempfile::{TempDir, tempdir};

use super::records::JSON;
use super::{SourceSpec, list, table};
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
    let forced = SourceSpec { format: Some(JSON), ..SourceSpec::new(format!("{root}/c/*.log")) };
    let found = table(&state, &forced).await.unwrap();
    assert_eq!(found.parts().file_schema.field(0).name(), "a");
    write(dir.path(), "d/1.jsonl", "{\"a\":1}\n");
    write(dir.path(), "d/2.jsonl.gz", gz("{\"a\":2}\n"));
    let paths = vec![format!("{root}/d/1.jsonl"), format!("{root}/d/2.jsonl.gz")];
    let compressed_differently = SourceSpec { paths, ..SourceSpec::default() };
    assert_eq!(names(compressed_differently).await, ["/d/1.jsonl", "/d/2.jsonl.gz"]);
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
    write(dir.path(), "a.csv", "a,b\n3,4\n");
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

/// Rows of `sql` over tables with provenance, for several numbers of partitions.
async fn with_provenance(folder: &Path, path: &str, columns: &str, condition: &str) -> Vec<String> {
    let mut seen: Option<Vec<String>> = None;
    for partitions in [1, 2, 8] {
        let ctx = session(partitions);
        let spec = SourceSpec { provenance: true, ..SourceSpec::new(format!("{}/{path}", folder.display())) };
        let found = table(&ctx.state(), &spec).await.unwrap();
        ctx.register_table("t", found).unwrap();
        let found = rows(&ctx, folder, &format!("SELECT {columns} FROM t {condition}")).await;
        assert_eq!(seen.get_or_insert_with(|| found.clone()), &found, "{partitions} partitions: {condition}");
    }
    seen.unwrap()
}

#[tokio::test]
async fn rows_of_parquet_files_know_where_they_came_from() {
    let dir = tempdir().unwrap();
    let ctx = session(1);
    for file in 0..3 {
        let sql = format!("SELECT value AS id, {file} AS f FROM range(1000)");
        let to = dir.path().join(format!("{file}.parquet"));
        let options = "OPTIONS (max_row_group_size 128)";
        batches(&ctx, &format!("COPY ({sql}) TO '{}' STORED AS PARQUET {options}", to.display())).await;
    }
    for condition in
        ["", "WHERE id > 700", "WHERE id = 513", "WHERE id % 7 = 3 AND f = 1", "WHERE _row BETWEEN 300 AND 400"]
    {
        let wrong = format!("{condition} {} (id <> _row)", if condition.is_empty() { "WHERE" } else { "AND" });
        assert_eq!(with_provenance(dir.path(), "*.parquet", "count(*)", &wrong).await, ["0"], "{condition}");
    }
    let found = with_provenance(dir.path(), "*.parquet", "f, _file, _row_id", "WHERE id = 513").await;
    assert_eq!(found, ["0|/0.parquet|/0.parquet#513", "1|/1.parquet|/1.parquet#513", "2|/2.parquet|/2.parquet#513"]);
    let by_row = "WHERE _row = 999 AND _file LIKE '%1.parquet'";
    assert_eq!(with_provenance(dir.path(), "*.parquet", "id, f", by_row).await, ["999|1"]);
    let by_id = format!("WHERE _row_id = '{}/2.parquet#7'", dir.path().display());
    assert_eq!(with_provenance(dir.path(), "*.parquet", "id, f", &by_id).await, ["7|2"]);
    assert_eq!(with_provenance(dir.path(), "*.parquet", "count(*), count(DISTINCT _row_id)", "").await, ["3000|3000"]);
    assert_eq!(with_provenance(dir.path(), "*.parquet", "count(*)", "").await, ["3000"]);
}

#[tokio::test]
async fn a_text_file_is_row_0_of_itself() {
    let dir = tempdir().unwrap();
    write(dir.path(), "k=1/a.rs", "one");
    write(dir.path(), "k=2/b.rs", "two");
    let found = with_provenance(dir.path(), "**/*.rs", "text, k, _file, _row, _row_id", "").await;
    assert_eq!(found, ["one|1|/k=1/a.rs|0|/k=1/a.rs#0", "two|2|/k=2/b.rs|0|/k=2/b.rs#0"]);
}

#[tokio::test]
async fn columns_of_the_files_themselves_win() {
    let dir = tempdir().unwrap();
    parquet(&session(1), dir.path(), "t.parquet", "SELECT 'mine' AS _file, 7 AS id").await;
    assert_eq!(with_provenance(dir.path(), "t.parquet", "*", "").await, ["mine|7"]);
}

#[tokio::test]
async fn a_named_file_is_read_by_its_content_or_refused() {
    let dir = tempdir().unwrap();
    let ctx = session(2);
    let lines = "{\"id\":1,\"name\":\"x\"}\n{\"id\":2,\"name\":\"y\"}\n";
    parquet(&ctx, dir.path(), "t.parquet", "SELECT 1 AS id, 'x' AS name UNION ALL SELECT 2, 'y'").await;
    let bytes = std::fs::read(dir.path().join("t.parquet")).unwrap();
    for name in ["t.pq", "T.PARQ", "dump", "data.bin"] {
        write(dir.path(), name, &bytes);
    }
    write(dir.path(), "t.jsonl.zstd", zst(lines));
    write(dir.path(), "t.JSONL.GZIP", gz(lines));
    write(dir.path(), "t.jl", lines);
    write(dir.path(), "records", lines);
    write(dir.path(), "service.log", lines);
    write(dir.path(), "array", "[{\"id\":1,\"name\":\"x\"},\n{\"id\":2,\"name\":\"y\"}]");
    write(dir.path(), "dump.zst", zst(lines));
    write(dir.path(), "t.tab", "id\tname\n1\tx\n2\ty\n");
    write(dir.path(), "plain.jsonl.gz", lines);
    write(dir.path(), "squeezed.jsonl", gz(lines));
    for name in [
        "t.pq",
        "T.PARQ",
        "dump",
        "data.bin",
        "t.jsonl.zstd",
        "t.JSONL.GZIP",
        "t.jl",
        "records",
        "service.log",
        "array",
        "dump.zst",
        "t.tab",
        "plain.jsonl.gz",
        "squeezed.jsonl",
    ] {
        let found = rows(&ctx, dir.path(), &format!("SELECT id, name FROM '{{}}/{name}'")).await;
        assert_eq!(found, ["1|x", "2|y"], "{name}");
    }
    // What is text by its name stays text.
    write(dir.path(), "code/main.rs", "fn main() {}\n");
    write(dir.path(), "code/Makefile", "all:\n");
    write(dir.path(), "code/notes.txt", lines);
    write(dir.path(), "code/picture.png", b"\x89PNG\0\0");
    write(dir.path(), "wide.txt", b"\xff\xfeh\0i\0");
    for (path, count_of) in
        [("code/main.rs", 1), ("code/Makefile", 1), ("code/notes.txt", 1), ("code/*", 3), ("wide.txt", 1)]
    {
        assert_eq!(count(&ctx, dir.path(), &format!("'{{}}/{path}'")).await, count_of, "{path}");
    }
    assert_eq!(rows(&ctx, dir.path(), "SELECT text FROM '{}/wide.txt'").await, ["hi"]);
    for (name, content, said) in [
        ("a.arrow", &b"ARROW1\0\0"[..], "a.arrow is Arrow IPC, which limpid does not read"),
        ("a.feather", b"anything", "is Arrow IPC"),
        ("a.xlsx", b"PK\x03\x04", "a workbook"),
        ("a.avro", b"Obj\x01", "Avro"),
        ("book", b"PK\x03\x04", "a ZIP archive"),
        ("a.jsonl", &bytes, "is Parquet although its name says JSON"),
        ("a.txt", &bytes, "is Parquet although its name says TEXT"),
        ("b.parquet", b"id,name\n1,x\n", "is no Parquet file although its name says so: it is text"),
        ("c.parquet", &gz("x"), "it is compressed with gzip"),
        ("notes.txt.gz", &gz("x"), "compressed text files are not read"),
        ("d.csv", b"PK\x03\x04", "a ZIP archive"),
        ("e", b"a\0b", "e is no text: it is binary"),
        ("f.txt", b"caf\xe9", "f.txt is no text: it is not valid UTF-8"),
        ("many/1.dat", &bytes, ""),
        ("many/2.dat", &bytes, ""),
    ] {
        write(dir.path(), name, content);
        if !said.is_empty() {
            let found = error(&ctx, dir.path(), &format!("SELECT * FROM '{{}}/{name}'")).await;
            assert!(found.contains(said), "{name}: {found}");
        }
    }
    let found = error(&ctx, dir.path(), "SELECT * FROM '{}/many/*.dat'").await;
    assert!(found.contains("has no text") && found.contains("1.dat is Parquet"), "{found}");
}
