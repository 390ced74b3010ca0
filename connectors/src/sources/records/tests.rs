use std::io::Write;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;
use tempfile::tempdir;

use crate::sources::{SourceSpec, table};
use crate::testing::{batches, error, rows, session, write};

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn source(folder: &Path, pattern: &str, options: &[(&str, &str)]) -> SourceSpec {
    SourceSpec {
        options: options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..SourceSpec::new(format!("{}/{pattern}", folder.display()))
    }
}

async fn read(ctx: &SessionContext, spec: &SourceSpec) -> Result<Vec<RecordBatch>, String> {
    let table = table(&ctx.state(), spec).await.map_err(|e| e.to_string())?;
    ctx.read_table(table).unwrap().collect().await.map_err(|e| e.to_string())
}

fn print(batches: &[RecordBatch], row: usize, batch: usize) -> String {
    let columns = batches[batch].columns().iter();
    columns
        .map(|c| if c.is_null(row) { "NULL".to_owned() } else { array_value_to_string(c, row).unwrap() })
        .collect::<Vec<_>>()
        .join("|")
}

fn lines(batches: &[RecordBatch]) -> Vec<String> {
    (0..batches.len())
        .flat_map(|b| (0..batches[b].num_rows()).map(move |r| (b, r)))
        .map(|(b, r)| print(batches, r, b))
        .collect()
}

fn types(batches: &[RecordBatch]) -> Vec<String> {
    batches[0].schema().fields().iter().map(|f| format!("{}:{}", f.name(), f.data_type())).collect()
}

/// Rows of a file, in its order.
async fn file(name: &str, content: impl AsRef<[u8]>, options: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let dir = tempdir().unwrap();
    write(dir.path(), name, content);
    let found = read(&session(1), &source(dir.path(), name, options)).await;
    let plain = |text: String| text.replace(dir.path().to_str().unwrap(), "");
    found.map(|batches| lines(&batches).into_iter().map(plain).collect()).map_err(plain)
}

/// Long records have batches of their own, and what was read of the file is let go with them.
#[tokio::test]
async fn long_records_are_read_among_short_ones() {
    let long = |at: usize| format!("{at} said \"so\"\n").repeat((5 << 20) / 14 * (1 + at % 2) / 2 + at);
    let texts: Vec<String> = (0..60).map(|at| if at % 10 < 3 { long(at) } else { format!("short \"{at}\"") }).collect();
    let csv = |text: &String| format!("{},\"{}\",end\n", text.len(), text.replace('"', "\"\""));
    let json = |text: &String| format!("{}\n", serde_json::json!({ "size": text.len(), "text": text, "last": "end" }));
    let csv = format!("size,text,last\n{}", texts.iter().map(csv).collect::<String>());
    let lines: String = texts.iter().map(json).collect();
    let document = format!("[{}]", lines.trim_end().replace("}\n{", "},\n{"));
    let expected: Vec<_> = texts.iter().map(|text| format!("{}|{text}|end", text.len())).collect();
    for (name, content) in [("a.csv", csv), ("a.jsonl", lines), ("a.json", document)] {
        let mut found = file(name, content, &[]).await.unwrap();
        // The columns of objects are in the order of their names.
        if name != "a.csv" {
            found = found
                .iter()
                .map(|row| {
                    let (last, rest) = row.split_once('|').unwrap();
                    format!("{rest}|{last}")
                })
                .collect();
        }
        assert!(
            found == expected,
            "{name}: {} of {} rows are the same",
            found.iter().zip(&expected).filter(|(a, b)| a == b).count(),
            expected.len()
        );
    }
}

