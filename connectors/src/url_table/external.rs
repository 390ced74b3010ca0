//! `CREATE EXTERNAL TABLE ... STORED AS TEXT | JSON` and `COPY ... TO 'x.jsonl'`.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::common::{GetExt, Result, not_impl_err, plan_err};
use datafusion::datasource::file_format::json::JsonFormatFactory;
use datafusion::datasource::file_format::{FileFormat, FileFormatFactory};
use datafusion::datasource::provider::DefaultTableFactory;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::CreateExternalTable;

use super::table::{FilesTable, table};
use super::{FileKind, Format, SourceSpec, list};

/// Other names of JSON, in extensions and in `STORED AS`.
const JSON_LINES: [&str; 2] = ["jsonl", "ndjson"];

pub(super) fn register(state: &mut SessionState) -> Result<()> {
    for extension in JSON_LINES {
        state.register_file_format(Arc::new(JsonLinesFactory { extension, inner: JsonFormatFactory::new() }), true)?;
        state.table_factories_mut().insert(extension.to_uppercase(), Arc::new(JsonTableFactory));
    }
    state.table_factories_mut().insert("JSON".to_owned(), Arc::new(JsonTableFactory));
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
        create(state, cmd, Some(Format::Text)).await
    }
}

/// Tables of `STORED AS JSON`. DataFusion's own factory knows `.json` only and wants compression spelled out; so where the
/// location holds other names, the table is ours.
#[derive(Debug)]
struct JsonTableFactory;

#[async_trait]
impl TableProviderFactory for JsonTableFactory {
    async fn create(&self, state: &dyn Session, cmd: &CreateExternalTable) -> Result<Arc<dyn TableProvider>> {
        let columns_given = !cmd.schema.fields().is_empty();
        let ours = match list(state, &spec(cmd, None)).await {
            Ok(listing) => listing.files.iter().any(|file| {
                let name = file.meta.location.filename().unwrap_or_default();
                FileKind::of_name(name, None).format == Format::Json && !name.ends_with(".json")
            }),
            // A location to be written to, or one that the other factory explains.
            Err(_) => false,
        };
        let theirs =
            cmd.unbounded || !cmd.order_exprs.is_empty() || (columns_given && !cmd.table_partition_cols.is_empty());
        if !ours || theirs {
            let cmd = CreateExternalTable { file_type: "JSON".to_owned(), ..cmd.clone() };
            return DefaultTableFactory::new().create(state, &cmd).await;
        }
        create(state, cmd, None).await
    }
}

fn spec(cmd: &CreateExternalTable, format: Option<Format>) -> SourceSpec {
    SourceSpec {
        paths: cmd.locations.clone(),
        format,
        options: cmd.options.clone().into_iter().collect(),
        partitions: (!cmd.table_partition_cols.is_empty()).then(|| cmd.table_partition_cols.clone()),
        exclude: Vec::new(),
    }
}

async fn create(
    state: &dyn Session,
    cmd: &CreateExternalTable,
    format: Option<Format>,
) -> Result<Arc<dyn TableProvider>> {
    let mut parts = table(state, &spec(cmd, format)).await?.parts().clone();
    if !cmd.schema.fields().is_empty() {
        parts.file_schema = Arc::clone(cmd.schema.inner());
        parts.partitions.retain(|name| parts.file_schema.index_of(name).is_err());
    }
    parts.live = true;
    Ok(Arc::new(FilesTable::from_parts(parts)))
}

/// JSON under another extension.
#[derive(Debug)]
struct JsonLinesFactory {
    extension: &'static str,
    inner: JsonFormatFactory,
}

impl FileFormatFactory for JsonLinesFactory {
    fn create(&self, state: &dyn Session, options: &HashMap<String, String>) -> Result<Arc<dyn FileFormat>> {
        self.inner.create(state, options)
    }

    fn default(&self) -> Arc<dyn FileFormat> {
        FileFormatFactory::default(&self.inner)
    }
}

impl GetExt for JsonLinesFactory {
    fn get_ext(&self) -> String {
        self.extension.to_owned()
    }
}
