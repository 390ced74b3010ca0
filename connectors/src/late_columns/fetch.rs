//! Reads rows of Parquet files by file and row number.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, StringArray, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::config::ConfigOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, ParquetRowSelection, RowGroupAccess};
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::TaskContext;
use datafusion::functions::core::{file_row_index, input_file_name};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::{ProjectionExpr, ProjectionExprs};
use datafusion::physical_plan::collect;
use object_store::{ObjectMeta, ObjectStoreExt};
use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

use super::types::{Expr, Plan};

/// The name of the column that holds the path of a row's file.
pub const FILE: &str = "__file";
const ROW: &str = "__row";

/// Whether a scan may read any rows of the file.
pub(super) fn is_whole(file: &PartitionedFile) -> bool {
    file.extension::<ParquetAccessPlan>().is_none() && file.extension::<ParquetRowSelection>().is_none()
}

/// The scan with some of its columns, plus the location of each row: path of its file and row number.
pub(super) fn located(config: &FileScanConfig, source: &ParquetSource, columns: &[usize]) -> Result<Option<Plan>> {
    let config = with_location(config, source, columns)?;
    Ok(config.map(|config| DataSourceExec::from_data_source(config) as Plan))
}

fn with_location(config: &FileScanConfig, source: &ParquetSource, columns: &[usize]) -> Result<Option<FileScanConfig>> {
    let schema = config.projected_schema()?;
    let mut exprs: Vec<ProjectionExpr> = columns
        .iter()
        .map(|&column| {
            let name = schema.field(column).name();
            ProjectionExpr::new(Arc::new(Column::new(name, column)), name.clone())
        })
        .collect();
    let options = Arc::new(ConfigOptions::default());
    for (function, name) in [(input_file_name(), FILE), (file_row_index(), ROW)] {
        let call: Expr = Arc::new(ScalarFunctionExpr::try_new(function, vec![], &schema, Arc::clone(&options))?);
        exprs.push(ProjectionExpr::new(call, name));
    }
    let Some(source) = source.try_pushdown_projection(&ProjectionExprs::new(exprs))? else { return Ok(None) };
    // An order of the files is not an order of the rows, and DataFusion checks it by column index.
    Ok(Some(FileScanConfigBuilder::from(config.clone()).with_source(source).with_output_ordering(vec![]).build()))
}

/// Reads columns of given rows.
#[derive(Debug, Clone)]
pub(super) struct Fetch {
    /// The scan of all rows with the columns and the location of each row.
    scan: Arc<FileScanConfig>,
}

impl Fetch {
    /// Prepares to read the columns `late` of a scan. Conditions are not evaluated again.
    pub(super) fn try_new(config: &FileScanConfig, source: &ParquetSource, late: &[usize]) -> Result<Option<Self>> {
        let Some(projection) = source.projection() else { return Ok(None) };
        let mut plain = ParquetSource::new(source.table_schema().clone())
            .with_table_parquet_options(source.table_parquet_options().clone());
        if let Some(factory) = source.parquet_file_reader_factory() {
            plain = plain.with_parquet_file_reader_factory(Arc::clone(factory));
        }
        let Some(plain) = plain.try_pushdown_projection(projection)? else { return Ok(None) };
        let Some(plain) = (plain.as_ref() as &dyn std::any::Any).downcast_ref::<ParquetSource>() else {
            return Ok(None);
        };
        let scan = with_location(config, plain, late)?;
        Ok(scan.map(|scan| Self { scan: Arc::new(scan) }))
    }

    /// Names of the columns.
    pub(super) fn columns(&self) -> Vec<String> {
        let schema = self.scan.projected_schema();
        let names = schema.iter().flat_map(|schema| schema.fields()).map(|field| field.name().clone());
        let mut names: Vec<String> = names.collect();
        names.truncate(names.len().saturating_sub(2));
        names
    }

    /// Reads the columns of the rows in `found`, one output row for each of its rows.
    pub(super) async fn rows(
        &self,
        found: &RecordBatch,
        [file, row]: [usize; 2],
        context: &Arc<TaskContext>,
    ) -> Result<RecordBatch> {
        let places = Places::of(found.column(file), found.column(row))?;
        let schema = self.scan.projected_schema()?;
        let columns: Vec<usize> = (0..schema.fields().len().saturating_sub(2)).collect();
        if found.num_rows() == 0 {
            return Ok(RecordBatch::new_empty(schema).project(&columns)?);
        }
        let (groups, files) = self.groups(&places, context).await?;
        let config = FileScanConfigBuilder::from(self.scan.as_ref().clone())
            .with_file_groups(groups)
            .with_preserve_order(false)
            .build();
        let batches = collect(DataSourceExec::from_data_source(config), Arc::clone(context)).await?;
        self.check_unchanged(&files, context).await?;
        // A text retains the memory of the whole page that contains it.
        let batches = batches.iter().map(without_pages).collect::<Result<Vec<_>>>()?;
        let read = concat_batches(&schema, &batches)?;
        let [.., file, row] = read.columns() else { return internal_err!("rows without a place") };
        let read_places = Places::of(file, row)?;
        let at: HashMap<(&str, i64), u32> = read_places.iter().zip(0..).collect();
        let mut order = Vec::with_capacity(found.num_rows());
        for (file, row) in places.iter() {
            let Some(&at) = at.get(&(file, row)) else {
                return exec_err!(
                    "/{file} changed while it was read: row {row} is no longer there; run the query again"
                );
            };
            order.push(at);
        }
        let rows = take_record_batch(&read.project(&columns)?, &UInt32Array::from(order))?;
        Ok(rows)
    }