#[tokio::test]
async fn columns_are_matched_by_name() {
    let dir = tempdir().unwrap();
    let ctx = session(2);
    write(dir.path(), "a.csv", "title,text\nalpha,one two\n");
    write(dir.path(), "b.csv", "text,title,extra\nthree four,beta,5\n");
    write(dir.path(), "empty.csv", "");
    write(dir.path(), "c.csv.gz", gz(b"extra;title\n6;gamma\n"));
    let sql = "SELECT title, text, extra FROM '{}/*.csv*'";
    assert_eq!(rows(&ctx, dir.path(), sql).await, ["alpha|one two|", "beta|three four|5", "gamma||6"]);
    write(dir.path(), "j/1.jsonl", "{\"id\":1}\n");
    write(dir.path(), "j/2.jsonl", "{\"extra\":[1],\"id\":2}\n{\"ID\":3}\n");
    assert_eq!(rows(&ctx, dir.path(), "SELECT * FROM '{}/j'").await, ["1||", "2|[1]|", "||3"]);
}

#[tokio::test]
async fn types_are_inferred_from_everything() {
    let dir = tempdir().unwrap();
    let ctx = session(3);
    let mut late = String::new();
    for i in 0..3000 {
        late.push_str(&format!("{{\"id\":{i},\"f\":1,\"m\":1,\"n\":null,\"u\":1,\"w\":1,\"b\":9007199254740993}}\n"));
    }
    late.push_str("{\"id\":3000,\"f\":5.7,\"m\":\"abc\",\"n\":\"late\",\"u\":18446744073709551615,\"w\":-99999999999999999999,\"b\":1.5,\"new\":true}\n");
    write(dir.path(), "late.jsonl", late);
    let found = read(&ctx, &source(dir.path(), "late.jsonl", &[])).await.unwrap();
    assert_eq!(
        types(&found),
        [
            "id:Int64",
            "f:Float64",
            "m:Utf8View",
            "n:Utf8View",
            "u:UInt64",
            "w:Decimal128(38, 0)",
            "b:Utf8View",
            "new:Boolean"
        ]
    );
    let all = lines(&found);
    assert_eq!(all.len(), 3001);
    assert!(all.contains(&"3000|5.7|abc|late|18446744073709551615|-99999999999999999999|1.5|true".to_owned()));
    assert!(all.contains(&"7|1.0|1|NULL|1|1|9007199254740993|NULL".to_owned()));
}

#[tokio::test]
async fn csv_values_stay_what_they_are() {
    let text = "id,zip,d,e,n,q\n007,\"02138\",2024-01-31,1e5,1,\n7,10001,2024-02-01,2e5,,\"\"\n08028,+5,2024-02-02,3e5,\"\",x\n";
    let found = file("a.csv", text, &[]).await.unwrap();
    assert_eq!(
        found,
        ["007|02138|2024-01-31|1e5|1|NULL", "7|10001|2024-02-01|2e5|NULL|", "08028|+5|2024-02-02|3e5||x"]
    );
}

#[tokio::test]
async fn bytes_of_all_kinds() {
    let expected = ["1|José", "2|\u{20ac}"];
    let text = "id,name\n1,José\n2,\u{20ac}\n";
    let windows = [b"id,name\n1,Jos\xe9\n2,\x80\n".to_vec(), Vec::new()].concat();
    let little: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect();
    let members = [gz(b"id,name\n1,Jos\xc3\xa9\n"), gz("2,\u{20ac}\n".as_bytes())].concat();
    let frames = [
        zstd::encode_all(&b"id,name\n1,Jos\xc3\xa9\n"[..], 3).unwrap(),
        zstd::encode_all("2,\u{20ac}\n".as_bytes(), 3).unwrap(),
    ]
    .concat();
    for (name, bytes, options) in [
        ("bom.csv", format!("\u{feff}{}", text.replace('\n', "\r\n")).into_bytes(), &[][..]),
        ("cr.csv", text.replace('\n', "\r").into_bytes(), &[]),
        ("windows.csv", windows, &[("encoding", "windows-1252")]),
        ("little.csv", little, &[]),
        ("big.csv", big, &[]),
        ("members.csv.gz", members.clone(), &[]),
        ("frames.csv.zst", frames, &[]),
        ("another-name.csv", members, &[]),
        ("blank.csv", "\n\nid,name\n\n1,José\n\r\n2,\u{20ac}\n\n".into(), &[]),
    ] {
        assert_eq!(file(name, bytes, options).await.unwrap(), expected, "{name}");
    }
    assert_eq!(file("one.csv", "id\nx\n\ny\n", &[]).await.unwrap(), ["x", "NULL", "y"]);
    assert_eq!(
        file("u2028.jsonl", "{\"a\":\"x\u{2028}y\"}\n\n  \n{\"a\":\"z\"}", &[]).await.unwrap(),
        ["x\u{2028}y", "z"]
    );
    assert_eq!(
        file("bom.jsonl.gz", gz("\u{feff}{\"a\":1}\r\n{\"a\":2}\r\n".as_bytes()), &[]).await.unwrap(),
        ["1", "2"]
    );
    for name in ["a.csv", "a.jsonl.gz", "a.json.zst"] {
        assert!(file(name, "", &[]).await.unwrap_err().contains("hold no rows"), "{name}");
        assert_eq!(file(name, "", &[("columns", "a INT")]).await, Ok(Vec::new()), "{name}");
    }
}

