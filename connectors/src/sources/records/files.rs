//! CSV, TSV and JSON as formats of sources.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::physical_plan::FileScanConfigBuilder;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::ExecutionPlan;

use super::external::RecordTableFactory;
use super::formats::{CSV, JSON, TSV};
use super::functions::{READ_CSV, READ_JSON};
use super::input::Store;
use super::options::RecordOptions;
use super::plan::{RecordPlan, views};
use super::sample::{Request, infer};
use super::source::RecordSource;
use super::split::split;
use crate::sources::files::Format;
use crate::sources::files::groups::balanced_groups;
use crate::sources::format::{Formats, Opened, Opening, SourceFormat};
use crate::sources::function::TableFunction;
use crate::sources::provenance::RowNumbers;
use crate::sources::table::{FilesReader, Scan};

/// JSON files.
#[derive(Debug)]
pub struct Json;

/// CSV files.
#[derive(Debug)]
pub struct Csv;

/// CSV files with tabs.
#[derive(Debug)]
pub struct Tsv;

#[async_trait]
impl SourceFormat for Json {
    fn format(&self) -> Format {
        JSON
    }

    async fn open(&self, state: &dyn Session, files: Opening<'_>) -> Result<Opened> {
        open(state, files).await
    }

    fn function(&self) -> Option<TableFunction> {
        Some(READ_JSON)
    }

    fn register(&self, state: &mut SessionState, formats: Formats) -> Result<()> {
        for name in ["JSON", "JSONL", "NDJSON"] {
            register(state, name, &Json, formats);
        }
        Ok(())
    }
}

#[async_trait]
impl SourceFormat for Csv {
    fn format(&self) -> Format {
        CSV
    }

    async fn open(&self, state: &dyn Session, files: Opening<'_>) -> Result<Opened> {
        open(state, files).await
    }

    fn function(&self) -> Option<TableFunction> {
        Some(READ_CSV)
    }

    fn register(&self, state: &mut SessionState, formats: Formats) -> Result<()> {
        register(state, "CSV", &Csv, formats);
        Ok(())
    }
}

#[async_trait]
impl SourceFormat for Tsv {
    fn format(&self) -> Format {
        TSV
    }

    async fn open(&self, state: &dyn Session, files: Opening<'_>) -> Result<Opened> {
        open(state, files).await
    }

    fn register(&self, state: &mut SessionState, formats: Formats) -> Result<()> {
        register(state, "TSV", &Tsv, formats);
        Ok(())
    }
}

fn register(state: &mut SessionState, name: &str, source: &'static dyn SourceFormat, formats: Formats) {
    state.table_factories_mut().insert(name.to_owned(), Arc::new(RecordTableFactory { source, formats }));
}

async fn open(state: &dyn Session, files: Opening<'_>) -> Result<Opened> {
    let Opening { spec, listing, kind, given, .. } = files;
    let mut options = RecordOptions::parse(kind.format, &spec.options)?;
    if options.header.is_none() && !state.config_options().catalog.has_header {
        options.header = Some(false);
    }
    let request = Request {
        store: Store::new(state.runtime_env().object_store(&listing.store)?, &listing.store),
        files: listing.files.iter().map(|file| file.meta.clone()).collect(),
        format: kind.format,
        options,
        given,
        views: views(state),
        provenance: spec.provenance,
        threads: state.config().target_partitions(),
        name: spec.paths.join("', '"),
    };
    let plan = Arc::new(infer(request).await?);
    let schema = plan.table_schema();
    Ok(Opened { options: spec.options.clone(), schema, reader: Arc::new(RecordFiles(plan)) })
}

/// How files of records are read.
#[derive(Debug)]
struct RecordFiles(Arc<RecordPlan>);

#[async_trait]
impl FilesReader for RecordFiles {
    fn row_numbers(&self) -> RowNumbers {
        RowNumbers::Reader
    }

    async fn scan(&self, state: &dyn Session, scan: Scan<'_>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Scan { table, files, projection, limit, .. } = scan;
        let (plan, url) = (&self.0, &table.parts().store);
        let partitions = state.config().target_partitions();
        let store = Store::new(state.runtime_env().object_store(url)?, url);
        let schema = table.schema();
        let numbered = |column: &usize| matches!(schema.field(*column).name().as_str(), "_row" | "_row_id");
        let rows = plan.provenance && projection.is_none_or(|columns| columns.iter().any(numbered));
        // If only a few rows are needed, they are at the beginning.
        let files = if limit.is_some() { files } else { split(plan, &store, files, partitions, rows).await? };
        let groups = balanced_groups(files, partitions);
        let statistics = table.sizes(&groups);
        let source = Arc::new(RecordSource::new(table.scan_schema().clone(), Arc::clone(plan)));
        let config = FileScanConfigBuilder::new(url.clone(), source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_preserve_order(true)
            .build();
        Ok(Some(DataSourceExec::from_data_source(config)))
    }
}
