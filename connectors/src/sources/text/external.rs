//! `CREATE EXTERNAL TABLE ... STORED AS TEXT`.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::common::{Result, not_impl_err, plan_err};
use datafusion::logical_expr::CreateExternalTable;

use super::files::Text;
use super::schema::TEXT;
use crate::sources::external::spec;
use crate::sources::files::list;
use crate::sources::format::{Formats, Opening};
use crate::sources::settle::settle;
use crate::sources::table::{FilesTable, open};

/// Tables of `STORED AS TEXT`: every file below the location, listed anew in each query.
#[derive(Debug)]
pub(crate) struct TextTableFactory(pub Formats);

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
        let spec = &spec(cmd, Some(TEXT));
        let listing = &list(state, spec).await?;
        let (kind, all_named) = settle(self.0, state, listing, spec).await?;
        let files = Opening { spec, listing, kind, given: None, all_named };
        let mut parts = open(state, &Text, files).await?.parts().clone();
        parts.live = Some(self.0);
        Ok(Arc::new(FilesTable::from_parts(parts)))
    }
}
