//! `CREATE EXTERNAL TABLE ... STORED AS TEXT | CSV | TSV | JSON`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::common::{DFSchema, Result, not_impl_err, plan_err};
use datafusion::datasource::provider::DefaultTableFactory;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{CreateExternalTable, Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::partitions::partition_columns;
use super::table::{FilesTable, common_kind, records_table, table};
use super::{FileKind, Format, Listing, SourceSpec, list};
use crate::records::RecordOptions;

/// Options that DataFusion's writers know as well.
const WRITTEN: [&str; 6] = ["has_header", "delimiter", "quote", "escape", "double_quote", "compression"];

pub(super) fn register(state: &mut SessionState) -> Result<()> {
    let formats = [
        ("CSV", Format::Csv),
        ("TSV", Format::Tsv),
        ("JSON", Format::Json),
        ("JSONL", Format::Json),
        ("NDJSON", Format::Json),
    ];
    for (name, format) in formats {
        state.table_factories_mut().insert(name.to_owned(), Arc::new(RecordTableFactory(format)));
    }
    state.table_factories_mut().insert("PARQUET".to_owned(), Arc::new(super::parquet::ParquetTableFactory));
    Ok(())
}

/// Tables of `STORED AS TEXT`: every file below the location, listed anew in each query.
#[derive(Debug)]
pub(crate) struct TextTableFactory;

#[async_trait]
impl TableProviderFactory for TextTableFactory {
    async fn create(&self, state: &dyn Session, cmd: &CreateExternalTable) -> Result<Arc<dyn TableProvider>> {
        if !cmd.schema.fields().is_empty() {
            return plan_err!(
                "a TEXT table has the columns path, size, modified and text: leave out the column list of {}",
                cmd.name
            );
        }
        if cmd.unbounded {
            return not_impl_err!("{}: a TEXT table cannot be UNBOUNDED", cmd.name);
        }
        let mut parts = table(state, &spec(cmd, Some(Format::Text))).await?.parts().clone();
        parts.live = true;
        Ok(Arc::new(FilesTable::from_parts(parts)))
    }
}

/// Tables of `STORED AS CSV`, `TSV` and `JSON`.
#[derive(Debug)]
struct RecordTableFactory(Format);

#[async_trait]
impl TableProviderFactory for RecordTableFactory {
    async fn create(&self, state: &dyn Session, cmd: &CreateExternalTable) -> Result<Arc<dyn TableProvider>> {
        if cmd.unbounded {
            return not_impl_err!("{}: a {} table cannot be UNBOUNDED", cmd.name, self.0);
        }
        let given = (!cmd.schema.fields().is_empty()).then(|| without_folders(cmd));
        let table = match (list(state, &spec(cmd, None)).await, &given) {
            (Ok(listing), _) => Some(open(state, cmd, self.0, given.clone(), listing).await?),
            // A folder that rows will be inserted into.
            (Err(_), Some(_)) => {
                RecordOptions::parse(self.0, &spec(cmd, None).options)?;
                None
            }
            (Err(error), None) => return Err(error),
        };
        let schema = match (&table, &given) {
            (Some(table), _) => table.schema(),
            (None, Some(given)) => Arc::clone(given),
            (None, None) => Arc::new(Schema::empty()),
        };
        Ok(Arc::new(RecordTable { format: self.0, cmd: cmd.clone(), given, table, schema }))
    }
}

fn without_folders(cmd: &CreateExternalTable) -> SchemaRef {
    let fields = cmd.schema.fields().iter().filter(|field| !cmd.table_partition_cols.contains(field.name()));
    Arc::new(Schema::new(fields.map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>()))
}

/// The table of the files that are there now; it lists them anew in each scan.
async fn open(
    state: &dyn Session,
    cmd: &CreateExternalTable,
    format: Format,
    given: Option<SchemaRef>,
    listing: Listing,
) -> Result<FilesTable> {
    // Names decide where they say anything: `STORED AS CSV` over files of several kinds is an error that tells them.
    let named = listing
        .files
        .iter()
        .any(|file| FileKind::of_name(file.meta.location.filename().unwrap_or_default(), None).format == format);
    let spec = spec(cmd, (!named).then_some(format));
    let kind = common_kind(&listing, &spec)?;
    let folders = partition_columns(&listing, spec.partitions.as_deref())?;
    let mut parts = records_table(state, &spec, given, listing, kind, folders).await?.parts().clone();
    parts.live = true;
    Ok(FilesTable::from_parts(parts))
}

fn spec(cmd: &CreateExternalTable, format: Option<Format>) -> SourceSpec {
    let is_provenance = |key: &str| key.trim_start_matches("format.").eq_ignore_ascii_case("provenance");
    let (provenance, options) =
        cmd.options.clone().into_iter().partition::<BTreeMap<_, _>, _>(|(key, _)| is_provenance(key));
    SourceSpec {
        paths: cmd.locations.clone(),
        format,
        options,
        provenance: provenance.values().any(|value| value.eq_ignore_ascii_case("true")),
        partitions: (!cmd.table_partition_cols.is_empty()).then(|| cmd.table_partition_cols.clone()),
        ..SourceSpec::default()
    }
}

/// A table of `CREATE EXTERNAL TABLE`: read by this crate, written by DataFusion.
#[derive(Debug)]
struct RecordTable {
    format: Format,
    cmd: CreateExternalTable,
    given: Option<SchemaRef>,
    /// Nothing until there are files.
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
                let table = open(state, &self.cmd, self.format, self.given.clone(), listing).await?;
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
        let file_type = match self.format {
            Format::Json => "JSON",
            Format::Csv => "CSV",
            other => return not_impl_err!("{}: INSERT INTO a {other} table", self.cmd.name),
        };
        let known = |key: &String| {
            let name = key.to_lowercase();
            WRITTEN.contains(&name.strip_prefix("format.").unwrap_or(&name))
        };
        let options = self.cmd.options.iter().filter(|(key, _)| known(key));
        let cmd = CreateExternalTable {
            file_type: file_type.to_owned(),
            options: options.map(|(key, value)| (key.clone(), value.clone())).collect(),
            schema: Arc::new(DFSchema::try_from(Arc::clone(&self.schema))?),
            order_exprs: Vec::new(),
            ..self.cmd.clone()
        };
        DefaultTableFactory::new().create(state, &cmd).await?.insert_into(state, input, insert_op).await
    }
}