#[tokio::test]
async fn json_documents() {
    let expected = ["1|{x: [1, 2]}", "2|"];
    for text in [
        "[{\"a\":1,\"b\":{\"x\":[1,2]}},{\"a\":2}]",
        "[\n  {\n    \"a\": 1,\n    \"b\": {\"x\": [1, 2]}\n  },\n  {\"a\": 2}\n]\n",
        "{\n \"a\": 1, \"b\": {\"x\": [1,2]}\n}\n{\n \"a\": 2\n}\n",
        "{\"a\":1,\"b\":{\"x\":[1,2]}}{\"a\":2}",
        "{\"a\":1,\"b\":{\"x\":[1,2]}}\n{\"a\":2}",
    ] {
        let found = file("a.json", text, &[]).await.unwrap();
        let found: Vec<String> = found.iter().map(|row| row.replace("NULL", "")).collect();
        assert_eq!(found, expected, "{text}");
    }
    let mixed =
        "{\"a\":1,\"b\":[2.0],\"c\":{},\"d\":{\"k\":\"v\"}}\n{\"a\":\"x\",\"b\":4,\"c\":null,\"d\":[1,\"x\"]}\n";
    assert_eq!(file("m.jsonl", mixed, &[]).await.unwrap(), ["1|[2.0]|{}|{\"k\":\"v\"}", "x|4|NULL|[1,\"x\"]"]);
    let error = file("a.json", "[{\"a\":1},\n{\"a\":]", &[("on_error", "skip")]).await.unwrap_err();
    assert!(error.contains("/a.json, line 2: not JSON: expected a value, found ']'"), "{error}");
}

fn hundred(bad: &[u8]) -> Vec<u8> {
    let good = |range: std::ops::Range<usize>| {
        range.map(|i| format!("{{\"id\":{i},\"text\":\"row {i}\"}}\n")).collect::<String>()
    };
    [good(0..50).as_bytes(), bad, good(50..100).as_bytes()].concat()
}