    /// Divides the row groups that contain the rows, with the parts to read, among threads. Also returns their files as
    /// listed.
    async fn groups(
        &self,
        places: &Places<'_>,
        context: &Arc<TaskContext>,
    ) -> Result<(Vec<FileGroup>, Vec<ObjectMeta>)> {
        let files: HashMap<&str, &PartitionedFile> = self
            .scan
            .file_groups
            .iter()
            .flat_map(|group| group.iter())
            .map(|file| (file.object_meta.location.as_ref(), file))
            .collect();
        let mut wanted: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for (file, row) in places.iter() {
            wanted.entry(file).or_default().insert(usize::try_from(row).unwrap_or(usize::MAX));
        }
        let env = context.runtime_env();
        let store = env.object_store(&self.scan.object_store_url)?;
        let cache = env.cache_manager.get_file_metadata_cache();
        let (mut parts, mut read) = (Vec::new(), Vec::new());
        for (path, rows) in wanted {
            let Some(&file) = files.get(path) else { return internal_err!("no file /{path} among those of the scan") };
            read.push(file.object_meta.clone());
            // If the file has a page index, only the pages with these rows are read.
            let footer = DFParquetMetadata::new(store.as_ref(), &file.object_meta)
                .with_file_metadata_cache(Some(Arc::clone(&cache)))
                .with_page_index_policy(Some(PageIndexPolicy::Optional))
                .fetch_metadata()
                .await?;
            for plan in access(&footer, &rows) {
                let mut part = file.clone();
                part.range = None;
                parts.push(part.with_extension(plan));
            }
        }
        let mut groups = vec![Vec::new(); context.session_config().target_partitions().clamp(1, parts.len().max(1))];
        let threads = groups.len();
        for (at, part) in parts.into_iter().enumerate() {
            groups[at % threads].push(part);
        }
        Ok((groups.into_iter().map(FileGroup::new).collect(), read))
    }

    /// Returns an error if a file is not the one that was listed, since rows would then combine two versions of a file.
    async fn check_unchanged(&self, files: &[ObjectMeta], context: &Arc<TaskContext>) -> Result<()> {
        let store = context.runtime_env().object_store(&self.scan.object_store_url)?;
        for listed in files {
            let now = store.head(&listed.location).await?;
            if (now.size, now.last_modified) != (listed.size, listed.last_modified) {
                return exec_err!("/{} changed while it was read; run the query again", listed.location);
            }
        }
        Ok(())
    }
}

/// What to read of each row group that contains some of the rows.
fn access(footer: &ParquetMetaData, rows: &BTreeSet<usize>) -> Vec<ParquetAccessPlan> {
    let (mut plans, mut first) = (Vec::new(), 0);
    for (group, metadata) in footer.row_groups().iter().enumerate() {
        let count = usize::try_from(metadata.num_rows()).unwrap_or_default();
        let ranges: Vec<_> = rows.range(first..first + count).map(|row| row - first..row - first + 1).collect();
        first += count;
        if !ranges.is_empty() {
            let selection = RowSelection::from_consecutive_ranges(ranges.into_iter(), count);
            let mut plan = ParquetAccessPlan::new_none(footer.num_row_groups());
            plan.set(group, RowGroupAccess::Selection(selection));
            plans.push(plan);
        }
    }
    plans
}

/// Locations of rows.
struct Places<'a> {
    files: StringArray,
    rows: &'a Int64Array,
}

impl<'a> Places<'a> {
    fn of(files: &ArrayRef, rows: &'a ArrayRef) -> Result<Self> {
        let files = arrow::compute::cast(files, &DataType::Utf8)?.as_string::<i32>().clone();
        Ok(Self { files, rows: rows.as_primitive::<Int64Type>() })
    }

    fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        (0..self.rows.len()).map(|at| (self.files.value(at), self.rows.value(at)))
    }
}

/// Copies the rows out of memory that they share with others.
fn without_pages(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(|column| match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()) as ArrayRef,
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        _ => Arc::clone(column),
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns.collect(), &options)?)
}
