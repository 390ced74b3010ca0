//! What works on one relation has in common: where rows come from, running a statement, reading small answers.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionContext;
use limpid_connectors::sources::PROVENANCE;

use super::error::{Result, SelectionError};
use crate::jobs::progress::StepBar;
use crate::recipes::{literal, quote};
use crate::session::{metrics, statement};

/// Runs a statement and gives its rows.
pub async fn run(ctx: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>> {
    Ok(statement::sql(ctx, sql).await?.collect().await?)
}

/// Runs a statement while `bar` shows the rows that were read.
pub async fn run_shown(ctx: &SessionContext, sql: &str, bar: &StepBar) -> Result<()> {
    let frame = statement::sql(ctx, sql).await?;
    let tasks = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await?;
    let work = collect(Arc::clone(&plan), tasks);
    bar.during(|| metrics::rows_read(plan.as_ref()), work).await?;
    Ok(())
}

/// The column of vectors that [`embed`] adds.
pub const TEXT_VECTOR: &str = "text_vector";

/// Adds the vectors of the texts in `column` to the relation `name`, as [`TEXT_VECTOR`]: computed once, into a file in `folder`.
pub async fn embed(
    ctx: &SessionContext,
    name: &str,
    (column, model): (&str, Option<&str>),
    folder: &Path,
) -> Result<()> {
    let known = columns(ctx, name).await?;
    check(&known, column, "--text")?;
    if known.iter().any(|known| known == TEXT_VECTOR) {
        return Err(SelectionError::invalid(format!(
            "--text: the rows have a column `{TEXT_VECTOR}` already; name it with --arg vector"
        )));
    }
    let rows = count(ctx, &format!("SELECT count(*) FROM {}", quote(name))).await?;
    let file = literal(&folder.join("embedded.parquet").to_string_lossy());
    let model = model.map_or_else(String::new, |model| format!(", model => {}", literal(model)));
    let sql = format!(
        "COPY (SELECT *, embed_text({}{model}) AS {TEXT_VECTOR} FROM {}) TO {file}",
        quote(column),
        quote(name)
    );
    let bar = StepBar::of(&format!("vectors of {column}"), "rows read", rows);
    run_shown(ctx, &sql, &bar).await?;
    run(ctx, &format!("CREATE OR REPLACE VIEW {} AS SELECT * FROM {file}", quote(name))).await?;
    Ok(())
}

/// Makes `source` the relation `name`: a query, or a path, glob or URL of files. Of files, it has the columns `_file`, `_row` and
/// `_row_id` where one of them is among the columns that are `used`.
pub async fn register(ctx: &SessionContext, name: &str, source: &str, used: &[&str]) -> Result<()> {
    let start = source.trim_start().to_ascii_lowercase();
    let query = if ["select ", "with ", "(", "select\n"].iter().any(|word| start.starts_with(word)) {
        source.trim().trim_end_matches(';').to_owned()
    } else if used.iter().any(|column| PROVENANCE.contains(column)) {
        // Naming one of the columns adds them.
        format!("SELECT * FROM {} WHERE _row_id IS NOT NULL", literal(source))
    } else {
        format!("SELECT * FROM {}", literal(source))
    };
    run(ctx, &format!("CREATE VIEW {} AS {query}", quote(name))).await?;
    Ok(())
}

/// The one number of an answer of one row.
pub async fn count(ctx: &SessionContext, sql: &str) -> Result<u64> {
    let batches = run(ctx, sql).await?;
    let first = batches.iter().find(|batch| batch.num_rows() > 0);
    let found = first.and_then(|batch| batch.column(0).as_primitive_opt::<Int64Type>()?.values().first().copied());
    found
        .and_then(|count| u64::try_from(count).ok())
        .ok_or_else(|| SelectionError::invalid(format!("`{sql}` gives no number")))
}

/// A column of numbers; NULL is NaN.
pub fn numbers(batches: &[RecordBatch], column: usize) -> Vec<f64> {
    let mut found = vec![];
    for batch in batches {
        match batch.column(column).as_primitive_opt::<Float64Type>() {
            Some(values) => found.extend(values.iter().map(|value| value.unwrap_or(f64::NAN))),
            None => match batch.column(column).as_primitive_opt::<Int64Type>() {
                Some(values) => found.extend(values.iter().map(|value| value.map_or(f64::NAN, |value| value as f64))),
                None => found.resize(found.len() + batch.num_rows(), f64::NAN),
            },
        }
    }
    found
}

/// A column as text.
pub fn texts(batches: &[RecordBatch], column: usize) -> Result<Vec<String>> {
    let mut found = vec![];
    for batch in batches {
        let values = batch.column(column);
        for row in 0..batch.num_rows() {
            found.push(if values.is_null(row) { "NULL".to_owned() } else { array_value_to_string(values, row)? });
        }
    }
    Ok(found)
}

/// The columns of a relation.
pub async fn columns(ctx: &SessionContext, name: &str) -> Result<Vec<String>> {
    let frame = statement::sql(ctx, &format!("SELECT * FROM {}", quote(name))).await?;
    Ok(frame.schema().fields().iter().map(|field| field.name().clone()).collect())
}

/// Names this similar, from 0 to 1, may have been meant for each other.
const ALIKE: f64 = 0.7;

/// An error that names the columns there are, where `wanted` is none of them.
pub fn check(known: &[String], wanted: &str, flag: &str) -> Result<()> {
    if known.iter().any(|column| column == wanted) {
        return Ok(());
    }
    let meant = known.iter().find(|column| column.to_lowercase() == wanted.to_lowercase()).or_else(|| {
        let likeness = |column: &String| strsim::normalized_damerau_levenshtein(column, wanted);
        let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        nearest.filter(|column| likeness(column) >= ALIKE)
    });
    let meant = meant.map_or_else(String::new, |column| format!(" Did you mean `{column}`?"));
    Err(SelectionError::invalid(format!(
        "{flag}: there is no column `{wanted}`.{meant} The columns are {}.",
        known.join(", ")
    )))
}