#[tokio::test]
async fn one_bad_json_record() {
    let dir = tempdir().unwrap();
    let ctx = session(2);
    for (i, (bad, reason)) in [
        (&b"{\"id\":1000,\"text\":\"half \\ud83d emoji\"}\n"[..], "column text: '\\ud83d' is half of a character"),
        (b"{\"id\":1000,\"text\":\"caf\xe9\"}\n", "the record is not valid UTF-8"),
        (b"{\"id\":1000,\"text\":\"the wri\n", "the record ends before it is complete"),
        (b"<html>502</html>\n", "not JSON: expected a value, found '<html>502</html>'"),
        (b"[1,2]\n", "a record must be an object, this is an array"),
        (b"{\"id\":NaN,\"text\":\"x\"}\n", "column id: 'NaN' is not JSON"),
        (b"{\"id\":1000,\"text\":\"a\"}{\"id\":1001,\"text\":\"b\"}\n", "follows the end of the record"),
        (b"\x00\x00\x00\x00\n", "expected a value"),
        (b"null\n", "this is null"),
        (b"{\"id\":1000,\"id\":1,\"text\":\"a\"}\n", "the key id is there twice"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{i}.jsonl");
        write(dir.path(), &name, hundred(bad));
        let message = error(&ctx, dir.path(), &format!("SELECT count(*), max(id) FROM '{{}}/{name}'")).await;
        assert!(message.contains(&format!("/{name}, line 51: ")) && message.contains(reason), "{message}");
        let good = read(&ctx, &source(dir.path(), &name, &[("on_error", "skip")])).await.unwrap();
        assert_eq!((lines(&good).len(), types(&good)), (100, vec!["id:Int64".to_owned(), "text:Utf8View".to_owned()]));
        let rejects = read(&ctx, &source(dir.path(), &name, &[("rejects", "true")])).await.unwrap();
        let found = lines(&rejects);
        assert_eq!(found.len(), 1, "{found:?}");
        let cells: Vec<&str> = found[0].split('|').collect();
        let place = hundred(b"").len()
            - (50..100).map(|i| format!("{{\"id\":{i},\"text\":\"row {i}\"}}\n").len()).sum::<usize>();
        assert_eq!((cells[1], cells[2]), ("51", place.to_string().as_str()));
        assert!(cells[3].contains(reason), "{found:?}");
    }
    let nulls = file("a.jsonl", "{\"a\":1}\n{\"a\":NaN}\n{\"a\":\"\\ud83d\"}\n{\"a\":4\n", &[("on_error", "null")])
        .await
        .unwrap();
    assert_eq!(nulls, ["1", "NULL", "NULL"]);
}

#[tokio::test]
async fn bad_csv_records() {
    for (text, reason) in [
        ("a,b\n1,2\n3\n", "line 3: the record has 1 field where there are 2 columns"),
        ("a,b\n1,2\n3,4,5\n", "line 3: the record has 3 fields where there are 2 columns"),
        ("a,b\n1,2\n3,\"x\n\n", "line 3: a quote is never closed"),
        ("a,b\n1,2\n3,\"x\"y\n", "line 3: text follows a closing quote"),
    ] {
        let message = file("a.csv", text, &[]).await.unwrap_err();
        assert!(message.contains(&format!("/a.csv, {reason}")) && message.contains("on_error => 'skip'"), "{message}");
        assert_eq!(file("a.csv", text, &[("on_error", "skip")]).await.unwrap(), ["1|2"], "{text}");
        let rejects = file("a.csv", text, &[("rejects", "true")]).await.unwrap();
        assert_eq!(rejects.len(), 1);
        assert!(rejects[0].starts_with("/a.csv|3|8|"), "{rejects:?}");
    }
    assert_eq!(file("a.csv", "a,b\n1,2\n3\n", &[("ragged", "pad")]).await.unwrap(), ["1|2", "3|NULL"]);
    assert_eq!(file("a.csv", "a,b\n1,2\n3,4,\n", &[]).await.unwrap(), ["1|2", "3|4"]);
    let message = file("a.csv", b"id,name\n1,Jos\xe9\n", &[]).await.unwrap_err();
    assert!(message.contains("/a.csv, line 2: the record is not valid UTF-8; give encoding => 'latin1'"), "{message}");
    let declared = [("columns", "id INT, name VARCHAR")];
    let message = file("a.csv", "id,name\n1,a\nx,b\n", &declared).await.unwrap_err();
    assert!(message.contains("/a.csv, line 3: column id: 'x' is not of type INT"), "{message}");
    let nulls = file("a.csv", "id,name\n1,a\nx,b\n", &[declared[0], ("on_error", "null")]).await.unwrap();
    assert_eq!(nulls, ["1|a", "NULL|b"]);
}

#[tokio::test]
async fn columns_and_types_are_obeyed() {
    let text = "id,name\n007,a\n8,b\n";
    assert_eq!(
        file("a.csv", text, &[("columns", "name VARCHAR, ID INT, other DOUBLE")]).await.unwrap(),
        ["a|7|NULL", "b|8|NULL"]
    );
    assert_eq!(file("a.csv", text, &[("types", "id SMALLINT")]).await.unwrap(), ["7|a", "8|b"]);
    assert_eq!(file("a.csv", "1,x\n2,y\n", &[("columns", "a INT, b VARCHAR")]).await.unwrap(), ["1|x", "2|y"]);
    let message = file("a.csv", text, &[("types", "nope INT")]).await.unwrap_err();
    assert!(message.contains("option types names the column nope, the files have id, name"), "{message}");
    let message = file("a.csv", text, &[("columns", "x INT, y INT")]).await.unwrap_err();
    assert!(message.contains("/a.csv, line 1: the first record names none of the table's columns"), "{message}");
    let json = "{\"id\":1,\"text\":{\"a\": 1},\"more\":2}\n";
    assert_eq!(file("a.jsonl", json, &[("columns", "text VARCHAR, id DOUBLE")]).await.unwrap(), ["{\"a\": 1}|1.0"]);
}

#[tokio::test]
async fn what_a_sample_missed_is_an_error() {
    let dir = tempdir().unwrap();
    let ctx = session(2);
    let mut text = String::new();
    for i in 0..200_000 {
        let value = if i == 120_001 { "1.5".to_owned() } else { i.to_string() };
        text.push_str(&format!("{{\"id\":{i},\"v\":{value}}}\n"));
    }
    write(dir.path(), "a.jsonl", &text);
    let message = read(&ctx, &source(dir.path(), "a.jsonl", &[("sample", "1")])).await.unwrap_err();
    assert!(message.contains("a.jsonl, line 120002: column v: '1.5' is not of type BIGINT"), "{message}");
    assert!(message.contains("sample => 'all'"), "{message}");
    let found = read(&ctx, &source(dir.path(), "a.jsonl", &[("sample", "all")])).await.unwrap();
    assert_eq!(types(&found), ["id:Int64", "v:Float64"]);
    write(dir.path(), "b.jsonl", text.replace("120001,\"v\":1.5", "120001,\"note\":7,\"v\":1"));
    let message = read(&ctx, &source(dir.path(), "b.jsonl", &[("sample", "1")])).await.unwrap_err();
    assert!(message.contains("b.jsonl, line 120002: column note: this key is in no record of the sample"), "{message}");
    let csv: String = (0..200_000).map(|i| format!("{i},{}\n", if i == 150_001 { "x" } else { "7" })).collect();
    write(dir.path(), "a.csv", format!("id,v\n{csv}"));
    let message = read(&ctx, &source(dir.path(), "a.csv", &[("sample", "1")])).await.unwrap_err();
    assert!(message.contains("a.csv, line 150003: column v: 'x' is not of type BIGINT"), "{message}");
}

#[tokio::test]
async fn files_must_agree_on_a_header() {
    let dir = tempdir().unwrap();
    let ctx = session(2);
    write(dir.path(), "a.csv", "id,name\n1,a\n");
    write(dir.path(), "b.csv", "2,b\n3,c\n");
    let message = read(&ctx, &source(dir.path(), "*.csv", &[])).await.unwrap_err();
    assert!(message.contains("a.csv seems to have a header and ") && message.contains("b.csv none"), "{message}");
    write(dir.path(), "n/a.csv", "1,x\n2,y\n");
    write(dir.path(), "n/b.csv", "3,z\n");
    assert_eq!(rows(&ctx, dir.path(), "SELECT column_2, column_1 FROM '{}/n'").await, ["x|1", "y|2", "z|3"]);
}

#[tokio::test]
async fn rows_do_not_depend_on_threads_and_know_where_they_come_from() {
    let dir = tempdir().unwrap();
    let mut csv = String::from("id,text\n");
    let mut json = String::new();
    for i in 0..60_000 {
        let text = if i < 40_000 {
            "plain".to_owned()
        } else {
            (0..i % 40).map(|k| format!("{k},\"\"inner\"\" line\n")).collect()
        };
        csv.push_str(&format!("{i},\"{text}\"\n"));
        json.push_str(&format!(
            "{{\"id\":{i},\"text\":{}}}\n{}",
            serde_json::to_string(&text).unwrap(),
            if i % 7 == 0 { "\n" } else { "" }
        ));
    }
    write(dir.path(), "a.csv", csv);
    write(dir.path(), "a.jsonl", json);
    for name in ["a.csv", "a.jsonl"] {
        let mut first: Option<Vec<String>> = None;
        for threads in [1, 2, 7] {
            for batch in [8192, 100] {
                let config = SessionConfig::new().with_target_partitions(threads).with_batch_size(batch);
                let ctx = SessionContext::new_with_config(config);
                let spec = SourceSpec { provenance: true, ..source(dir.path(), name, &[]) };
                let found = table(&ctx.state(), &spec).await.unwrap();
                let frame = ctx.read_table(found).unwrap().select_columns(&["id", "text", "_row", "_row_id"]).unwrap();
                assert_eq!(frame.clone().execution_plan_partitions().await, threads.max(1), "{name} {threads}");
                let mut all = lines(&frame.collect().await.unwrap());
                all.sort();
                assert_eq!(all.len(), 60_000);
                match &first {
                    None => {
                        for row in &all {
                            let cells: Vec<&str> = row.rsplitn(3, '|').collect();
                            let id = row.split('|').next().unwrap();
                            assert_eq!((cells[1], cells[0].rsplit('#').next().unwrap()), (id, id));
                        }
                        first = Some(all);
                    }
                    Some(first) => assert!(*first == all, "{name} {threads} {batch}"),
                }
            }
        }
    }
}

trait Partitions {
    async fn execution_plan_partitions(self) -> usize;
}

impl Partitions for datafusion::prelude::DataFrame {
    async fn execution_plan_partitions(self) -> usize {
        use datafusion::physical_plan::ExecutionPlanProperties;
        self.create_physical_plan().await.unwrap().output_partitioning().partition_count()
    }
}

#[tokio::test]
async fn duplicate_names_in_a_header_are_told_apart() {
    let dir = tempdir().unwrap();
    write(dir.path(), "dup.csv", "id,value,value\n1,10,100\n");
    assert_eq!(rows(&session(1), dir.path(), "SELECT id, value, value_1 FROM '{}/dup.csv'").await, ["1|10|100"]);
}

#[tokio::test]
async fn external_tables_are_read_and_written() {
    let dir = tempdir().unwrap();
    let ctx = session(2);
    let at = |name: &str| format!("'{}/{name}'", dir.path().display());
    write(dir.path(), "semi.csv", "id;name;price\n1;Anna;1,50\n2;Bert;2,75\n");
    let options = "OPTIONS ('format.delimiter' ';', 'format.has_header' 'true')";
    batches(&ctx, &format!("CREATE EXTERNAL TABLE s STORED AS CSV LOCATION {} {options}", at("semi.csv"))).await;
    assert_eq!(rows(&ctx, dir.path(), "SELECT * FROM s").await, ["1|Anna|1,50", "2|Bert|2,75"]);
    write(dir.path(), "ids.jsonl", "{\"id\":18446744073709551615,\"text\":\"a\"}\n");
    let columns = "(id BIGINT UNSIGNED, text VARCHAR)";
    batches(&ctx, &format!("CREATE EXTERNAL TABLE u {columns} STORED AS JSON LOCATION {}", at("ids.jsonl"))).await;
    assert_eq!(rows(&ctx, dir.path(), "SELECT id FROM u").await, ["18446744073709551615"]);
    write(dir.path(), "a.tsv", "id\ttext\n1\ta,b\n");
    batches(&ctx, &format!("CREATE EXTERNAL TABLE tabs STORED AS TSV LOCATION {}", at("a.tsv"))).await;
    assert_eq!(rows(&ctx, dir.path(), "SELECT * FROM tabs").await, ["1|a,b"]);
    batches(&ctx, &format!("CREATE EXTERNAL TABLE w (a INT, b VARCHAR) STORED AS CSV LOCATION {}", at("new/"))).await;
    assert_eq!(rows(&ctx, dir.path(), "SELECT * FROM w").await, [] as [&str; 0]);
    batches(&ctx, "INSERT INTO w VALUES (1, 'x'), (2, NULL)").await;
    assert_eq!(rows(&ctx, dir.path(), "SELECT * FROM w").await, ["1|x", "2|"]);
    let message = error(
        &ctx,
        dir.path(),
        &format!("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION {} OPTIONS ('sepp' ';')", at("semi.csv")),
    )
    .await;
    assert!(message.contains("CSV has no option sepp"), "{message}");
}

/// A field of a table as a CSV file has it.
#[derive(Debug, Clone)]
enum Cell {
    Missing,
    Text(String),
}

fn cell() -> impl Strategy<Value = Cell> {
    prop_oneof![
        2 => Just(Cell::Missing),
        2 => (-1000i64..1000).prop_map(|n| Cell::Text(n.to_string())),
        1 => any::<i64>().prop_map(|n| Cell::Text(n.to_string())),
        1 => any::<u64>().prop_map(|n| Cell::Text(n.to_string())),
        2 => (-1000i32..1000).prop_map(|n| Cell::Text(format!("{:?}", f64::from(n) / 8.0))),
        1 => any::<bool>().prop_map(|b| Cell::Text(b.to_string())),
        3 => "[ -~\n\r\té€😀\"',;|]{0,12}".prop_map(Cell::Text),
        1 => "0[0-9]{1,4}|[0-9]e[0-9]|2024-0[1-9]-1[0-9]|NaN|inf|\\+1".prop_map(Cell::Text),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn csv_is_read_back(
        table in (1usize..5).prop_flat_map(|width| prop::collection::vec(prop::collection::vec(cell(), width), 1..30)),
        delimiter in prop::sample::select(vec![",", ";", "\t", "|"]),
        ending in prop::sample::select(vec!["\n", "\r\n"]),
        quoted: bool,
        encoding in 0..4,
        last_line_ends: bool,
        batch in 1usize..40,
    ) {
        let width = table[0].len();
        let header: Vec<String> = (0..width).map(|i| format!("name {i}")).collect();
        let mut text = header.join(delimiter);
        for record in &table {
            text.push_str(ending);
            let fields = record.iter().map(|cell| match cell {
                Cell::Missing => String::new(),
                Cell::Text(value) if quoted || value.is_empty() || value.contains(['"', '\n', '\r', ',', ';', '|', '\t']) => {
                    format!("\"{}\"", value.replace('"', "\"\""))
                }
                Cell::Text(value) => value.clone(),
            });
            text.push_str(&fields.collect::<Vec<_>>().join(delimiter));
        }
        if last_line_ends {
            text.push_str(ending);
        }
        let bytes = match encoding {
            0 => text.into_bytes(),
            1 => format!("\u{feff}{text}").into_bytes(),
            2 => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
            _ => gz(text.as_bytes()),
        };
        let dir = tempdir().unwrap();
        write(dir.path(), "a.csv", bytes);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let ctx = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2).with_batch_size(batch));
        let found = runtime.block_on(read(&ctx, &source(dir.path(), "a.csv", &[("header", "true"), ("delimiter", delimiter)]))).unwrap();
        let found: Vec<String> = lines(&found);
        // A single column whose last record is missing and ends no line has one line less.
        let mut table = table;
        if width == 1 && !last_line_ends && matches!(table.last().unwrap()[0], Cell::Missing) {
            table.pop();
        }
        prop_assert_eq!(found.len(), table.len());
        for (line, record) in found.iter().zip(&table) {
            let expected: Vec<String> = record.iter().map(|cell| match cell {
                Cell::Missing => "NULL".to_owned(),
                Cell::Text(text) => text.clone(),
            }).collect();
            // Cut at every `|`, those of texts too: a number between them prints in its own way.
            let expected = expected.join("|");
            let cells: Vec<(&str, &str)> = line.split('|').zip(expected.split('|')).collect();
            prop_assert_eq!(line.matches('|').count(), expected.matches('|').count());
            for (found, expected) in cells {
                // A typed column has no empty text.
                let same = found == expected
                    || (expected.is_empty() && found == "NULL")
                    || matches!((found.parse::<f64>(), expected.parse::<f64>()), (Ok(a), Ok(b)) if a == b || (a.is_nan() && b.is_nan()));
                prop_assert!(same, "{found:?} {expected:?}");
            }
        }
    }

    #[test]
    fn json_is_read_back(
        records in prop::collection::vec(prop::collection::btree_map("[a-d]", json(), 0..4), 1..30),
        pretty: bool,
        array: bool,
        batch in 1usize..40,
    ) {
        let records: Vec<serde_json::Value> = records.into_iter().map(|r| serde_json::Value::Object(r.into_iter().collect())).collect();
        prop_assume!(records.iter().any(|r| r.as_object().unwrap().values().any(|v| !v.is_null())));
        let one = |r: &serde_json::Value| if pretty { serde_json::to_string_pretty(r).unwrap() } else { r.to_string() };
        let body: Vec<String> = records.iter().map(one).collect();
        let text = if array { format!("[{}]", body.join(",\n")) } else { body.join("\n") };
        let dir = tempdir().unwrap();
        write(dir.path(), "a.json", text);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let ctx = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2).with_batch_size(batch));
        let found = runtime.block_on(read(&ctx, &source(dir.path(), "a.json", &[]))).unwrap();
        let mut at = 0;
        for batch in &found {
            for row in 0..batch.num_rows() {
                for (column, field) in batch.columns().iter().zip(batch.schema().fields()) {
                    let expected = records[at].get(field.name()).cloned().unwrap_or(serde_json::Value::Null);
                    check(column, row, &expected);
                }
                at += 1;
            }
        }
        prop_assert_eq!(at, records.len());
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        (-5i64..5).prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        (-100i32..100).prop_map(|n| (f64::from(n) / 4.0).into()),
        "[ -~\né😀\"\\\\]{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("[a-c]", inner, 0..3)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

