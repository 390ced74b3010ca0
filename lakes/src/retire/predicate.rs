//! Finds a short query that describes which rows of a parent a file contains, if there is one.
//!
//! Every row of the file is a row of the parent. A condition that all of them satisfy therefore describes the file exactly if
//! and only if no other row of the parent satisfies it, which counting decides.

use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use arrow::util::display::array_value_to_string;
use datafusion::common::{Result, ScalarValue, TableReference};
use datafusion::prelude::{ParquetReadOptions, SessionContext};

use super::pin::local;
use crate::lake::Table;
use crate::lake::grouping::Kind;

/// Values that a list may have.
const LIST: usize = 16;
/// Bytes of a text in a condition.
const TEXT: usize = 200;
/// Maximum number of columns that are examined.
const COLUMNS: usize = 32;

/// Makes `table` known to `ctx` under its name; false where its rows are not simply those of its files.
///
/// # Errors
/// Its files cannot be read.
pub async fn know(ctx: &SessionContext, table: &Table) -> Result<bool> {
    if !matches!(table.kind, Kind::File | Kind::Folder) {
        return Ok(false);
    }
    let mut paths = vec![];
    for file in &table.files {
        let path = local(&file.meta.location)?;
        match path.to_str() {
            Some(path) if path.ends_with(".parquet") && !path.contains(['*', '?', '[', '{', '%', '#']) => {
                paths.push(path.to_owned());
            }
            _ => return Ok(false),
        }
    }
    let rows = ctx.read_parquet(paths, ParquetReadOptions::default()).await?;
    // Another table with the same parent may have made it known.
    ctx.deregister_table(TableReference::bare(table.name.as_str()))?;
    ctx.register_table(TableReference::bare(table.name.as_str()), rows.into_view())?;
    Ok(true)
}

fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Infers a query over `parent` that returns the `rows` rows of the file at `path`, whose column i is the parent's column
/// `columns[i]`; `None` if none was found.
///
/// # Errors
/// Reading fails.
pub async fn infer(
    ctx: &SessionContext,
    path: &Path,
    parent: &Table,
    columns: &[usize],
    rows: u64,
) -> Result<Option<String>> {
    let from = ident(&parent.name);
    let theirs = ctx.table(TableReference::bare(parent.name.as_str())).await?;
    let Some(path) =
        path.to_str().filter(|path| path.ends_with(".parquet") && !path.contains(['*', '?', '[', '{', '%', '#']))
    else {
        return Ok(None);
    };
    let child = ctx.read_parquet(path, ParquetReadOptions::default()).await?;
    let fields = child.schema().fields().clone();
    if fields.len() != columns.len() || fields.iter().any(|field| field.data_type().is_nested()) {
        return Ok(None);
    }
    let (mut select, mut names) = (vec![], vec![]);
    for (field, &column) in fields.iter().zip(columns) {
        let shown = &*parent.columns[column].shown;
        let Ok(theirs) = theirs.schema().field_with_unqualified_name(shown) else { return Ok(None) };
        if theirs.data_type().is_nested() {
            return Ok(None);
        }
        let alias = if shown == field.name() { String::new() } else { format!(" AS {}", ident(field.name())) };
        select.push(format!("{}{alias}", ident(shown)));
        names.push((ident(field.name()), ident(shown)));
    }
    let query = format!("SELECT {} FROM {from}", select.join(", "));
    if parent.rows == rows {
        return Ok(Some(query));
    }
    const CHILD: &str = "limpid_child";
    ctx.deregister_table(CHILD)?;
    ctx.register_table(CHILD, child.into_view())?;
    let mut conditions = vec![];
    for (at, (ours, theirs)) in names.iter().enumerate().take(COLUMNS) {
        if is_plain(fields[at].data_type()) {
            conditions.extend(of_column(ctx, CHILD, ours, theirs).await?);
        }
    }
    ctx.deregister_table(CHILD)?;
    // Each on its own, then more and more of them together, the strictest first.
    let counts = count(ctx, &from, &conditions).await?;
    let mut ranked: Vec<(u64, String)> =
        counts.into_iter().zip(conditions).filter(|(count, _)| *count >= rows).collect();
    ranked.sort_by_key(|(count, condition)| (*count, condition.len()));
    let together: Vec<String> = (1..=ranked.len().min(12))
        .map(|n| ranked[..n].iter().map(|(_, condition)| format!("({condition})")).collect::<Vec<_>>().join(" AND "))
        .collect();
    let counts = count(ctx, &from, &together).await?;
    let exact = counts.iter().position(|&count| count == rows);
    Ok(exact.map(|n| match n {
        0 => format!("{query} WHERE {}", ranked[0].1),
        n => format!("{query} WHERE {}", together[n]),
    }))
}

