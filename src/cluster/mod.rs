//! The same SQL on a Ballista cluster. Ballista is named only here.

use std::sync::Arc;

use ballista::prelude::{SessionConfigExt, SessionContextExt};
use ballista_core::serde::{BallistaLogicalExtensionCodec, BallistaPhysicalExtensionCodec};
use datafusion::common::Result;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionContext;
use limpid_udfs::codec::{OperatorLogicalCodec, OperatorPhysicalCodec};

use crate::session::{self, EngineOptions};

/// A scheduler and an executor in this process, and a session that sends its queries there.
pub async fn standalone(options: &EngineOptions) -> Result<SessionContext> {
    connected(SessionContext::standalone_with_state(state(options)?).await?)
}

/// A session that sends its queries to the scheduler at `url`, `df://host:port`.
pub async fn remote(url: &str, options: &EngineOptions) -> Result<SessionContext> {
    connected(SessionContext::remote_with_state(url, state(options)?).await?)
}

/// The engine's state with codecs for the way to the scheduler and on to the executors.
pub fn state(options: &EngineOptions) -> Result<SessionState> {
    let state = session::state(options)?;
    let logical = OperatorLogicalCodec { others: Arc::new(BallistaLogicalExtensionCodec::default()) };
    let physical = OperatorPhysicalCodec { others: Arc::new(BallistaPhysicalExtensionCodec::default()) };
    let config = state
        .config()
        .clone()
        .upgrade_for_ballista()
        .with_ballista_logical_extension_codec(Arc::new(logical))
        .with_ballista_physical_extension_codec(Arc::new(physical));
    Ok(SessionStateBuilder::new_from_existing(state).with_config(config).build())
}

/// Ballista replaces a session's functions by its own: ours are added again.
fn connected(ctx: SessionContext) -> Result<SessionContext> {
    for udf in limpid_udfs::register::scalar_functions() {
        ctx.register_udf(udf.as_ref().clone());
    }
    Ok(ctx)
}
