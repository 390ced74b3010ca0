use std::io::Write;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Decimal128Array, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
};
use arrow::datatypes::{Float64Type, Schema};

use super::*;

fn encoded(format: WriteFormat, columns: Vec<(&str, ArrayRef)>) -> Result<String> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, c)| (name, c, true))).unwrap();
    let encoder = LinesEncoder::new(format, batch.schema_ref())?;
    let mut out = encoder.header().to_vec();
    encoder.encode(&batch, &mut out)?;
    let mut written = encoder.header().to_vec();
    encoder.write(&batch, &mut written)?;
    assert_eq!(written, out);
    Ok(String::from_utf8(out).unwrap())
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[test]
fn csv_tells_null_from_the_empty_text() {
    let text =
        texts(&[None, Some(""), Some("a,b"), Some("say \"so\""), Some("two\r\nlines"), Some(" edge "), Some("# no")]);
    let id: ArrayRef = Arc::new(Int64Array::from_iter_values(0..7));
    let out = encoded(WriteFormat::Csv, vec![("id", Arc::clone(&id)), ("a b", Arc::clone(&text))]).unwrap();
    let expected =
        "id,a b\n0,\n1,\"\"\n2,\"a,b\"\n3,\"say \"\"so\"\"\"\n4,\"two\r\nlines\"\n5,\" edge \"\n6,\"# no\"\n";
    assert_eq!(out, expected);
    let out = encoded(WriteFormat::Tsv, vec![("a\tb", texts(&[Some("x,y"), Some("x\ty")]))]).unwrap();
    assert_eq!(out, "\"a\tb\"\nx,y\n\"x\ty\"\n");
}

#[test]
fn json_writes_every_null_and_exact_decimals() {
    let narrow = Decimal128Array::from(vec![Some(1250), None]).with_precision_and_scale(10, 2).unwrap();
    let wide = Decimal128Array::from(vec![Some(12345678901234567890), None]).with_precision_and_scale(30, 5).unwrap();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("t", texts(&[Some("\u{2028}\0\"\r"), None])),
        ("narrow", Arc::new(narrow)),
        ("wide", Arc::new(wide)),
        ("x", Arc::new(Float64Array::from(vec![-0.0, 1e300]))),
    ];
    let out = encoded(WriteFormat::JsonLines, columns).unwrap();
    let expected = "{\"t\":\"\u{2028}\\u0000\\\"\\r\",\"narrow\":12.50,\"wide\":\"123456789012345.67890\",\"x\":-0.0}\n\
                    {\"t\":null,\"narrow\":null,\"wide\":null,\"x\":1.0e300}\n";
    assert_eq!(out, expected);
}

#[test]
fn what_a_format_cannot_hold_is_named() {
    let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>([
        Some(vec![Some(1.0)]),
        None,
        Some(vec![Some(f64::INFINITY)]),
    ]));
    let bytes: ArrayRef = Arc::new(BinaryArray::from_vec(vec![b"x"]));
    let error = |format, columns| encoded(format, columns).unwrap_err().to_string();
    let found = error(WriteFormat::Csv, vec![("l", Arc::clone(&list))]);
    assert!(found.contains("column `l` is List") && found.contains("CSV has no form for"), "{found}");
    for format in [WriteFormat::Csv, WriteFormat::JsonLines] {
        let found = error(format, vec![("b", Arc::clone(&bytes))]);
        assert!(found.contains("column `b` holds bytes") && found.contains("encode(\"b\", 'base64')"), "{found}");
    }
    let found = error(WriteFormat::JsonLines, vec![("l", list)]);
    assert!(found.contains("column `l` holds Infinity, which JSON has no form for"), "{found}");
    let nan: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN]));
    assert!(error(WriteFormat::JsonLines, vec![("x", Arc::clone(&nan))]).contains("holds NaN"));
    assert_eq!(encoded(WriteFormat::Csv, vec![("x", nan)]).unwrap(), "x\nNaN\n");
    let found = error(WriteFormat::Csv, vec![("a", texts(&[None])), ("a", texts(&[None]))]);
    assert!(found.contains("two columns named `a`"), "{found}");
    assert!(error(WriteFormat::JsonLines, vec![("", texts(&[None]))]).contains("column 1 of the result has no name"));
    assert!(check_columns(WriteFormat::Parquet, &Schema::empty()).is_ok());
}

/// Counts what is written at once.
struct Pieces(Vec<usize>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.push(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_are_written_in_pieces() {
    let long = "\"long\" ".repeat(100_000);
    let text = texts(&[vec![Some("short"); 9], vec![Some(&long); 3], vec![None; 9]].concat());
    let batch = RecordBatch::try_from_iter_with_nullable([("text", text, true)]).unwrap();
    for format in [WriteFormat::Csv, WriteFormat::JsonLines] {
        let encoder = LinesEncoder::new(format, batch.schema_ref()).unwrap();
        let mut whole = Vec::new();
        encoder.encode(&batch, &mut whole).unwrap();
        let mut pieces = Pieces(vec![]);
        encoder.write(&batch, &mut pieces).unwrap();
        assert_eq!(pieces.0.iter().sum::<usize>(), whole.len());
        assert!(pieces.0.len() == 4 && pieces.0.iter().all(|piece| piece / 2 < long.len()), "{:?}", pieces.0);
    }
}
