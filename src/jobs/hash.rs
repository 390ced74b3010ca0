//! Content hashes: of texts in a fixed order, and of rows in any order.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Schema};
use arrow::row::{RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;
use xxhash_rust::xxh3::{Xxh3, xxh3_128, xxh3_128_with_seed};

/// 128-bit XXH3 of `parts` in hexadecimal. Parts are delimited, so different lists have different hashes.
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Xxh3::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    format!("{:032x}", hasher.digest128())
}

/// Hash of a multiset of rows: the sum of the row hashes, so neither order nor batches matter.
#[derive(Debug, Clone, Default)]
pub struct ContentHash {
    sum: u128,
    rows: u64,
}

impl ContentHash {
    /// Adds the rows of `batch`.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut rows = vec![0_u128; batch.num_rows()];
        let mut others = Vec::new();
        for column in batch.columns() {
            if !add_bytes(&mut rows, column) {
                others.push(comparable(column)?);
            }
        }
        if !others.is_empty() {
            let fields = others.iter().map(|column| SortField::new(column.data_type().clone())).collect();
            let converted = RowConverter::new(fields)?.convert_columns(&others)?;
            for (hash, row) in rows.iter_mut().zip(&converted) {
                *hash = step(*hash, row.as_ref());
            }
        }
        self.sum = rows.iter().fold(self.sum, |sum, hash| sum.wrapping_add(*hash));
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Adds the rows of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.rows += other.rows;
    }

    /// The hash, including names and types of the columns, in hexadecimal.
    pub fn finish(&self, schema: &Schema) -> String {
        let columns = schema.fields().iter().map(|field| format!("{}:{}", field.name(), kind(field.data_type())));
        let columns = columns.collect::<Vec<_>>();
        let columns = digest(columns.iter().map(String::as_str));
        digest([columns.as_str(), &self.rows.to_string(), &format!("{:032x}", self.sum)])
    }
}

fn step(hash: u128, bytes: &[u8]) -> u128 {
    xxh3_128_with_seed(bytes, (hash ^ (hash >> 64)) as u64).wrapping_add(hash.rotate_left(5))
}

/// Hashes text and binary columns in place; returns `false` for other types.
fn add_bytes(rows: &mut [u128], column: &ArrayRef) -> bool {
    fn all<'a>(rows: &mut [u128], values: impl Iterator<Item = Option<&'a [u8]>>) {
        let null = xxh3_128(b"NULL");
        for (hash, value) in rows.iter_mut().zip(values) {
            *hash = value.map_or_else(|| hash.rotate_left(9) ^ null, |bytes| step(*hash, bytes));
        }
    }
    match column.data_type() {
        DataType::Utf8 => all(rows, column.as_string::<i32>().iter().map(|v| v.map(str::as_bytes))),
        DataType::LargeUtf8 => all(rows, column.as_string::<i64>().iter().map(|v| v.map(str::as_bytes))),
        DataType::Utf8View => all(rows, column.as_string_view().iter().map(|v| v.map(str::as_bytes))),
        DataType::Binary => all(rows, column.as_binary::<i32>().iter()),
        DataType::LargeBinary => all(rows, column.as_binary::<i64>().iter()),
        DataType::BinaryView => all(rows, column.as_binary_view().iter()),
        _ => return false,
    }
    true
}

/// The column itself if Arrow can convert it to row bytes, otherwise its printed form.
fn comparable(column: &ArrayRef) -> Result<ArrayRef> {
    if RowConverter::supports_fields(&[SortField::new(column.data_type().clone())]) {
        return Ok(Arc::clone(column));
    }
    let options = FormatOptions::default();
    let printer = ArrayFormatter::try_new(column, &options)?;
    let printed = (0..column.len()).map(|row| column.is_valid(row).then(|| printer.value(row).to_string()));
    Ok(Arc::new(printed.collect::<StringArray>()))
}

/// The type's name; the three layouts of text (and of bytes) are one type.
fn kind(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "bytes".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringViewArray};
    use arrow::compute::concat_batches;

    fn batch(ids: &[i64], texts: &[Option<&str>]) -> RecordBatch {
        let texts: ArrayRef = Arc::new(texts.iter().collect::<StringArray>());
        RecordBatch::try_from_iter_with_nullable([
            ("id", Arc::new(Int64Array::from(ids.to_vec())) as ArrayRef, false),
            ("text", texts, true),
        ])
        .unwrap()
    }

    fn hash(batches: &[RecordBatch]) -> String {
        let mut hash = ContentHash::default();
        batches.iter().for_each(|batch| hash.add(batch).unwrap());
        hash.finish(&batches[0].schema())
    }

    #[test]
    fn order_batches_and_layout_do_not_matter() {
        let (a, b) = (batch(&[1, 2], &[Some("x"), None]), batch(&[3], &[Some("")]));
        let whole = concat_batches(&a.schema(), [&b, &a]).unwrap();
        assert_eq!(hash(&[a.clone(), b.clone()]), hash(&[whole]));
        let views: ArrayRef = Arc::new([Some("x"), None].into_iter().collect::<StringViewArray>());
        let views = RecordBatch::try_from_iter([("id", Arc::clone(a.column(0))), ("text", views)]).unwrap();
        assert_eq!(hash(&[views, b.clone()]), hash(&[a, b]));
    }

    #[test]
    fn content_matters() {
        let all = [
            hash(&[batch(&[1, 2], &[Some("x"), Some("y")])]),
            hash(&[batch(&[1, 2], &[Some("y"), Some("x")])]),
            hash(&[batch(&[1, 2], &[Some("x"), None])]),
            hash(&[batch(&[1, 2], &[Some("x"), Some("")])]),
            hash(&[batch(&[1, 1], &[Some("x"), Some("x")])]),
            hash(&[batch(&[1], &[Some("x")])]),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
    }
}
