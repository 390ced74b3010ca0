use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Decimal128Array, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int32Array,
    Int64Array, LargeStringArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use parquet::arrow::ArrowWriter;
use parquet::data_type::{Int32Type as Int32, Int96, Int96Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use tempfile::tempdir;

use crate::sources::{SourceSpec, list};
use crate::testing::{batches, count, error, rows, session};

/// Writes columns of any names, two of one name too.
fn write(folder: &Path, name: &str, columns: Vec<(&str, ArrayRef)>) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let fields = columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let batch =
        RecordBatch::try_new(Arc::clone(&schema), columns.into_iter().map(|(_, column)| column).collect()).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn narrow(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// A day since 1970 and the nanoseconds of that day.
fn int96(day: i64, nanoseconds: u64) -> Int96 {
    let mut value = Int96::new();
    value.set_data(nanoseconds as u32, (nanoseconds >> 32) as u32, (day + 2_440_588) as i32 as u32);
    value
}

/// Columns `id` and `ts`, as Spark and Hive write them; `None` is NULL.
fn write_int96(path: &Path, values: &[Option<Int96>]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let schema = Arc::new(parse_message_type("message spark { required int32 id; optional int96 ts; }").unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let ids: Vec<i32> = (1..=values.len() as i32).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int32>().write_batch(&ids, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let there: Vec<Int96> = values.iter().copied().flatten().collect();
    column.typed::<Int96Type>().write_batch(&there, Some(&levels), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

const HOUR: u64 = 3_600_000_000_000;
/// 9999-12-31, 0001-01-01 and 2000-01-01.
const LATE: i64 = 2_932_896;
const EARLY: i64 = -719_162;
const MILLENNIUM: i64 = 10_957;

#[tokio::test]
async fn two_columns_of_one_name_are_refused_by_name() {
    let (dir, ctx) = (tempdir().unwrap(), session(2));
    write(dir.path(), "two.parquet", vec![("id", ints(&[1])), ("value", ints(&[10])), ("value", ints(&[100]))]);
    for sql in [
        "SELECT * FROM '{}/two.parquet'",
        "SELECT count(*) FROM '{}/*.parquet'",
        "CREATE EXTERNAL TABLE two STORED AS PARQUET LOCATION '{}/two.parquet'",
    ] {
        let message = error(&ctx, dir.path(), sql).await;
        assert!(message.contains("/two.parquet") && message.contains("columns are named `value`"), "{message}");
    }
    let field = |name: &str| Arc::new(Field::new(name, DataType::Int64, true));
    let s = StructArray::new(vec![field("x"), field("x")].into(), vec![ints(&[1]), ints(&[2])], None);
    write(dir.path(), "fields.parquet", vec![("s", Arc::new(s))]);
    let message = error(&ctx, dir.path(), "SELECT * FROM '{}/fields.parquet'").await;
    assert!(message.contains("two fields of `s` are named `x`"), "{message}");
}

#[tokio::test]
async fn names_that_are_hard_to_write_are_read() {
    let (dir, ctx) = (tempdir().unwrap(), session(2));
    let s = StructArray::new(vec![Arc::new(Field::new("b", DataType::Int64, true))].into(), vec![ints(&[3])], None);
    let columns = vec![
        ("ID", ints(&[1])),
        ("id", ints(&[2])),
        ("a", Arc::new(s) as ArrayRef),
        ("a.b", ints(&[4])),
        ("", ints(&[5])),
    ];
    write(dir.path(), "t.parquet", columns);
    let sql = r#"SELECT "ID", id, a['b'], "a.b", "" FROM '{}/t.parquet' WHERE "a.b" = 4 AND "ID" = 1 AND "" = 5"#;
    assert_eq!(rows(&ctx, dir.path(), sql).await, ["1|2|3|4|5"]);
    assert_eq!(rows(&ctx, dir.path(), r#"SELECT "a.b" FROM '{}/t.parquet' WHERE a['b'] = 3"#).await, ["4"]);
    assert_eq!(rows(&ctx, dir.path(), r#"SELECT max("a.b"), max(id) FROM '{}/t.parquet'"#).await, ["4|2"]);
}

#[tokio::test]
async fn int96_of_every_year() {
    let (dir, ctx) = (tempdir().unwrap(), session(2));
    let values = [
        Some(int96(LATE, 2 * HOUR)),
        Some(int96(EARLY, 0)),
        Some(int96(MILLENNIUM, 24 * HOUR - 1000)),
        None,
        // Digits below the microsecond are cut, as DuckDB does.
        Some(int96(-1, 24 * HOUR - 1)),
    ];
    write_int96(&dir.path().join("t/a.parquet"), &values);
    let expected = [
        "1|9999-12-31T02:00:00",
        "2|0001-01-01T00:00:00",
        "3|2000-01-01T23:59:59.999999",
        "4|",
        "5|1969-12-31T23:59:59.999999",
    ];
    assert_eq!(rows(&ctx, dir.path(), "SELECT * FROM '{}/t'").await, expected);
    for (condition, ids) in [
        ("ts > '2100-01-01'", &["1"][..]),
        ("ts < '1000-01-01'", &["2"]),
        ("ts = '9999-12-31 02:00:00'", &["1"]),
        ("ts IS NULL", &["4"]),
        ("ts BETWEEN '1960-01-01' AND '2001-01-01'", &["3", "5"]),
    ] {
        let found = rows(&ctx, dir.path(), &format!("SELECT id FROM '{{}}/t' WHERE {condition}")).await;
        assert_eq!(found, ids, "{condition}");
    }
    let ends = rows(&ctx, dir.path(), "SELECT min(ts), max(ts) FROM '{}/t'").await;
    assert_eq!(ends, ["0001-01-01T00:00:00|9999-12-31T02:00:00"]);
    batches(&ctx, &format!("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{}/t/'", dir.path().display())).await;
    assert_eq!(rows(&ctx, dir.path(), "SELECT * FROM t").await, expected);
    // Beside microseconds in one folder.
    let micros = TimestampMicrosecondArray::from(vec![0]);
    write(dir.path(), "t/b.parquet", vec![("id", narrow(&[9])), ("ts", Arc::new(micros))]);
    let found = rows(&ctx, dir.path(), "SELECT id FROM '{}/t' WHERE ts >= '1970-01-01' AND ts < '2100-01-01'").await;
    assert_eq!(found, ["3", "9"]);
}

#[tokio::test]
async fn int96_beyond_microseconds_is_an_error() {
    let (dir, ctx) = (tempdir().unwrap(), session(2));
    write_int96(&dir.path().join("far.parquet"), &[Some(int96(MILLENNIUM, 0)), Some(int96(2_000_000_000, 0))]);
    let message = error(&ctx, dir.path(), "SELECT * FROM '{}/far.parquet'").await;
    assert!(message.contains("column `ts` of /far.parquet") && message.contains("microseconds"), "{message}");
    // Columns that are not read are not checked.
    assert_eq!(rows(&ctx, dir.path(), "SELECT id FROM '{}/far.parquet'").await, ["1", "2"]);
}

#[tokio::test]
async fn columns_of_a_folder_meet_by_name() {
    let (dir, ctx) = (tempdir().unwrap(), session(3));
    write(dir.path(), "t/a.parquet", vec![("id", narrow(&[1, 2])), ("x", narrow(&[7, -8])), ("s", texts(&["a", "b"]))]);
    let s = DictionaryArray::<Int32Type>::from_iter(["c", "d"]);
    write(dir.path(), "t/b.parquet", vec![("s", Arc::new(s)), ("id", ints(&[3, 1 << 40]))]);
    let s = Arc::new(LargeStringArray::from(vec!["e"]));
    write(dir.path(), "t/c.parquet", vec![("x", floats(&[0.5])), ("s", s), ("id", narrow(&[5])), ("late", ints(&[1]))]);
    let found = rows(&ctx, dir.path(), "SELECT id, x, s, late FROM '{}/t'").await;
    assert_eq!(found, ["1099511627776||d|", "1|7.0|a|", "2|-8.0|b|", "3||c|", "5|0.5|e|1"]);
    for (sql, expected) in [
        ("SELECT min(id), max(id), count(x) FROM '{}/t'", "1|1099511627776|3"),
        ("SELECT min(x), max(x) FROM '{}/t'", "-8.0|7.0"),
        ("SELECT id FROM '{}/t' WHERE id > 1000", "1099511627776"),
        ("SELECT id FROM '{}/t' WHERE x = 7", "1"),
        ("SELECT id FROM '{}/t' WHERE s = 'c'", "3"),
        ("SELECT count(*) FROM '{}/t' WHERE x IS NULL", "2"),
        ("SELECT id FROM '{}/t' WHERE late = 1", "5"),
    ] {
        assert_eq!(rows(&ctx, dir.path(), sql).await, [expected], "{sql}");
    }
}

#[tokio::test]
async fn types_that_no_type_holds_are_named_with_both_files() {
    let (dir, ctx) = (tempdir().unwrap(), session(2));
    for (name, one, other, says) in [
        ("text", ints(&[1]), texts(&["x"]), ["Int64", "Utf8View"]),
        (
            "flag",
            narrow(&[1]),
            Arc::new(arrow::array::BooleanArray::from(vec![true])) as ArrayRef,
            ["Int32", "Boolean"],
        ),
        ("big", ints(&[(1 << 53) + 1]), floats(&[0.5]), ["2^53", "floating-point"]),
        ("bytes", Arc::new(BinaryArray::from_vec(vec![b"x"])), texts(&["x"]), ["BinaryView", "Utf8View"]),
    ] {
        write(dir.path(), &format!("{name}/a.parquet"), vec![("v", one)]);
        write(dir.path(), &format!("{name}/b.parquet"), vec![("v", other)]);
        let message = error(&ctx, dir.path(), &format!("SELECT * FROM '{{}}/{name}'")).await;
        let files = message.contains(&format!("/{name}/a.parquet")) && message.contains(&format!("/{name}/b.parquet"));
        assert!(files && message.contains("`v`") && says.iter().all(|word| message.contains(word)), "{message}");
    }
    // Integers that footers show to be small are floats without loss.
    write(dir.path(), "small/a.parquet", vec![("v", ints(&[1 << 53, -3]))]);
    write(dir.path(), "small/b.parquet", vec![("v", floats(&[0.5]))]);
    let found = rows(&ctx, dir.path(), "SELECT v FROM '{}/small'").await;
    assert_eq!(found, ["-3.0", "0.5", "9007199254740992.0"]);
}

#[tokio::test]
async fn numbers_and_times_widen_exactly() {
    let (dir, ctx) = (tempdir().unwrap(), session(2));
    let decimal = |value: i128, precision, scale| -> ArrayRef {
        Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(precision, scale).unwrap())
    };
    let micros = |value| Arc::new(TimestampMicrosecondArray::from(vec![value])) as ArrayRef;
    for (name, one, other, expected) in [
        ("decimals", decimal(12_345, 10, 2), decimal(12_345, 10, 4), ["1.2345", "123.4500"]),
        (
            "unsigned",
            Arc::new(UInt64Array::from(vec![u64::MAX])) as ArrayRef,
            ints(&[-1]),
            ["-1", "18446744073709551615"],
        ),
        (
            "times",
            Arc::new(TimestampMillisecondArray::from(vec![1500])) as ArrayRef,
            micros(1),
            ["1970-01-01T00:00:00.000001", "1970-01-01T00:00:01.500"],
        ),
        (
            "nanoseconds",
            Arc::new(TimestampNanosecondArray::from(vec![1])) as ArrayRef,
            micros(1),
            ["1970-01-01T00:00:00.000000001", "1970-01-01T00:00:00.000001"],
        ),
    ] {
        write(dir.path(), &format!("{name}/a.parquet"), vec![("v", one)]);
        write(dir.path(), &format!("{name}/b.parquet"), vec![("v", other)]);
        let found = rows(&ctx, dir.path(), &format!("SELECT v FROM '{{}}/{name}'")).await;
        assert_eq!(found, expected, "{name}");
    }
    // A year that nanoseconds do not count is an error, not another year and not NULL.
    write(dir.path(), "nanoseconds/c.parquet", vec![("v", micros(253_402_300_799_000_000))]);
    let message = error(&ctx, dir.path(), "SELECT v FROM '{}/nanoseconds'").await;
    assert!(message.contains("253402300799000000"), "{message}");
}

#[tokio::test]
async fn structs_meet_by_name() {
    let (dir, ctx) = (tempdir().unwrap(), session(2));
    let of = |columns: Vec<(&str, ArrayRef)>| -> ArrayRef {
        let columns = columns.into_iter().map(|(n, c)| (Arc::new(Field::new(n, c.data_type().clone(), true)), c));
        Arc::new(StructArray::from(columns.collect::<Vec<_>>()))
    };
    write(dir.path(), "t/a.parquet", vec![("s", of(vec![("x", narrow(&[1])), ("y", narrow(&[2]))]))]);
    write(
        dir.path(),
        "t/b.parquet",
        vec![("s", of(vec![("y", ints(&[20])), ("x", ints(&[10])), ("z", texts(&["w"]))]))],
    );
    let found = rows(&ctx, dir.path(), "SELECT s['x'], s['y'], s['z'] FROM '{}/t'").await;
    assert_eq!(found, ["10|20|w", "1|2|"]);
    assert_eq!(rows(&ctx, dir.path(), "SELECT s FROM '{}/t' WHERE s['y'] = 20").await, ["{x: 10, y: 20, z: w}"]);
    assert_eq!(rows(&ctx, dir.path(), "SELECT s['x'] FROM '{}/t' WHERE s['z'] IS NULL").await, ["1"]);
}

#[tokio::test]
async fn files_without_rows_or_columns() {
    let (dir, ctx) = (tempdir().unwrap(), session(2));
    let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::Utf8, true)]));
    let file = |name: &str| File::create(dir.path().join(name)).unwrap();
    ArrowWriter::try_new(file("none.parquet"), Arc::clone(&schema), None).unwrap().close().unwrap();
    let mut groups = ArrowWriter::try_new(file("groups.parquet"), Arc::clone(&schema), None).unwrap();
    for values in [vec!["a"], vec![], vec!["b"]] {
        groups.write(&RecordBatch::try_new(Arc::clone(&schema), vec![texts(&values)]).unwrap()).unwrap();
        groups.flush().unwrap();
    }
    groups.close().unwrap();
    let empty = parse_message_type("message nothing { }").unwrap();
    SerializedFileWriter::new(file("columns.parquet"), Arc::new(empty), Default::default()).unwrap().close().unwrap();
    for (name, expected) in [("none", 0), ("groups", 2), ("columns", 0)] {
        assert_eq!(count(&ctx, dir.path(), &format!("'{{}}/{name}.parquet'")).await, expected, "{name}");
        assert_eq!(
            rows(&ctx, dir.path(), &format!("SELECT * FROM '{{}}/{name}.parquet'")).await.len(),
            expected as usize
        );
    }
    assert_eq!(rows(&ctx, dir.path(), "SELECT x FROM '{}/{none,groups}.parquet'").await, ["a", "b"]);
    // Fastparquet's empty list of row groups, without a type of elements.
    let mut bytes = std::fs::read(dir.path().join("none.parquet")).unwrap();
    let at = bytes.windows(4).position(|bytes| bytes == [0x16, 0x00, 0x19, 0x0C]).unwrap();
    bytes[at + 3] = 0;
    std::fs::write(dir.path().join("untyped.parquet"), bytes).unwrap();
    assert_eq!(count(&ctx, dir.path(), "'{}/untyped.parquet'").await, 0);
    assert_eq!(rows(&ctx, dir.path(), "SELECT x FROM '{}/{untyped,groups}.parquet' WHERE x > 'a'").await, ["b"]);
}

#[tokio::test]
async fn folders_say_values_and_null() {
    let (dir, ctx) = (tempdir().unwrap(), session(2));
    let values = [
        ("AC%2FDC", "AC/DC"),
        ("%2Fusr", "/usr"),
        ("a%2520b", "a%20b"),
        ("50%25", "50%"),
        ("NULL", "NULL"),
        ("", ""),
        ("__HIVE_DEFAULT_PARTITION__", "-"),
        ("x%3Dy", "x=y"),
        ("..", ".."),
    ];
    for (id, (folder, _)) in values.iter().enumerate() {
        write(dir.path(), &format!("t/p={folder}/a.parquet"), vec![("id", ints(&[id as i64]))]);
    }
    let mut expected: Vec<String> = values.iter().enumerate().map(|(id, (_, value))| format!("{id}|{value}")).collect();
    expected.sort();
    assert_eq!(rows(&ctx, dir.path(), "SELECT id, coalesce(p, '-') FROM '{}/t'").await, expected);
    for (condition, ids) in [
        ("p IS NULL", vec!["6"]),
        ("p = 'AC/DC'", vec!["0"]),
        ("p = ''", vec!["5"]),
        ("p IS NOT NULL AND id > 4", vec!["5", "7", "8"]),
        ("p <> '/usr' AND id < 3", vec!["0", "2"]),
        ("p = 'NULL'", vec!["4"]),
    ] {
        let found = rows(&ctx, dir.path(), &format!("SELECT id FROM '{{}}/t' WHERE {condition}")).await;
        assert_eq!(found, ids, "{condition}");
    }
    assert_eq!(rows(&ctx, dir.path(), "SELECT count(*), count(p), count(DISTINCT p) FROM '{}/t'").await, ["9|8|8"]);
    // From statistics alone.
    assert_eq!(rows(&ctx, dir.path(), "SELECT count(*), count(p) FROM '{}/t'").await, ["9|8"]);
    assert_eq!(rows(&ctx, dir.path(), "SELECT min(p), max(p) FROM '{}/t'").await, ["|x=y"]);
}

#[tokio::test]
async fn a_column_in_folder_and_file_says_the_same_in_both() {
    let (dir, ctx) = (tempdir().unwrap(), session(2));
    for year in [2023, 2024] {
        write(dir.path(), &format!("t/year={year}/a.parquet"), vec![("id", ints(&[1])), ("year", ints(&[year]))]);
    }
    assert_eq!(rows(&ctx, dir.path(), "SELECT id, year + 1 FROM '{}/t'").await, ["1|2024", "1|2025"]);
    write(dir.path(), "t/year=2024/b.parquet", vec![("id", ints(&[1, 2])), ("year", ints(&[2024, 1999]))]);
    let message = error(&ctx, dir.path(), "SELECT id FROM '{}/t'").await;
    for word in ["/t/year=2024/b.parquet", "year=2024", "`year` holds 1999"] {
        assert!(message.contains(word), "{message}");
    }
    // Bounds that do not prove it: the column is read.
    let properties =
        WriterProperties::builder().set_statistics_enabled(parquet::file::properties::EnabledStatistics::None).build();
    for (name, values, wrong) in [("same", ["x", "x"], false), ("other", ["x", "y"], true)] {
        let schema = Arc::new(Schema::new(vec![Field::new("p", DataType::Utf8, true)]));
        let path = dir.path().join(name).join("p=x");
        std::fs::create_dir_all(&path).unwrap();
        let file = File::create(path.join("a.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties.clone())).unwrap();
        writer.write(&RecordBatch::try_new(schema, vec![texts(&values)]).unwrap()).unwrap();
        writer.close().unwrap();
        let sql = format!("SELECT p FROM '{{}}/{name}'");
        match wrong {
            true => assert!(error(&ctx, dir.path(), &sql).await.contains("`p` holds y"), "{name}"),
            false => assert_eq!(rows(&ctx, dir.path(), &sql).await, values),
        }
    }
    // A file that lacks the column that others have.
    write(dir.path(), "some/year=1/a.parquet", vec![("id", ints(&[1])), ("year", ints(&[1]))]);
    write(dir.path(), "some/year=2/a.parquet", vec![("id", ints(&[1]))]);
    let message = error(&ctx, dir.path(), "SELECT * FROM '{}/some'").await;
    assert!(message.contains("/some/year=2/a.parquet") && message.contains("no column `year`"), "{message}");
    // NULL in both.
    let none: ArrayRef = Arc::new(Int64Array::from(vec![None]));
    write(dir.path(), "null/year=__HIVE_DEFAULT_PARTITION__/a.parquet", vec![("id", ints(&[1])), ("year", none)]);
    assert_eq!(rows(&ctx, dir.path(), "SELECT * FROM '{}/null'").await, ["1|"]);
}

#[tokio::test]
async fn files_of_other_formats_are_not_read_on_their_own() {
    let (dir, ctx) = (tempdir().unwrap(), session(2));
    for (kind, marker) in [
        ("Delta", "_delta_log/0.json"),
        ("Iceberg", "metadata/v1.metadata.json"),
        ("Hudi", ".hoodie/hoodie.properties"),
    ] {
        let table = format!("lake/{kind}");
        crate::testing::write(dir.path(), &format!("{table}/{marker}"), "{}");
        write(dir.path(), &format!("{table}/x=1/a.parquet"), vec![("id", ints(&[1]))]);
        for from in ["", "/**/*.parquet", "/x=1/a.parquet", "/x=1"] {
            let message = error(&ctx, dir.path(), &format!("SELECT * FROM '{{}}/{table}{from}'")).await;
            assert!(message.contains(&format!("/{table} is a {kind} table")), "{from}: {message}");
        }
        let sql = format!("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{{}}/{table}/'");
        assert!(error(&ctx, dir.path(), &sql).await.contains(&format!("a {kind} table")), "{kind}");
    }
    let message = error(&ctx, dir.path(), "SELECT * FROM '{}/lake/**/*.parquet'").await;
    assert!(message.contains("is a Delta table"), "{message}");
    // A folder called `metadata` is nothing special, and a log may be read as what it is.
    write(dir.path(), "plain/metadata/a.parquet", vec![("id", ints(&[1]))]);
    assert_eq!(count(&ctx, dir.path(), "'{}/plain'").await, 1);
    crate::testing::write(dir.path(), "lake/Delta/_delta_log/0.json", "{\"a\": 1}\n");
    assert_eq!(count(&ctx, dir.path(), "'{}/lake/Delta/_delta_log/*.json'").await, 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_with_several_names_is_read_once() {
    use std::os::unix::fs::symlink;
    let (dir, ctx) = (tempdir().unwrap(), session(2));
    let at = |name: &str| dir.path().join(name);
    write(dir.path(), "lake/a/t.parquet", vec![("id", ints(&[1, 2, 3]))]);
    symlink("..", at("lake/a/up")).unwrap();
    symlink("a", at("lake/b")).unwrap();
    symlink("a/t.parquet", at("lake/0.parquet")).unwrap();
    symlink("nowhere", at("lake/dangling.parquet")).unwrap();
    assert_eq!(count(&ctx, dir.path(), "'{}/lake/**/*.parquet'").await, 3);
    // A link alone is the file.
    assert_eq!(count(&ctx, dir.path(), "'{}/lake/0.parquet'").await, 3);
    assert_eq!(count(&ctx, dir.path(), "'{}/lake/b'").await, 3);
    let source = SourceSpec::new(format!("{}/lake/**/*", dir.path().display()));
    let found = list(&ctx.state(), &source).await.unwrap();
    let names: Vec<&str> = found.files.iter().filter_map(|file| file.meta.location.filename()).collect();
    assert_eq!((names, found.links.len()), (vec!["t.parquet"], 2));
    // Under another value of a folder its rows are others.
    write(dir.path(), "hive/day=1/a.parquet", vec![("id", ints(&[1]))]);
    symlink("day=1", at("hive/day=2")).unwrap();
    assert_eq!(rows(&ctx, dir.path(), "SELECT day, id FROM '{}/hive'").await, ["1|1", "2|1"]);
}

#[tokio::test]
async fn identifiers_of_fixed_width_are_not_silently_missed() {
    let (dir, ctx) = (tempdir().unwrap(), session(2));
    let bytes: Vec<u8> = (0..16).collect();
    let ids = FixedSizeBinaryArray::try_from_iter([bytes].into_iter()).unwrap();
    write(dir.path(), "t.parquet", vec![("id", Arc::new(ids))]);
    for id in ["'00010203-0405-0607-0809-0a0b0c0d0e0f'", "X'000102030405060708090A0B0C0D0E0F'"] {
        let sql = format!("SELECT count(*) FROM '{{}}/t.parquet' WHERE id = {id}");
        assert_eq!(rows(&ctx, dir.path(), &sql).await, ["1"], "{id}");
    }
    let message = error(&ctx, dir.path(), "SELECT * FROM '{}/t.parquet' WHERE id = '0001'").await;
    assert!(message.contains("FixedSizeBinary(16)"), "{message}");
}

#[tokio::test]
async fn shortened_bounds_are_no_values() {
    let (dir, ctx) = (tempdir().unwrap(), session(2));
    let long = |end: &str| format!("{}{end}", "é".repeat(80));
    let texts = StringArray::from(vec![long("a"), long("b"), "short".to_owned()]);
    let wide =
        Decimal128Array::from(vec![-(10_i128.pow(30)), 5, 10_i128.pow(30)]).with_precision_and_scale(38, 4).unwrap();
    write(dir.path(), "t.parquet", vec![("s", Arc::new(texts)), ("d", Arc::new(wide))]);
    for (sql, expected) in [
        ("SELECT min(s) FROM '{}/t.parquet'".to_owned(), "short".to_owned()),
        ("SELECT max(s) FROM '{}/t.parquet'".to_owned(), long("b")),
        (format!("SELECT s FROM '{{}}/t.parquet' WHERE s = '{}'", long("b")), long("b")),
        (format!("SELECT s FROM '{{}}/t.parquet' WHERE s > '{}'", long("a")), long("b")),
        ("SELECT d FROM '{}/t.parquet' WHERE d > 1".to_owned(), format!("1{}.0000", "0".repeat(26))),
        ("SELECT max(d) FROM '{}/t.parquet'".to_owned(), format!("1{}.0000", "0".repeat(26))),
    ] {
        assert_eq!(rows(&ctx, dir.path(), &sql).await, [expected], "{sql}");
    }
}
