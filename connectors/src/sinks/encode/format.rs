//! The encoders as file formats of DataFusion, so that `COPY ... TO` and `INSERT INTO` write with them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::catalog::Session;
use datafusion::common::config::CsvOptions;
use datafusion::common::parsers::{CompressionTypeVariant, CsvQuoteStyle};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{GetExt, Result, Statistics, not_impl_err, plan_err};
use datafusion::datasource::file_format::csv::{CsvFormat, CsvFormatFactory};
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::json::{JsonFormat, JsonFormatFactory};
use datafusion::datasource::file_format::write::demux::DemuxedStreamReceiver;
use datafusion::datasource::file_format::write::orchestration::spawn_writer_tasks_and_join;
use datafusion::datasource::file_format::write::{BatchSerializer, get_writer_schema};
use datafusion::datasource::file_format::{FileFormat, FileFormatFactory};
use datafusion::datasource::physical_plan::{FileScanConfig, FileSink, FileSinkConfig, FileSource};
use datafusion::datasource::sink::{DataSink, DataSinkExec};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::dml::InsertOp;
use datafusion::physical_expr::LexRequirement;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan};
use object_store::{ObjectMeta, ObjectStore};

use super::delimited::TimeFormats;
use super::{Delimited, DelimitedOptions, JsonLines, LinesEncoder, WriteFormat};

/// The formats by their name in `STORED AS`, which is also the extension of files in a folder.
const FORMATS: [(&str, WriteFormat); 5] = [
    ("csv", WriteFormat::Csv),
    ("tsv", WriteFormat::Tsv),
    ("json", WriteFormat::JsonLines),
    ("jsonl", WriteFormat::JsonLines),
    ("ndjson", WriteFormat::JsonLines),
];

pub(super) fn register(state: &mut SessionState) -> Result<()> {
    for (ending, format) in FORMATS {
        state.register_file_format(Arc::new(LinesFormatFactory { ending, format }), true)?;
    }
    Ok(())
}

/// Makes [`LinesFormat`]s.
#[derive(Debug)]
struct LinesFormatFactory {
    ending: &'static str,
    format: WriteFormat,
}

impl LinesFormatFactory {
    fn wrap(&self, inner: Arc<dyn FileFormat>) -> Arc<dyn FileFormat> {
        Arc::new(LinesFormat { ending: self.ending, format: self.format, inner })
    }
}

impl FileFormatFactory for LinesFormatFactory {
    fn create(&self, state: &dyn Session, options: &HashMap<String, String>) -> Result<Arc<dyn FileFormat>> {
        if self.format == WriteFormat::JsonLines {
            return Ok(self.wrap(JsonFormatFactory::new().create(state, options)?));
        }
        let mut options = options.clone();
        // Use the same option name as for reading.
        if let Some(header) = options.remove("format.header") {
            options.insert("format.has_header".to_owned(), header);
        }
        if self.format == WriteFormat::Tsv {
            options.entry("format.delimiter".to_owned()).or_insert_with(|| "\t".to_owned());
        }
        Ok(self.wrap(CsvFormatFactory::new().create(state, &options)?))
    }

    fn default(&self) -> Arc<dyn FileFormat> {
        self.wrap(match self.format {
            WriteFormat::JsonLines => Arc::new(JsonFormat::default()),
            WriteFormat::Tsv => Arc::new(CsvFormat::default().with_delimiter(b'\t')),
            _ => Arc::new(CsvFormat::default()),
        })
    }
}

impl GetExt for LinesFormatFactory {
    fn get_ext(&self) -> String {
        self.ending.to_owned()
    }
}

/// A line format, written by limpid and read by DataFusion's format with the same options.
#[derive(Debug)]
struct LinesFormat {
    ending: &'static str,
    format: WriteFormat,
    inner: Arc<dyn FileFormat>,
}

impl LinesFormat {
    fn csv_options(&self) -> Option<&CsvOptions> {
        let inner: &dyn std::any::Any = self.inner.as_ref();
        inner.downcast_ref::<CsvFormat>().map(CsvFormat::options)
    }

    fn json_compression(&self) -> Option<(CompressionTypeVariant, Option<u32>)> {
        let inner: &dyn std::any::Any = self.inner.as_ref();
        inner.downcast_ref::<JsonFormat>().map(|json| (json.options().compression, json.options().compression_level))
    }

    fn encoder(&self, schema: &Schema) -> Result<LinesEncoder> {
        match self.csv_options() {
            Some(options) => Ok(LinesEncoder::Delimited(Delimited::new(schema, delimited(options)?)?)),
            None => JsonLines::new(schema).map(LinesEncoder::Json),
        }
    }
}