/// Whether a value of a column says what the JSON said.
fn check(column: &dyn arrow::array::Array, row: usize, expected: &serde_json::Value) {
    use arrow::array::AsArray;
    use arrow::datatypes::DataType;
    use serde_json::Value;
    if column.is_null(row) {
        assert!(expected.is_null(), "{expected}");
        return;
    }
    match (column.data_type(), expected) {
        (DataType::Utf8View, Value::String(text)) => assert_eq!(column.as_string_view().value(row), text),
        (DataType::Utf8View, other) => {
            let found: Value = serde_json::from_str(column.as_string_view().value(row)).unwrap();
            assert_eq!(&found, other);
        }
        (DataType::Struct(fields), Value::Object(object)) => {
            for (field, child) in fields.iter().zip(column.as_struct().columns()) {
                check(child, row, object.get(field.name()).unwrap_or(&Value::Null));
            }
            assert!(object.keys().all(|key| fields.iter().any(|field| field.name() == key)));
        }
        (DataType::List(_), Value::Array(items)) => {
            let list = column.as_list::<i32>().value(row);
            assert_eq!(list.len(), items.len());
            items.iter().enumerate().for_each(|(i, item)| check(&list, i, item));
        }
        (DataType::Float64, Value::Number(number)) => {
            let text = array_value_to_string(column, row).unwrap();
            assert_eq!(text.parse::<f64>().unwrap(), number.as_f64().unwrap());
        }
        (_, other) => assert_eq!(array_value_to_string(column, row).unwrap(), other.to_string()),
    }
}

#[tokio::test]
async fn formats_can_be_forced() {
    let dir = tempdir().unwrap();
    write(dir.path(), "a.log", "{\"a\":1}\n");
    let spec = SourceSpec { format: Some(super::JSON), ..source(dir.path(), "a.log", &[]) };
    assert_eq!(lines(&read(&session(1), &spec).await.unwrap()), ["1"]);
}
