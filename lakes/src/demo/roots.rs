//! Root tables, with every kind of column that is hard to compare.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use limpid_udfs::kernels::random::SplitMix64;

use super::made::below;

const WORDS: [&str; 12] =
    ["north", "south", "east", "west", "red", "green", "blue", "Paris", "Oslo", "Lima", "kilo", "x,y \"z\""];

/// A table of an id, a text and some other columns, of which one may be a struct.
pub fn root(random: &mut SplitMix64, number: usize, (least, most): (usize, usize)) -> Result<RecordBatch> {
    // Few large tables, many small ones.
    let spread = below(random, 1000) as f64 / 1000.0;
    let rows = least + ((most - least) as f64 * spread.powi(3)) as usize;
    let base = (number as i64) * 1_000_000;
    let mut columns: Vec<(String, ArrayRef)> = vec![];
    let ids: Int64Array = (0..rows as i64).map(|row| Some(base + row * 3)).collect();
    columns.push((format!("id_{}", number % 4), Arc::new(ids)));
    columns.push((format!("place_{}", number % 3), Arc::new(texts(random, rows, 12))));
    for kind in 0..8 {
        if below(random, 3) == 0 {
            continue;
        }
        let column: (&str, ArrayRef) = match kind {
            0 => ("amount", Arc::new(floats(random, rows))),
            1 => (
                "count",
                Arc::new(Int32Array::from_iter((0..rows).map(|_| some(random).then(|| below(random, 40) as i32 - 9)))),
            ),
            2 => {
                ("day", Arc::new(Date32Array::from_iter_values((0..rows).map(|_| 19_000 + below(random, 300) as i32))))
            }
            3 => {
                let times = (0..rows).map(|_| 1_600_000_000_000_000 + below(random, 1 << 40) as i64);
                ("seen", Arc::new(TimestampMicrosecondArray::from_iter_values(times)))
            }
            4 => (
                "open",
                Arc::new(BooleanArray::from_iter((0..rows).map(|_| some(random).then(|| below(random, 2) == 0)))),
            ),
            5 => {
                let cents =
                    Decimal128Array::from_iter((0..rows).map(|_| some(random).then(|| below(random, 100_000) as i128)));
                ("price", Arc::new(cents.with_precision_and_scale(12, 2)?))
            }
            6 => ("note", Arc::new(long_texts(random, rows))),
            _ => {
                let fields = vec![
                    (Arc::new(Field::new("lat", DataType::Float64, true)), Arc::new(floats(random, rows)) as ArrayRef),
                    (Arc::new(Field::new("Zone", DataType::Utf8, true)), Arc::new(texts(random, rows, 5)) as ArrayRef),
                ];
                ("where", Arc::new(StructArray::from(fields)))
            }
        };
        columns.push((column.0.to_owned(), column.1));
    }
    Ok(RecordBatch::try_from_iter(columns)?)
}

/// Whether a value is there: nine in ten.
fn some(random: &mut SplitMix64) -> bool {
    below(random, 10) > 0
}

fn floats(random: &mut SplitMix64, rows: usize) -> Float64Array {
    let value = |random: &mut SplitMix64| match below(random, 20) {
        0 => None,
        1 => Some(f64::NAN),
        2 => Some(-0.0),
        3 => Some(0.0),
        4 => Some(below(random, 9) as f64),
        _ => Some(below(random, 1_000_000) as f64 / 512.0 - 300.0),
    };
    (0..rows).map(|_| value(random)).collect()
}

fn texts(random: &mut SplitMix64, rows: usize, words: usize) -> StringArray {
    (0..rows).map(|_| some(random).then(|| WORDS[below(random, words.min(WORDS.len()))])).collect()
}

/// Texts that differ only after the bytes that statistics keep.
fn long_texts(random: &mut SplitMix64, rows: usize) -> StringArray {
    let common = "the same beginning of every text, longer than what writers keep of it in their statistics: ";
    (0..rows).map(|_| some(random).then(|| format!("{common}{}", below(random, 5000)))).collect()
}
