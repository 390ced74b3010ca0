//! Runs a deduplicator. Rows are read once and stored, spilling to disk, until all have been seen. Sketches select the pairs
//! to compare; the comparison itself is exact.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt};

use super::matcher::Matcher;
use super::ranks::KeyWriter;
use crate::operators::frame::{OperatorContext, Work};
use crate::operators::workers::Workers;
use crate::storage::batches::BatchStore;

/// Reads all rows, decides, and returns the rows with their decisions. `matcher` finds equal and similar rows.
///
/// # Errors
/// A key is NULL or occurs twice; the matcher rejects a row; memory or disk space runs out.
pub async fn run(
    op: &'static str,
    matcher: impl FnOnce(&OperatorContext) -> Box<dyn Matcher>,
    work: Work,
) -> Result<SendableRecordBatchStream> {
    let (compared, id_column) = (work.column(0), work.column(1));
    let mut matcher = matcher(&work.context);
    let Work { mut input, order_by, schema, context, .. } = work;
    let env = context.task.runtime_env();
    let below = input.schema();
    let passed: Vec<usize> = (0..below.fields().len()).filter(|&column| column != compared).collect();
    let passed_schema = Arc::new(below.project(&passed)?);
    let id = id_column - usize::from(compared < id_column);

    let mut rows = BatchStore::new("dedup rows", passed_schema, &env, context.spills.clone());
    let mut keys = KeyWriter::new(op, &below, id_column, &order_by, &context);
    while let Some(batch) = input.try_next().await? {
        keys.push(&batch)?;
        matcher.add(batch.column(compared), batch.column(id_column))?;
        rows.push(batch.project(&passed)?)?;
    }
    drop(input);

    let keys = keys.finish()?;
    let ranks = keys.ranks(op, &context).await?;
    let workers = Workers::new(&context.task);
    let decide = move |workers: &Workers| matcher.resolve(&ranks, workers).map(|found| (found, ranks));
    let (resolution, ranks) = workers.run(op, decide).await?;
    let columns = resolution.into_columns(&keys, &ranks, &context).await?;
    drop((keys, ranks));

    let mut first = 0_u32;
    let output_schema = Arc::clone(&schema);
    let output = rows.finish()?.stream()?.map(move |batch| {
        let batch = batch?;
        let start = first;
        first += batch.num_rows() as u32;
        columns.append(&batch, id, start, &schema)
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(output_schema, output)))
}
