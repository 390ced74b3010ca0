//! Round trips: random tables are read back as they were written, in every format and compression.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow::compute::{cast, concat_batches};
use datafusion::prelude::SessionContext;
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use tempfile::tempdir;

use super::{Compressor, LinesEncoder, WriteFormat, WriteKind};
use crate::sources::{SourceSpec, table};
use crate::testing::session;

/// Writes `rows` as what the name of the file says.
fn write(path: &Path, rows: &RecordBatch) {
    let kind = WriteKind::of_name(path.to_str().unwrap(), None).unwrap();
    let file = std::fs::File::create(path).unwrap();
    if kind.format == WriteFormat::Parquet {
        let mut writer = ArrowWriter::try_new(file, rows.schema(), None).unwrap();
        writer.write(rows).unwrap();
        writer.close().unwrap();
        return;
    }
    let encoder = LinesEncoder::new(kind.format, rows.schema_ref()).unwrap();
    let mut lines = encoder.header().to_vec();
    // In two pieces, as batches come.
    let half = rows.num_rows() / 2;
    encoder.encode(&rows.slice(0, half), &mut lines).unwrap();
    encoder.encode(&rows.slice(half, rows.num_rows() - half), &mut lines).unwrap();
    let mut out = Compressor::new(file, kind.compression).unwrap();
    out.write_all(&lines).unwrap();
    out.finish().unwrap();
}

/// The rows of a file, with the types of `like`.
async fn read(ctx: &SessionContext, path: &Path, types: Option<&str>, like: &RecordBatch) -> RecordBatch {
    let mut spec = SourceSpec::new(path.to_str().unwrap());
    if let Some(types) = types {
        spec.options.insert("types".to_owned(), types.to_owned());
    }
    let found = table(&ctx.state(), &spec).await.unwrap();
    let batches = ctx.read_table(found).unwrap().collect().await.unwrap();
    let rows = concat_batches(batches[0].schema_ref(), &batches).unwrap();
    let schema = like.schema();
    let columns = schema.fields().iter().map(|field| {
        let column =
            rows.column_by_name(field.name()).unwrap_or_else(|| panic!("{} has no {}", path.display(), field.name()));
        cast(column, field.data_type()).unwrap()
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a"),
        Just("Z"),
        Just("7"),
        Just("0"),
        Just("-"),
        Just("."),
        Just(","),
        Just("\t"),
        Just(";"),
        Just("\""),
        Just("'"),
        Just("\n"),
        Just("\r"),
        Just("\r\n"),
        Just(" "),
        Just("\u{a0}"),
        Just("\u{2028}"),
        Just("\0"),
        Just("\\"),
        Just("é"),
        Just("語"),
        Just("😀"),
        Just("\u{feff}"),
        Just("#"),
        Just("{"),
        Just("["),
        Just("NULL"),
        Just("true"),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn float(odd: bool) -> impl Strategy<Value = f64> {
    let plain = prop_oneof![
        Just(-0.0),
        Just(0.0),
        Just(1e300),
        Just(-5e-324),
        Just(f64::MAX),
        Just(0.1),
        any::<i32>().prop_map(f64::from),
        any::<f64>().prop_filter("a number", |x| x.is_finite()),
    ];
    let words = prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)];
    prop_oneof![8 => plain, u32::from(odd) => words]
}

/// A table of 1 to 12 rows with a column of every flat type; `odd`: with NaN and infinities.
fn rows(odd: bool) -> impl Strategy<Value = RecordBatch> {
    let row = (
        (prop::option::of(any::<i64>()), prop::option::of(any::<u64>()), prop::option::of(float(odd))),
        (prop::option::of(any::<f32>().prop_filter("a number", |x| x.is_finite())), prop::option::of(any::<bool>())),
        (prop::option::of(text()), prop::option::of(-(10_i128.pow(19))..10_i128.pow(19))),
        (
            prop::option::of(-60_000_000_000_000_000_i64..200_000_000_000_000_000),
            prop::option::of(-700_000_i32..2_900_000),
        ),
    );
    prop::collection::vec(row, 1..12).prop_map(|rows| {
        macro_rules! column {
            ($array:ty, $($place:tt).+) => { rows.iter().map(|row| row.$($place).+.clone()).collect::<$array>() };
        }
        let decimals = column!(Decimal128Array, 2.1).with_precision_and_scale(20, 3).unwrap();
        let zoned = column!(TimestampMicrosecondArray, 3.0);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("key", Arc::new(Int64Array::from_iter_values(0..rows.len() as i64))),
            ("i", Arc::new(column!(Int64Array, 0.0))),
            ("u", Arc::new(column!(UInt64Array, 0.1))),
            ("x", Arc::new(column!(Float64Array, 0.2))),
            ("y", Arc::new(column!(Float32Array, 1.0))),
            ("b", Arc::new(column!(BooleanArray, 1.1))),
            ("t", Arc::new(column!(StringArray, 2.0))),
            ("d", Arc::new(decimals)),
            ("at", Arc::new(zoned.clone())),
            ("zoned", Arc::new(zoned.with_timezone("+02:00"))),
            ("day", Arc::new(column!(Date32Array, 3.1))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
            .unwrap()
    })
}

fn check(rows: &RecordBatch, names: &[&str], types: Option<&str>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dir = tempdir().unwrap();
    for name in names {
        let path = dir.path().join(name);
        write(&path, rows);
        let found = runtime.block_on(read(&session(2), &path, types, rows));
        for (field, (written, found)) in rows.schema().fields().iter().zip(rows.columns().iter().zip(found.columns())) {
            assert_eq!(format!("{written:?}"), format!("{found:?}"), "{name}, column {}", field.name());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn delimited_files(rows in rows(true)) {
        check(&rows, &["a.csv", "a.tsv", "a.csv.gz", "a.tsv.zst"], Some("t VARCHAR, d DECIMAL(20, 3)"));
    }

    #[test]
    fn json_files(rows in rows(false)) {
        check(&rows, &["a.jsonl", "a.ndjson.gz", "a.json.zst"], None);
    }

    #[test]
    fn parquet_files(rows in rows(true)) {
        check(&rows, &["a.parquet", "a.pq"], None);
    }

    #[test]
    fn one_column_of_texts(texts in prop::collection::vec(prop::option::of(text()), 1..8)) {
        let column: ArrayRef = Arc::new(StringArray::from(texts));
        let rows = RecordBatch::try_from_iter_with_nullable([("t", column, true)]).unwrap();
        check(&rows, &["a.csv", "a.tsv", "a.jsonl"], Some("t VARCHAR"));
    }
}
