//! The same SQL on a Ballista cluster. Ballista is named only here.
//!
//! The client plans: operators and their arguments, and so the settings `limpid.*`, are in the logical plan that it sends.
//! The scheduler makes the physical plan, the executors run it; both need the functions, the codecs and the settings'
//! names of [`state`].

use std::sync::Arc;

use ballista::extension::SessionStateExt;
use ballista::prelude::{SessionConfigExt, SessionContextExt};
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::{BallistaCodec, BallistaLogicalExtensionCodec, BallistaPhysicalExtensionCodec};
use ballista_core::{ConfigProducer, RuntimeProducer};
use datafusion::catalog::MemoryCatalogProviderList;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use limpid_udfs::operators::OPERATORS;
use limpid_udfs::operators::frame::codec::{OperatorLogicalCodec, OperatorPhysicalCodec};

use crate::session::{self, EngineOptions};

/// A scheduler and an executor in this process, and a session that sends its queries there.
pub async fn standalone(options: &EngineOptions) -> Result<SessionContext> {
    let state = state(options)?;
    let config = state.config().clone();
    let threads = config.target_partitions();
    let codec =
        BallistaCodec::new(config.ballista_logical_extension_codec(), config.ballista_physical_extension_codec());
    let config_producer: ConfigProducer = Arc::new(move || config.clone());
    let runtime = Arc::clone(state.runtime_env());
    let runtime_producer: RuntimeProducer = Arc::new(move |_| Ok(Arc::clone(&runtime)));

    let served = state.clone();
    // With the settings of the client's session, which Ballista's own standalone scheduler leaves out, and with a catalog
    // of its own: building a state makes an empty default one, and the client's tables must not go with it.
    let session_builder = Arc::new(move |config: SessionConfig| {
        let catalogs = Arc::new(MemoryCatalogProviderList::new());
        Ok(SessionStateBuilder::new_from_existing(served.clone())
            .with_config(config)
            .with_catalog_list(catalogs)
            .build())
    });
    let scheduler = ballista_scheduler::standalone::new_standalone_scheduler_with_builder(
        session_builder,
        Arc::clone(&config_producer),
        codec.clone(),
    );
    let url = format!("http://localhost:{}", scheduler.await.map_err(unreachable)?.port());
    let client = SchedulerGrpcClient::connect(url.clone()).await.map_err(unreachable)?;
    let functions = (&state).into();
    ballista_executor::new_standalone_executor_from_builder(
        client,
        threads,
        config_producer,
        runtime_producer,
        codec,
        functions,
    )
    .await
    .map_err(unreachable)?;
    let upgraded = state.clone().upgrade_for_ballista(url)?;
    Ok(with_functions(SessionContext::new_with_state(upgraded), &state))
}

/// A session that sends its queries to the scheduler at `url`, `df://host:port`.
pub async fn remote(url: &str, options: &EngineOptions) -> Result<SessionContext> {
    let state = state(options)?;
    Ok(with_functions(SessionContext::remote_with_state(url, state.clone()).await?, &state))
}

/// The engine's state with codecs for the way to the scheduler and on to the executors.
pub fn state(options: &EngineOptions) -> Result<SessionState> {
    let state = session::state(options)?;
    let logical =
        OperatorLogicalCodec { operators: OPERATORS, others: Arc::new(BallistaLogicalExtensionCodec::default()) };
    let physical =
        OperatorPhysicalCodec { operators: OPERATORS, others: Arc::new(BallistaPhysicalExtensionCodec::default()) };
    let config = state
        .config()
        .clone()
        .upgrade_for_ballista()
        .with_ballista_logical_extension_codec(Arc::new(logical))
        .with_ballista_physical_extension_codec(Arc::new(physical));
    Ok(SessionStateBuilder::new_from_existing(state).with_config(config).build())
}

/// Ballista replaces a session's functions by its own: those of `state` are added again.
fn with_functions(ctx: SessionContext, state: &SessionState) -> SessionContext {
    for udf in state.scalar_functions().values() {
        ctx.register_udf(udf.as_ref().clone());
    }
    for udaf in state.aggregate_functions().values() {
        ctx.register_udaf(udaf.as_ref().clone());
    }
    for udwf in state.window_functions().values() {
        ctx.register_udwf(udwf.as_ref().clone());
    }
    ctx
}

fn unreachable(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::Context(
        "the cluster in this process does not start".to_owned(),
        Box::new(DataFusionError::External(Box::new(error))),
    )
}
