//! The sink: the rows of the last step, sorted by key, in a folder that appears whole or not at all.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::row::{OwnedRow, RowConverter, SortField};
use arrow::util::display::array_value_to_string;
use datafusion::common::{Result, exec_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use limpid_connectors::sinks::{AtomicDir, MANIFEST, Manifest, WriteOptions, foreign_files};

use super::error::{self, JobError, words};
use super::job::{Job, JobSink};
use super::recipes::quote;

/// Whether the job may write its sink; the error says why not.
pub fn check(job: &Job, sink: &JobSink) -> Result<(), String> {
    let path = &sink.path;
    if path.exists() && !path.is_dir() {
        return Err(format!("{} is a file; the sink is a folder", path.display()));
    }
    let filled = path.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if filled && written_by(path).is_none_or(|name| name != job.name) {
        let why = format!("{} is not empty and was not written by job `{}`", path.display(), job.name);
        return Err(format!("{why}; choose another path or remove it"));
    }
    writable(path.parent().unwrap_or(path))
}

/// Whether the sink holds only what limpid wrote, so that it may be replaced; the error names the other files.
pub fn only_ours(sink: &JobSink) -> Result<(), String> {
    foreign_files(&sink.path).map_err(|error| words(&error)).and_then(|foreign| match foreign {
        None => Ok(()),
        Some(names) => Err(format!(
            "{} holds files that limpid did not write and would delete with the old result: {names}; move them elsewhere",
            sink.path.display()
        )),
    })
}

/// Whether the sink's format can hold rows of `schema`; the error names the column that it cannot hold.
pub async fn rehearse(sink: &JobSink, schema: &SchemaRef) -> Result<(), String> {
    let Err(error) = write_nulls(sink, schema).await else { return Ok(()) };
    for field in schema.fields() {
        let alone = Arc::new(Schema::new(vec![Arc::clone(field)]));
        if let Err(error) = write_nulls(sink, &alone).await {
            let (name, kind, reason) = (field.name(), field.data_type(), words(&error));
            return Err(format!("column `{name}` ({kind}) cannot be written as {}: {reason}", sink.format));
        }
    }
    Err(format!("the result cannot be written as {}: {}", sink.format, words(&error)))
}

/// Writes one row of NULLs in the sink's format, and throws it away.
async fn write_nulls(sink: &JobSink, schema: &SchemaRef) -> Result<()> {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>();
    let schema = Arc::new(Schema::new(fields));
    let columns = schema.fields().iter().map(|field| new_null_array(field.data_type(), 1)).collect();
    let row = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    let row = Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter([Ok(row)])));
    let folder = tempfile::tempdir()?;
    let options = WriteOptions { format: sink.format, ..WriteOptions::default() };
    AtomicDir::new(folder.path().join("rehearsal")).write(row, &options, serde_json::Value::Null).await.map(drop)
}

/// A row group being encoded may take at most one part in this many of a memory limit.
const ROW_GROUP_SHARE: usize = 8;

/// The job that wrote the folder, even if the folder is no longer whole.
fn written_by(folder: &Path) -> Option<String> {
    let text = std::fs::read(folder.join(MANIFEST)).ok()?;
    let manifest: Manifest = serde_json::from_slice(&text).ok()?;
    Some(manifest.extra.get("job")?.as_str()?.to_owned())
}

/// Whether the sink holds the result `fingerprint` already.
pub fn is_current(sink: &JobSink, fingerprint: &str) -> bool {
    let manifest = Manifest::read(&sink.path).ok().flatten();
    manifest.is_some_and(|manifest| manifest.extra.get("fingerprint").is_some_and(|found| found == fingerprint))
}