/// Converts DataFusion's options. Options that limpid does not support for writing are errors.
fn delimited(options: &CsvOptions) -> Result<DelimitedOptions> {
    let refused = [
        ("terminator", options.terminator.is_some()),
        ("escape", options.escape.is_some()),
        ("double_quote", options.double_quote == Some(false)),
        ("quote_style", options.quote_style != CsvQuoteStyle::Necessary),
        ("ignore_leading_whitespace", options.ignore_leading_whitespace == Some(true)),
        ("ignore_trailing_whitespace", options.ignore_trailing_whitespace == Some(true)),
    ];
    if let Some((name, _)) = refused.iter().find(|(_, given)| *given) {
        return plan_err!(
            "CSV is not written with the option {name}: there are header, delimiter, quote, null_value, compression and the formats of times"
        );
    }
    Ok(DelimitedOptions {
        delimiter: options.delimiter,
        quote: options.quote,
        header: options.has_header.unwrap_or(true),
        null: options.null_value.clone().unwrap_or_default(),
        times: TimeFormats {
            date: options.date_format.clone(),
            datetime: options.datetime_format.clone(),
            timestamp: options.timestamp_format.clone(),
            timestamp_tz: options.timestamp_tz_format.clone(),
            time: options.time_format.clone(),
        },
        ..DelimitedOptions::default()
    })
}

#[async_trait]
impl FileFormat for LinesFormat {
    fn get_ext(&self) -> String {
        self.ending.to_owned()
    }

    fn get_ext_with_compression(&self, compression: &FileCompressionType) -> Result<String> {
        Ok(format!("{}{}", self.ending, compression.get_ext()))
    }

    fn compression_type(&self) -> Option<FileCompressionType> {
        self.inner.compression_type()
    }

    async fn infer_schema(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        objects: &[ObjectMeta],
    ) -> Result<SchemaRef> {
        self.inner.infer_schema(state, store, objects).await
    }

    async fn infer_stats(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        table_schema: SchemaRef,
        object: &ObjectMeta,
    ) -> Result<Statistics> {
        self.inner.infer_stats(state, store, table_schema, object).await
    }

    async fn create_physical_plan(&self, state: &dyn Session, conf: FileScanConfig) -> Result<Arc<dyn ExecutionPlan>> {
        self.inner.create_physical_plan(state, conf).await
    }

    async fn create_writer_physical_plan(
        &self,
        input: Arc<dyn ExecutionPlan>,
        _: &dyn Session,
        config: FileSinkConfig,
        order: Option<LexRequirement>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if config.insert_op != InsertOp::Append {
            return not_impl_err!("INSERT OVERWRITE into files of lines");
        }
        let encoder = Arc::new(self.encoder(&get_writer_schema(&config))?);
        let (compression, level) = match self.csv_options() {
            Some(options) => (options.compression, options.compression_level),
            None => self.json_compression().unwrap_or((CompressionTypeVariant::UNCOMPRESSED, None)),
        };
        let sink = LinesSink { config, format: self.format, encoder, compression, level };
        Ok(Arc::new(DataSinkExec::new(input, Arc::new(sink), order)))
    }

    fn file_source(&self, table_schema: TableSchema) -> Arc<dyn FileSource> {
        self.inner.file_source(table_schema)
    }
}

/// Writes files of lines.
struct LinesSink {
    config: FileSinkConfig,
    format: WriteFormat,
    encoder: Arc<LinesEncoder>,
    compression: CompressionTypeVariant,
    level: Option<u32>,
}

impl fmt::Debug for LinesSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinesSink").field("format", &self.format).finish_non_exhaustive()
    }
}

impl DisplayAs for LinesSink {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinesSink(format={})", self.format.ending())
    }
}

#[async_trait]
impl FileSink for LinesSink {
    fn config(&self) -> &FileSinkConfig {
        &self.config
    }

    async fn spawn_writer_tasks_and_join(
        &self,
        context: &Arc<TaskContext>,
        demux_task: SpawnedTask<Result<()>>,
        files: DemuxedStreamReceiver,
        object_store: Arc<dyn ObjectStore>,
    ) -> Result<u64> {
        let serializer = Arc::new(Serializer(Arc::clone(&self.encoder)));
        let compression = self.compression.into();
        spawn_writer_tasks_and_join(context, serializer, compression, self.level, object_store, demux_task, files).await
    }
}

#[async_trait]
impl DataSink for LinesSink {
    fn schema(&self) -> &SchemaRef {
        self.config.output_schema()
    }

    async fn write_all(&self, data: SendableRecordBatchStream, context: &Arc<TaskContext>) -> Result<u64> {
        FileSink::write_all(self, data, context).await
    }
}

struct Serializer(Arc<LinesEncoder>);

impl BatchSerializer for Serializer {
    fn serialize(&self, batch: RecordBatch, initial: bool) -> Result<Bytes> {
        let mut out = if initial { self.0.header().to_vec() } else { Vec::new() };
        self.0.encode(&batch, &mut out)?;
        Ok(Bytes::from(out))
    }
}
