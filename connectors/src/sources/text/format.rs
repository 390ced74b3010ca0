//! `STORED AS TEXT`: the file format and its factory.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{GetExt, Result, Statistics, not_impl_err};
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::{FileFormat, FileFormatFactory};
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, FileSinkConfig, FileSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::LexRequirement;
use datafusion::physical_plan::ExecutionPlan;
use object_store::{ObjectMeta, ObjectStore};

use super::{TextOptions, TextSource, schema};
use crate::sources::files::groups::balanced_groups;

/// Makes [`TextFormat`]s for a session.
#[derive(Debug)]
pub struct TextFormatFactory;

impl FileFormatFactory for TextFormatFactory {
    fn create(&self, _state: &dyn Session, options: &HashMap<String, String>) -> Result<Arc<dyn FileFormat>> {
        Ok(Arc::new(TextFormat::new(TextOptions::parse(options)?)))
    }

    fn default(&self) -> Arc<dyn FileFormat> {
        Arc::new(TextFormat::default())
    }
}

impl GetExt for TextFormatFactory {
    fn get_ext(&self) -> String {
        "text".to_owned()
    }
}

/// One row per file; see the [module](super).
#[derive(Debug, Default)]
pub struct TextFormat {
    options: TextOptions,
}

impl TextFormat {
    /// A format that reads with `options`.
    pub fn new(options: TextOptions) -> Self {
        Self { options }
    }
}

#[async_trait]
impl FileFormat for TextFormat {
    fn get_ext(&self) -> String {
        "text".to_owned()
    }

    fn get_ext_with_compression(&self, compression: &FileCompressionType) -> Result<String> {
        if compression.is_compressed() {
            return not_impl_err!("TEXT does not read compressed files");
        }
        Ok(self.get_ext())
    }

    fn compression_type(&self) -> Option<FileCompressionType> {
        None
    }

    async fn infer_schema(&self, _: &dyn Session, _: &Arc<dyn ObjectStore>, _: &[ObjectMeta]) -> Result<SchemaRef> {
        Ok(schema())
    }

    async fn infer_stats(
        &self,
        _state: &dyn Session,
        _store: &Arc<dyn ObjectStore>,
        table_schema: SchemaRef,
        object: &ObjectMeta,
    ) -> Result<Statistics> {
        // Inexact: whether the file is a row shows only when it is read.
        Ok(Statistics {
            num_rows: Precision::Inexact(1),
            total_byte_size: Precision::Inexact(usize::try_from(object.size).unwrap_or(usize::MAX)),
            ..Statistics::new_unknown(&table_schema)
        })
    }

    async fn create_physical_plan(&self, state: &dyn Session, conf: FileScanConfig) -> Result<Arc<dyn ExecutionPlan>> {
        let declared = conf.output_partitioning.is_some() || !conf.output_ordering.is_empty();
        let groups = conf.file_groups.clone();
        // The order within a group is kept: that lets one partition read all its files into shared batches.
        let mut builder = FileScanConfigBuilder::from(conf).with_preserve_order(true);
        if !declared {
            let files = groups.into_iter().flat_map(FileGroup::into_inner).collect();
            builder = builder.with_file_groups(balanced_groups(files, state.config().target_partitions()));
        }
        Ok(DataSourceExec::from_data_source(builder.build()))
    }

    async fn create_writer_physical_plan(
        &self,
        _input: Arc<dyn ExecutionPlan>,
        _state: &dyn Session,
        _conf: FileSinkConfig,
        _order_requirements: Option<LexRequirement>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        not_impl_err!("TEXT is read only: write PARQUET, JSON or CSV")
    }

    fn file_source(&self, table_schema: TableSchema) -> Arc<dyn FileSource> {
        Arc::new(TextSource::from_options(table_schema, self.options.clone()))
    }
}
