//! Reference implementation of containment: tries all pairs, with cells as texts, texts as numbers, and rows as lists of
//! numbers.
//!
//! It shares no code with the comparison that it verifies.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimeUnit};
use arrow::util::display::array_value_to_string;
use datafusion::common::Result;

use super::made::Made;
use crate::options::{Rows, Types};

/// For each contained pair (child, parent), the fraction of the child's rows that the parent has. Pairs below 1 are included
/// down to `threshold`.
///
/// # Errors
/// Only those of Arrow.
pub fn contained(tables: &[Made], rows: Rows, types: Types, threshold: f64) -> Result<BTreeMap<(usize, usize), f64>> {
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let tables: Vec<Table> =
        tables.iter().map(|table| read(&table.rows, types, &mut numbers)).collect::<Result<_>>()?;
    let mut found = BTreeMap::new();
    for (c, child) in tables.iter().enumerate().filter(|(_, child)| child.rows > 0) {
        let mine = child.counts(&child.columns.keys().collect::<Vec<_>>());
        for (p, parent) in tables.iter().enumerate().filter(|(p, parent)| *p != c && parent.rows > 0) {
            if !child.columns.keys().all(|name| parent.columns.contains_key(name)) {
                continue;
            }
            let theirs = parent.counts(&child.columns.keys().collect::<Vec<_>>());
            let have = |row: &Vec<u32>| theirs.get(row).copied().unwrap_or(0);
            let (all, matched) = match rows {
                Rows::Multiset => (child.rows, mine.iter().map(|(row, count)| have(row).min(*count)).sum::<usize>()),
                Rows::Set => (mine.len(), mine.keys().filter(|row| have(row) > 0).count()),
            };
            let share = matched as f64 / all as f64;
            if matched == all || share >= threshold {
                found.insert((c, p), share);
            }
        }
    }
    Ok(found)
}

struct Table {
    columns: BTreeMap<String, Vec<u32>>,
    rows: usize,
}

impl Table {
    fn counts(&self, names: &[&String]) -> HashMap<Vec<u32>, usize> {
        let mut counts = HashMap::new();
        for row in 0..self.rows {
            *counts.entry(names.iter().map(|&name| self.columns[name][row]).collect()).or_default() += 1;
        }
        counts
    }
}

fn read(rows: &RecordBatch, types: Types, numbers: &mut HashMap<String, u32>) -> Result<Table> {
    let mut columns = BTreeMap::new();
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        flatten(&field.name().to_lowercase(), column, types, numbers, &mut columns)?;
    }
    Ok(Table { columns, rows: rows.num_rows() })
}

fn flatten(
    name: &str,
    column: &ArrayRef,
    types: Types,
    numbers: &mut HashMap<String, u32>,
    columns: &mut BTreeMap<String, Vec<u32>>,
) -> Result<()> {
    if let DataType::Struct(fields) = column.data_type() {
        for (field, column) in fields.iter().zip(column.as_struct().columns()) {
            flatten(&format!("{name}.{}", field.name().to_lowercase()), column, types, numbers, columns)?;
        }
        return Ok(());
    }
    let strict = format!("{:?} ", column.data_type());
    let (kind, column): (&str, ArrayRef) = match column.data_type() {
        // A text compares by value with a number only as text.
        DataType::Utf8 => ("text", ArrayRef::clone(column)),
        DataType::Int32 | DataType::Int64 | DataType::Float64 => ("number", cast(column, &DataType::Float64)?),
        DataType::Date32 | DataType::Timestamp(..) => {
            ("time", cast(column, &DataType::Timestamp(TimeUnit::Nanosecond, None))?)
        }
        DataType::Decimal128(..) => ("decimal", ArrayRef::clone(column)),
        _ => ("other", ArrayRef::clone(column)),
    };
    let kind = match types {
        Types::Widen => kind,
        Types::Strict => &strict,
        Types::Text | Types::Parsed => "",
    };
    let mut values = vec![];
    for row in 0..column.len() {
        let text = if column.is_null(row) {
            format!("{}NULL", if types == Types::Strict { kind } else { "" })
        } else if let DataType::Float64 = column.data_type() {
            // Adding zero makes -0 zero.
            let value = column.as_primitive::<Float64Type>().value(row) + 0.0;
            format!("{kind} value {value}")
        } else if let (Types::Parsed, DataType::Utf8, Ok(value)) =
            (types, column.data_type(), array_value_to_string(&column, row)?.parse::<f64>())
        {
            format!("{kind} value {}", value + 0.0)
        } else {
            format!("{kind} value {}", array_value_to_string(&column, row)?)
        };
        let next = numbers.len() as u32;
        values.push(*numbers.entry(text).or_insert(next));
    }
    columns.insert(name.to_owned(), values);
    Ok(())
}
