//! Text files as a format of sources.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::common::stats::Precision;
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::ExecutionPlan;

use super::external::TextTableFactory;
use super::format::{TextFormat, TextFormatFactory};
use super::function;
use super::options::TextOptions;
use super::schema::{TEXT, schema};
use crate::sources::files::Format;
use crate::sources::files::groups::balanced_groups;
use crate::sources::files::spec::prefixed;
use crate::sources::format::{Formats, Opened, Opening, SourceFormat};
use crate::sources::function::TableFunction;
use crate::sources::provenance::RowNumbers;
use crate::sources::table::{FilesReader, Scan};

/// One row per file.
#[derive(Debug)]
pub struct Text;

#[async_trait]
impl SourceFormat for Text {
    fn format(&self) -> Format {
        TEXT
    }

    async fn open(&self, _: &dyn Session, files: Opening<'_>) -> Result<Opened> {
        let mut options = files.spec.options.clone();
        if files.all_named {
            options.entry("binary".to_owned()).or_insert_with(|| "error".to_owned());
        }
        let reader = Arc::new(TextFiles(parse(&options)?));
        Ok(Opened { options, schema: schema(), reader })
    }

    fn function(&self) -> Option<TableFunction> {
        Some(function::READ_TEXT)
    }

    fn register(&self, state: &mut SessionState, formats: Formats) -> Result<()> {
        state.register_file_format(Arc::new(TextFormatFactory), true)?;
        state.table_factories_mut().insert(TEXT.info().name.to_owned(), Arc::new(TextTableFactory(formats)));
        Ok(())
    }
}

fn parse(options: &BTreeMap<String, String>) -> Result<TextOptions> {
    TextOptions::parse(&prefixed(options))
}

/// How text files are read.
#[derive(Debug)]
struct TextFiles(TextOptions);

#[async_trait]
impl FilesReader for TextFiles {
    fn row_numbers(&self) -> RowNumbers {
        RowNumbers::OneRow
    }

    fn has_file_columns(&self) -> bool {
        true
    }

    async fn scan(&self, state: &dyn Session, mut scan: Scan<'_>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let groups = balanced_groups(std::mem::take(&mut scan.files), state.config().target_partitions());
        let files = || groups.iter().flat_map(FileGroup::iter);
        let mut statistics = scan.table.sizes(&groups);
        statistics.num_rows = Precision::Inexact(files().count());
        let format = TextFormat::new(self.0.clone());
        scan.plan(state, &format, (groups, statistics), |plan| plan).await.map(Some)
    }
}
