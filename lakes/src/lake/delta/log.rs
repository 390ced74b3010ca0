//! Logs replayed.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::execution::object_store::ObjectStoreUrl;
use delta_kernel::engine::arrow_conversion::TryIntoArrow;
use delta_kernel::scan::state::ScanFile;
use delta_kernel::table_features::ColumnMappingMode;
use delta_kernel_default_engine::executor::tokio::TokioBackgroundExecutor;
use delta_kernel_default_engine::{DefaultEngine, DefaultEngineBuilder};
use hashbrown::HashMap;
use object_store::ObjectStore;
use object_store::path::Path as ObjectPath;
use url::Url;

use super::{LogFile, Snapshot};

/// Where a schema keeps what the files call a column.
const PHYSICAL_NAME: &str = "delta.columnMapping.physicalName";

/// Reads the logs of the tables of one store.
#[derive(Debug)]
pub struct Log {
    engine: DefaultEngine<TokioBackgroundExecutor>,
}

/// An error in words of its own.
fn failed(error: &delta_kernel::KernelError) -> DataFusionError {
    exec_datafusion_err!("a Delta table that cannot be read: {error}")
}

impl Log {
    /// A reader over `store`.
    pub fn new(store: &Arc<dyn ObjectStore>) -> Self {
        Self { engine: DefaultEngineBuilder::new(Arc::clone(store)).build() }
    }

    /// The latest snapshot of the table in the folder `root` of the store at `url`.
    ///
    /// # Errors
    /// A log that is damaged, or asks more of its readers than is known here.
    pub async fn snapshot(self: &Arc<Self>, url: &ObjectStoreUrl, root: &str) -> Result<Snapshot> {
        let (log, store) = (Arc::clone(self), url.as_str().to_owned());
        let root = root.to_owned();
        let task = SpawnedTask::spawn_blocking(move || log.replay(&store, &root));
        task.join().await.map_err(|e| exec_datafusion_err!("{e}"))?
    }

    fn replay(&self, store: &str, root: &str) -> Result<Snapshot> {
        let store = Url::parse(store).map_err(|e| exec_datafusion_err!("{store}: {e}"))?;
        let mut folder = store.clone();
        folder
            .path_segments_mut()
            .map_err(|()| exec_datafusion_err!("{store} has no folders"))?
            .pop_if_empty()
            .extend(root.split('/').filter(|name| !name.is_empty()))
            .push("");
        let snapshot =
            delta_kernel::Snapshot::builder_for(folder.as_str()).build(&self.engine).map_err(|e| failed(&e))?;
        let version = snapshot.version();
        let mode = snapshot.table_properties().column_mapping_mode.unwrap_or(ColumnMappingMode::None);
        if mode == ColumnMappingMode::Id {
            return exec_err!(
                "a Delta table whose columns are known by numbers (column mapping `id`), which is not read"
            );
        }
        let schema: Schema = snapshot.schema().as_ref().try_into_arrow()?;
        let mapped = mode == ColumnMappingMode::Name;
        let (mut names, mut roots) = (HashMap::new(), HashMap::new());
        for field in schema.fields() {
            roots.insert(physical(field, mapped).to_owned(), field.name().clone());
            collect(field, physical(field, mapped).to_owned(), field.name().clone(), mapped, &mut names)?;
        }
        let scan = snapshot.scan_builder().build().map_err(|e| failed(&e))?;
        let mut found: Vec<ScanFile> = vec![];
        for some in scan.scan_metadata(&self.engine).map_err(|e| failed(&e))? {
            found = some
                .map_err(|e| failed(&e))?
                .visit_scan_files(found, |all, file| all.push(file))
                .map_err(|e| failed(&e))?;
        }
        let mut files = vec![];
        for file in found {
            let at = folder.join(&file.path).map_err(|e| exec_datafusion_err!("its log names `{}`: {e}", file.path))?;
            let here = (at.scheme(), at.host_str(), at.port()) == (store.scheme(), store.host_str(), store.port());
            let location = ObjectPath::from_url_path(at.path()).ok().filter(|_| here);
            let Some(location) = location else {
                return exec_err!("a Delta table whose log names `{}`, which lies elsewhere", file.path);
            };
            let deleted =
                file.dv_info.get_row_indexes(&self.engine, &folder).map_err(|e| failed(&e))?.unwrap_or_default();
            let mut constants = vec![];
            for (key, text) in file.partition_values {
                let name = roots.get(&key).ok_or_else(|| exec_datafusion_err!("its log has no column `{key}`"))?;
                // An empty text is NULL, whatever the type.
                constants.push((name.clone(), Some(text).filter(|text| !text.is_empty())));
            }
            constants.sort_unstable();
            files.push(LogFile { location, size: file.size as u64, constants, deleted: deleted.into() });
        }
        files.sort_unstable_by(|a, b| a.location.as_ref().cmp(b.location.as_ref()));
        if files.iter().flat_map(|file| &file.constants).any(|(name, text)| text.is_some() && is_bytes(&schema, name)) {
            return exec_err!("a Delta table that is partitioned by bytes, which are not read");
        }
        let fields: Fields = schema.fields().clone();
        Ok(Snapshot { version, fields, names, files })
    }
}

fn is_bytes(schema: &Schema, name: &str) -> bool {
    let field = schema.field_with_name(name);
    field
        .is_ok_and(|field| matches!(field.data_type(), DataType::Binary | DataType::LargeBinary | DataType::BinaryView))
}

fn physical(field: &Field, mapped: bool) -> &str {
    let mapped = mapped.then(|| field.metadata().get(PHYSICAL_NAME)).flatten();
    mapped.map_or(field.name(), String::as_str)
}

/// The leaves below a column, by what the files call them.
fn collect(
    field: &Field,
    theirs: String,
    ours: String,
    mapped: bool,
    names: &mut HashMap<String, String>,
) -> Result<()> {
    if let DataType::Struct(fields) = field.data_type() {
        for field in fields {
            let theirs = format!("{theirs}.{}", physical(field, mapped));
            collect(field, theirs, format!("{ours}.{}", field.name()), mapped, names)?;
        }
        return Ok(());
    }
    if mapped && renamed_below(field.data_type()) {
        return exec_err!(
            "a Delta table whose column `{ours}` has fields of other names in its files (column mapping)"
        );
    }
    names.insert(theirs, ours);
    Ok(())
}

/// Whether structs inside lists and maps are called otherwise in the files.
fn renamed_below(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(fields) => {
            fields.iter().any(|field| physical(field, true) != field.name() || renamed_below(field.data_type()))
        }
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            renamed_below(item.data_type())
        }
        DataType::Map(entries, _) => renamed_below(entries.data_type()),
        _ => false,
    }
}
