//! `FROM 'path'`: resolves a name that looks like a path and is not the name of a table.

use std::fmt;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use datafusion::catalog::{DynamicFileCatalog, TableProvider, UrlTableFactory};
use datafusion::common::Result;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionContext;

use super::files::SourceSpec;
use super::files::place::looks_like_path;
use super::formats::table;
use super::functions;

/// Makes `FROM 'lake/**/*.parquet'` work in a session without any DDL.
///
/// A name counts as a path if it contains `/`, `.`, `*` or `?` or starts with `~`. A file whose name has none of these is
/// written `'./NAME'`. Call this last, because it returns a new context over the same state.
#[must_use]
pub fn enable_paths(ctx: SessionContext) -> SessionContext {
    let state = ctx.state();
    let fallback = SessionStateBuilder::new()
        .with_config(state.config().clone())
        .with_runtime_env(Arc::clone(state.runtime_env()))
        .with_table_options(state.default_table_options().clone())
        .build();
    let factory = Arc::new(PathTables { fallback, current: OnceLock::new() });
    let catalogs = DynamicFileCatalog::new(Arc::clone(state.catalog_list()), Arc::clone(&factory) as _);
    let session_id = ctx.session_id();
    let ctx: SessionContext =
        ctx.into_state_builder().with_session_id(session_id).with_catalog_list(Arc::new(catalogs)).build().into();
    let weak = ctx.state_weak_ref();
    // Weak, because the state owns the catalog that owns the factory.
    let current = move || weak.upgrade().map(|state| state.read().clone());
    // A factory of this call cannot have been set before.
    let _ = factory.current.set(Box::new(current));
    ctx
}

type CurrentState = Box<dyn Fn() -> Option<SessionState> + Send + Sync>;

/// Resolves names that look like paths, with the settings that the session has at that time.
struct PathTables {
    /// For contexts that were created from the state of ours and outlive it.
    fallback: SessionState,
    current: OnceLock<CurrentState>,
}

impl fmt::Debug for PathTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PathTables").finish_non_exhaustive()
    }
}

#[async_trait]
impl UrlTableFactory for PathTables {
    async fn try_new(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let current = self.current.get().and_then(|current| current());
        let state = current.as_ref().unwrap_or(&self.fallback);
        if let Some(found) = functions::resolve(state, name).await? {
            return Ok(Some(found));
        }
        if !looks_like_path(name) {
            return Ok(None);
        }
        Ok(Some(table(state, &SourceSpec::new(name)).await?))
    }
}