/// Writes the table `output` to the sink.
pub async fn write(ctx: &SessionContext, job: &Job, sink: &JobSink, fingerprint: &str) -> error::Result<()> {
    let sql = format!("SELECT * FROM output ORDER BY {}", quote(&job.id));
    let written = async {
        let options = WriteOptions { format: sink.format, ..write_options(ctx) };
        let encoding = MemoryConsumer::new("sink").register(&ctx.runtime_env().memory_pool);
        if let MemoryLimit::Finite(bytes) = ctx.runtime_env().memory_pool.memory_limit() {
            encoding.grow((options.concurrency * options.row_group_bytes).min(bytes / 4));
        }
        let rows = ctx.sql(&sql).await?.execute_stream().await?;
        // No time and no path in it: the same rows give the same bytes.
        let extra = serde_json::json!({ "job": job.name, "fingerprint": fingerprint });
        AtomicDir::new(&sink.path).write(unique(rows, &job.id)?, &options, extra).await
    };
    match written.await {
        Ok(_) => Ok(()),
        Err(source) => Err(JobError::Statement { job: job.name.clone(), place: "sink".to_owned(), sql, source }),
    }
}

/// Limits what is encoded at once, because it takes memory that no operator counts.
pub fn write_options(ctx: &SessionContext) -> WriteOptions {
    let options = WriteOptions::default();
    match ctx.runtime_env().memory_pool.memory_limit() {
        MemoryLimit::Finite(bytes) => {
            let groups = bytes / (ROW_GROUP_SHARE * options.row_group_bytes);
            WriteOptions { concurrency: groups.clamp(1, options.concurrency), ..options }
        }
        _ => options,
    }
}

/// Passes the rows on, with an error at the first duplicate key.
fn unique(rows: SendableRecordBatchStream, id: &str) -> Result<SendableRecordBatchStream> {
    let schema = rows.schema();
    let mut keys = Keys::new(id, &schema)?;
    let checked = rows.map(move |batch| {
        let batch = batch?;
        keys.check(&batch)?;
        Ok(batch)
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, checked)))
}

/// Sees in sorted rows whether a key comes twice.
struct Keys {
    column: usize,
    name: String,
    converter: RowConverter,
    last: Option<OwnedRow>,
}

impl Keys {
    fn new(id: &str, schema: &SchemaRef) -> Result<Self> {
        let column = schema.index_of(id)?;
        let converter = RowConverter::new(vec![SortField::new(schema.field(column).data_type().clone())])?;
        Ok(Self { column, name: id.to_owned(), converter, last: None })
    }

    fn check(&mut self, batch: &RecordBatch) -> Result<()> {
        let ids = batch.column(self.column);
        let rows = self.converter.convert_columns(std::slice::from_ref(ids))?;
        for (at, row) in rows.iter().enumerate() {
            let last = self.last.as_ref().map(OwnedRow::row);
            let before = if at > 0 { Some(rows.row(at - 1)) } else { last };
            if before == Some(row) {
                let id = array_value_to_string(ids, at)?;
                return exec_err!(
                    "key `{id}` (column `{}`) comes twice in the result; a key tells rows apart",
                    self.name
                );
            }
        }
        if batch.num_rows() > 0 {
            self.last = Some(rows.row(batch.num_rows() - 1).owned());
        }
        Ok(())
    }
}

/// Whether files can be created in `folder`, or in the nearest folder above it that exists.
pub fn writable(folder: &Path) -> Result<(), String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let absolute = std::path::absolute(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let Some(existing) = absolute.ancestors().find(|path| path.exists()) else { return Ok(()) };
    if !std::fs::metadata(existing).is_ok_and(|found| found.is_dir()) {
        return Err(format!("{} is not a folder", existing.display()));
    }
    tempfile::tempfile_in(existing)
        .map(drop)
        .map_err(|error| format!("cannot write to {}: {error}", existing.display()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    fn batch(ids: &[i64]) -> RecordBatch {
        RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(ids.to_vec())) as ArrayRef)]).unwrap()
    }

    #[test]
    fn keys_that_come_twice_are_seen_within_and_across_batches() {
        let keys = || Keys::new("id", &batch(&[]).schema()).unwrap();
        let mut across = keys();
        across.check(&batch(&[1, 2])).unwrap();
        across.check(&batch(&[])).unwrap();
        let error = across.check(&batch(&[2, 3])).unwrap_err().to_string();
        assert!(error.contains("key `2` (column `id`)"), "{error}");
        assert!(keys().check(&batch(&[1, 1])).is_err());
        keys().check(&batch(&[1, 2, 3])).unwrap();
    }
}
