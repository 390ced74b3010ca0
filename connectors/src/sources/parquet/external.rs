//! `CREATE EXTERNAL TABLE ... STORED AS PARQUET`.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::common::Result;
use datafusion::datasource::provider::DefaultTableFactory;
use datafusion::logical_expr::CreateExternalTable;
use futures::{StreamExt, TryStreamExt, stream};

use super::columns::{check_names, footer};
use super::foreign;
use crate::sources::files::place::display_path;
use crate::sources::files::{Listing, SourceSpec, list};

/// Creates tables of `STORED AS PARQUET`: DataFusion's own, after checking for files that it would misread.
#[derive(Debug)]
pub(super) struct ParquetTableFactory;

#[async_trait]
impl TableProviderFactory for ParquetTableFactory {
    async fn create(&self, state: &dyn Session, cmd: &CreateExternalTable) -> Result<Arc<dyn TableProvider>> {
        let spec = SourceSpec { paths: cmd.locations.clone(), ..SourceSpec::default() };
        // A location to be written has no files yet. If it cannot be listed, the other factory explains why.
        if let Ok(listing) = list(state, &spec).await {
            foreign::refuse(state, &listing, None).await?;
            check_listed(state, &listing).await?;
        }
        let mut cmd = cmd.clone();
        let unit = |key: &str| key.trim_start_matches("format.") == "coerce_int96";
        if !cmd.options.keys().any(|key| unit(key)) {
            cmd.options.insert("format.coerce_int96".to_owned(), "us".to_owned());
        }
        DefaultTableFactory::new().create(state, &cmd).await
    }
}

/// Refuses files in which two columns have one name. A file that cannot be read is left to DataFusion's own message.
async fn check_listed(state: &dyn Session, listing: &Listing) -> Result<()> {
    let store = &state.runtime_env().object_store(&listing.store)?;
    stream::iter(&listing.files)
        .map(|file| async move {
            let Ok(footer) = footer(state, store, &file.meta).await else { return Ok(()) };
            check_names(&display_path(&listing.store, &file.meta.location), &footer)
        })
        .boxed()
        .buffered(state.config_options().execution.meta_fetch_concurrency.get())
        .try_collect()
        .await
}