/// Rows of a relation that meet each condition.
async fn count(ctx: &SessionContext, from: &str, conditions: &[String]) -> Result<Vec<u64>> {
    if conditions.is_empty() {
        return Ok(vec![]);
    }
    let sums: Vec<String> = conditions.iter().map(|c| format!("count(*) FILTER (WHERE {c})")).collect();
    let found = ctx.sql(&format!("SELECT {} FROM {from}", sums.join(", "))).await?.collect().await?;
    let number = |column: &ArrayRef| column.as_primitive_opt::<Int64Type>().map_or(0, |counts| counts.value(0) as u64);
    Ok(found.first().map(|batch| batch.columns().iter().map(number).collect()).unwrap_or_default())
}

fn is_plain(data_type: &DataType) -> bool {
    data_type.is_numeric() || data_type.is_string() || data_type.is_temporal() || *data_type == DataType::Boolean
}

/// Conditions on a column that all rows of the child meet: a range, a list.
async fn of_column(ctx: &SessionContext, child: &str, ours: &str, theirs: &str) -> Result<Vec<String>> {
    let sql = format!("SELECT min({ours}), max({ours}), count(*) - count({ours}), count(DISTINCT {ours}) FROM {child}");
    let found = ctx.sql(&sql).await?.collect().await?;
    let Some(batch) = found.first().filter(|batch| batch.num_rows() == 1) else { return Ok(vec![]) };
    let number =
        |at: usize| batch.column(at).as_primitive_opt::<Int64Type>().map_or(0, |counts| counts.value(0) as usize);
    let (nulls, distinct) = (number(2), number(3));
    if distinct == 0 {
        return Ok(vec![format!("{theirs} IS NULL")]);
    }
    let or_null = if nulls > 0 { format!(" OR {theirs} IS NULL") } else { String::new() };
    let mut conditions = vec![];
    if let (Some(low), Some(high)) = (value(batch, 0, 0)?, value(batch, 1, 0)?) {
        conditions.push(match low == high {
            true => format!("{theirs} = {low}{or_null}"),
            false => format!("{theirs} BETWEEN {low} AND {high}{or_null}"),
        });
    }
    if (2..=LIST).contains(&distinct) {
        let sql = format!("SELECT DISTINCT {ours} FROM {child} WHERE {ours} IS NOT NULL ORDER BY 1");
        let mut list = vec![];
        for batch in ctx.sql(&sql).await?.collect().await? {
            for row in 0..batch.num_rows() {
                list.push(value(&batch, 0, row)?);
            }
        }
        if let Some(list) = list.into_iter().collect::<Option<Vec<String>>>() {
            conditions.push(format!("{theirs} IN ({}){or_null}", list.join(", ")));
        }
    }
    Ok(conditions)
}

/// Formats a value as SQL; `None` if it cannot be written safely or briefly.
fn value(batch: &RecordBatch, column: usize, row: usize) -> Result<Option<String>> {
    let array = batch.column(column);
    if array.is_null(row) {
        return Ok(None);
    }
    let text = array_value_to_string(array, row)?;
    Ok(match ScalarValue::try_from_array(array, row)? {
        ScalarValue::Float16(Some(x)) if !x.is_finite() => None,
        ScalarValue::Float32(Some(x)) if !x.is_finite() => None,
        ScalarValue::Float64(Some(x)) if !x.is_finite() => None,
        ScalarValue::Float64(Some(x)) => Some(format!("{x:?}")),
        ScalarValue::Boolean(Some(x)) => Some(if x { "TRUE" } else { "FALSE" }.to_owned()),
        ScalarValue::Utf8(Some(x)) | ScalarValue::LargeUtf8(Some(x)) | ScalarValue::Utf8View(Some(x)) => {
            (x.len() <= TEXT).then(|| format!("'{}'", x.replace('\'', "''")))
        }
        ScalarValue::Date32(Some(_)) => Some(format!("CAST('{text}' AS DATE)")),
        ScalarValue::Decimal128(Some(_), precision, scale) => {
            Some(format!("CAST('{text}' AS DECIMAL({precision}, {scale}))"))
        }
        ScalarValue::TimestampSecond(Some(_), None)
        | ScalarValue::TimestampMillisecond(Some(_), None)
        | ScalarValue::TimestampMicrosecond(Some(_), None)
        | ScalarValue::TimestampNanosecond(Some(_), None) => Some(format!("CAST('{text}' AS TIMESTAMP)")),
        other if other.data_type().is_integer() => Some(text),
        _ => None,
    })
}
