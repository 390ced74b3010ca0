//! Runs every `queries/slt/**/*.slt`, each on a session of its own. `UPDATE_SLT=1` writes what the engine answers into the
//! files instead: look at the difference before you commit it.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use limpid::session::{EngineOptions, context, statement};
use sqllogictest::{
    AsyncDB, DBOutput, DefaultColumnType, Runner, default_normalizer, default_validator, strict_column_validator,
};

#[tokio::test]
async fn slt() {
    let mut files = vec![];
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("queries/slt"), &mut files).unwrap();
    files.sort();
    assert!(!files.is_empty(), "queries/slt has no file");
    let mut failed = String::new();
    for file in files {
        let mut runner = Runner::new(|| async { Ok(Engine(context(&EngineOptions::default())?)) });
        runner.with_column_validator(strict_column_validator);
        let result = if std::env::var_os("UPDATE_SLT").is_some() {
            let update =
                runner.update_test_file(&file, " ", default_validator, default_normalizer, strict_column_validator);
            update.await.map_err(|error| error.to_string())
        } else {
            runner.run_file_async(&file).await.map_err(|error| error.to_string())
        };
        if let Err(error) = result {
            failed += &format!("{}: {error}\n", file.display());
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

pub(super) fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "slt") {
            files.push(path);
        }
    }
    Ok(())
}

struct Engine(SessionContext);

#[async_trait]
impl AsyncDB for Engine {
    type Error = DataFusionError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>> {
        let frame = statement::sql(&self.0, sql).await?;
        let is_plan = frame.schema().fields().first().is_some_and(|field| field.name() == "plan_type");
        let types: Vec<_> = frame.schema().fields().iter().map(|field| column_type(field.data_type())).collect();
        let batches = frame.collect().await?;
        if types.is_empty() {
            return Ok(DBOutput::StatementComplete(0));
        }
        let mut rows = vec![];
        for batch in &batches {
            append_rows(batch, &mut rows)?;
        }
        if is_plan {
            // A line of the plan a row, since a file has no way to write a value of many lines.
            let lines = rows.iter().filter_map(|row| row.last()).flat_map(|plan| plan.lines());
            let rows = lines.map(|line| vec![line.to_owned()]).collect();
            return Ok(DBOutput::Rows { types: vec![DefaultColumnType::Text], rows });
        }
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &'static str {
        "limpid"
    }
}

fn column_type(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        t if t.is_integer() => DefaultColumnType::Integer,
        t if t.is_floating() => DefaultColumnType::FloatingPoint,
        t if t.is_string() => DefaultColumnType::Text,
        _ => DefaultColumnType::Any,
    }
}

/// NULL as `NULL`, the empty text as `(empty)`, everything else as DataFusion prints it.
fn append_rows(batch: &RecordBatch, rows: &mut Vec<Vec<String>>) -> Result<()> {
    let options = FormatOptions::default().with_null("NULL").with_display_error(true);
    let columns: Vec<_> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options)).collect::<Result<_, _>>()?;
    for row in 0..batch.num_rows() {
        let cell = |column: &ArrayFormatter<'_>| match column.value(row).to_string() {
            text if text.is_empty() => "(empty)".to_owned(),
            text => text,
        };
        rows.push(columns.iter().map(cell).collect());
    }
    Ok(())
}
