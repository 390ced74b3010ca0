//! `CREATE EXTERNAL TABLE ... STORED AS CSV | TSV | JSON`.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::common::{DFSchema, Result, not_impl_err};
use datafusion::datasource::provider::DefaultTableFactory;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{CreateExternalTable, Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::formats::TSV;
use super::options::RecordOptions;
use crate::sources::external::spec;
use crate::sources::files::{Listing, SourceFile, list};
use crate::sources::format::{Formats, Opening, SourceFormat};
use crate::sources::settle::common_kind;
use crate::sources::table::{FilesTable, open};

/// Options that DataFusion's writers also understand.
const WRITTEN: [&str; 6] = ["has_header", "delimiter", "quote", "escape", "double_quote", "compression"];

/// Tables of `STORED AS CSV`, `TSV` and `JSON`.
#[derive(Debug)]
pub(super) struct RecordTableFactory {
    /// What is read.
    pub source: &'static dyn SourceFormat,
    /// All formats: files may have names of others.
    pub formats: Formats,
}

#[async_trait]
impl TableProviderFactory for RecordTableFactory {
    async fn create(&self, state: &dyn Session, cmd: &CreateExternalTable) -> Result<Arc<dyn TableProvider>> {
        let format = self.source.format();
        if cmd.unbounded {
            return not_impl_err!("{}: a {format} table cannot be UNBOUNDED", cmd.name);
        }
        let given = (!cmd.schema.fields().is_empty()).then(|| without_folders(cmd));
        let table = match (list(state, &spec(cmd, None)).await, &given) {
            (Ok(listing), _) => Some(files(state, cmd, (self.source, self.formats), given.clone(), listing).await?),
            // A folder into which rows will be inserted.
            (Err(_), Some(_)) => {
                RecordOptions::parse(format, &spec(cmd, None).options)?;
                None
            }
            (Err(error), None) => return Err(error),
        };
        let schema = match (&table, &given) {
            (Some(table), _) => table.schema(),
            (None, Some(given)) => Arc::clone(given),
            (None, None) => Arc::new(Schema::empty()),
        };
        let (source, formats) = (self.source, self.formats);
        Ok(Arc::new(RecordTable { source, formats, cmd: cmd.clone(), given, table, schema }))
    }
}

fn without_folders(cmd: &CreateExternalTable) -> SchemaRef {
    let fields = cmd.schema.fields().iter().filter(|field| !cmd.table_partition_cols.contains(field.name()));
    Arc::new(Schema::new(fields.map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>()))
}

/// The table of the files that are there now; it lists them anew in each scan.
async fn files(
    state: &dyn Session,
    cmd: &CreateExternalTable,
    (source, formats): (&dyn SourceFormat, Formats),
    given: Option<SchemaRef>,
    listing: Listing,
) -> Result<FilesTable> {
    // Names take precedence where they are telling: `STORED AS CSV` over files of several kinds is an error that lists them.
    let format = source.format();
    let name = |file: &SourceFile| file.meta.location.filename().unwrap_or_default().to_owned();
    let named = listing.files.iter().any(|file| format.of_name(&name(file)).is_some());
    let spec = &spec(cmd, (!named).then_some(format));
    let listing = &listing;
    let kind = common_kind(formats, listing, spec)?;
    let files = Opening { spec, listing, kind, given, all_named: false };
    let mut parts = open(state, source, files).await?.parts().clone();
    parts.live = Some(formats);
    Ok(FilesTable::from_parts(parts))
}

/// A table of `CREATE EXTERNAL TABLE`: read by this crate, written by DataFusion.
#[derive(Debug)]
struct RecordTable {
    source: &'static dyn SourceFormat,
    formats: Formats,
    cmd: CreateExternalTable,
    given: Option<SchemaRef>,
    /// `None` until there are files.
    table: Option<FilesTable>,
    schema: SchemaRef,
}

#[async_trait]
impl TableProvider for RecordTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        match &self.table {
            Some(table) => table.supports_filters_pushdown(filters),
            None => Ok(vec![TableProviderFilterPushDown::Unsupported; filters.len()]),
        }
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if let Some(table) = &self.table {
            return table.scan(state, projection, filters, limit).await;
        }
        match list(state, &spec(&self.cmd, None)).await {
            Ok(listing) => {
                let source = (self.source, self.formats);
                let table = files(state, &self.cmd, source, self.given.clone(), listing).await?;
                table.scan(state, projection, &[], limit).await
            }
            Err(_) => {
                let schema = projection.map_or_else(|| Ok(self.schema()), |p| self.schema.project(p).map(Arc::new))?;
                Ok(Arc::new(EmptyExec::new(schema)))
            }
        }
    }

    async fn insert_into(
        &self,
        state: &dyn Session,
        input: Arc<dyn ExecutionPlan>,
        insert_op: InsertOp,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let format = self.source.format();
        if format == TSV {
            return not_impl_err!("{}: INSERT INTO a {format} table", self.cmd.name);
        }
        let known = |key: &String| {
            let name = key.to_lowercase();
            WRITTEN.contains(&name.strip_prefix("format.").unwrap_or(&name))
        };
        let options = self.cmd.options.iter().filter(|(key, _)| known(key));
        let cmd = CreateExternalTable {
            file_type: format.info().name.to_owned(),
            options: options.map(|(key, value)| (key.clone(), value.clone())).collect(),
            schema: Arc::new(DFSchema::try_from(Arc::clone(&self.schema))?),
            order_exprs: Vec::new(),
            ..self.cmd.clone()
        };
        DefaultTableFactory::new().create(state, &cmd).await?.insert_into(state, input, insert_op).await
    }
}
