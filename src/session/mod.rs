//! Assembles the engine: DataFusion, the functions and operators of `limpid-udfs`, the formats of `limpid-connectors`, the
//! memory pool and the spill directory.

pub mod catalogue;
mod clauses;
mod copy;
pub mod depth;
pub mod errors;
pub mod inputs;
mod lateral;
mod limit;
pub mod metrics;
pub mod provenance;
pub mod recipe;
mod recipe_input;
pub mod rewrite;
pub mod statement;
pub mod summarize;
mod unnest;

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::MaxRowGroupBytes;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::prelude::{SessionConfig, SessionContext};
use limpid_connectors::file_order::FileOrder;
use limpid_connectors::float_bounds::FloatBounds;
use limpid_connectors::late_columns::LateColumns;
use limpid_connectors::row_filters::RowFilters;
use limpid_udfs::checked::CheckedArithmetic;
use limpid_udfs::config::LimpidOptions;
use limpid_udfs::operators::frame::planner::OperatorQueryPlanner;
use limpid_udfs::operators::materialize::list::ListInputs;
use limpid_udfs::operators::materialize::share::ShareRepeated;

use copy::SessionPlanner;
use lateral::LateralUnnest;
use limit::Sorts;
use limit::groups::Groups;
use limit::joins::{Joins, Rereads};
use limit::pool::Pool;
use limit::rows::BatchRows;
use limit::windows::Windows;
use recipe_input::InputPlanner;
use unnest::UnnestNames;

/// Rows per batch. Rows of a training lake are texts of kilobytes: 8192 of them, DataFusion's default, are 60 MB, and several
/// batches are in flight at once. With 2048, a corpus of documents takes the same time and half the memory.
const BATCH_SIZE: usize = 2048;

/// Bytes of a row group that COPY writes under a memory limit, at least and at most.
const ROW_GROUP_BYTES: (usize, usize) = (4 << 20, 128 << 20);

/// The rows whose columns are read late may take at most one part in this many of a memory limit.
const LATE_SHARE: usize = 16;

/// What a user may choose about the engine; `None` leaves the default.
#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// Bytes the memory pool may hand out; without it memory is not limited.
    pub memory_limit: Option<usize>,
    /// Partitions, and so threads at work; the number of cores by default.
    pub threads: Option<usize>,
    /// Rows in a batch; 2,048 by default.
    pub batch_size: Option<usize>,
    /// Folder for spill files; the system's temporary folder by default.
    pub spill_dir: Option<PathBuf>,
}

/// A session context with everything of limpid registered.
pub fn context(options: &EngineOptions) -> Result<SessionContext> {
    let mut state = state(options)?;
    state.register_relation_planner(Arc::new(InputPlanner { apart: true }))?;
    let rules = physical_rules(&state, options.memory_limit);
    let state = SessionStateBuilder::new_from_existing(state)
        .with_query_planner(Arc::new(SessionPlanner))
        .with_physical_optimizer_rules(rules);
    Ok(limpid_connectors::sources::enable_paths(SessionContext::new_with_state(state.build())))
}

/// The rules of `state`, with those for one machine and, under a limit, those that keep plans within it.
fn physical_rules(
    state: &SessionState,
    memory_limit: Option<usize>,
) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = state.physical_optimizers().to_vec();
    if let Some(limit) = memory_limit {
        // First: the rules after it sort the inputs of the joins that it changes.
        rules.insert(0, Arc::new(Joins { limit }));
    }
    LateColumns { bytes: memory_limit.map(|limit| limit / LATE_SHARE) }.join(&mut rules);
    rules.push(Arc::new(FileOrder));
    rules.push(Arc::new(ShareRepeated));
    if memory_limit.is_some() {
        rules.push(Arc::new(Rereads));
        rules.push(Arc::new(Groups));
    }
    rules.push(Arc::new(Windows { limited: memory_limit.is_some() }));
    if let Some(limit) = memory_limit {
        rules.push(Arc::new(Sorts { limit }));
    } else {
        // The columns that filters read are kept until the others are decoded, which no limit counts.
        rules.push(Arc::new(RowFilters));
    }
    rules.push(Arc::new(BatchRows::new(memory_limit)));
    rules.push(Arc::new(ListInputs));
    rules
}

/// The session state behind [`context`], without what only applies to local files. A cluster's scheduler builds its own state
/// with this function.
pub fn state(options: &EngineOptions) -> Result<SessionState> {
    if let Some(threads) = options.threads {
        limpid_encoders::onnx::batcher::set_threads(threads);
    }
    let mut state = SessionStateBuilder::new()
        .with_config(config(options))
        .with_runtime_env(runtime(options)?)
        .with_default_features()
        .with_query_planner(Arc::new(OperatorQueryPlanner))
        .with_analyzer_rules(limpid_connectors::literals::analyzer_rules())
        .with_analyzer_rule(Arc::new(LateralUnnest))
        .with_analyzer_rule(Arc::new(CheckedArithmetic::default()))
        .with_physical_optimizer_rule(Arc::new(FloatBounds))
        .build();
    limpid_udfs::register::register(&mut state)?;
    limpid_connectors::register_formats(&mut state)?;
    limpid_lakes::sql::register(&mut state)?;
    state.register_relation_planner(Arc::new(InputPlanner { apart: false }))?;
    state.register_relation_planner(Arc::new(UnnestNames))?;
    Ok(state)
}

/// The folder in which an engine spills.
pub fn spill_folder(env: &RuntimeEnv) -> PathBuf {
    let folders = env.disk_manager.temp_dir_paths();
    // DataFusion makes a folder of its own in the one that was chosen, and that only when it first spills.
    folders.first().and_then(|folder| folder.parent()).map_or_else(std::env::temp_dir, PathBuf::from)
}

fn config(options: &EngineOptions) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_information_schema(true)
        .with_option_extension(LimpidOptions::of_environment())
        .with_batch_size(options.batch_size.unwrap_or(BATCH_SIZE));
    // In nanoseconds INT96 timestamps before 1677 and after 2262 would become others.
    config.options_mut().execution.parquet.coerce_int96 = Some("us".to_owned());
    if let Some(threads) = options.threads {
        config = config.with_target_partitions(threads);
    }
    if let Some(bytes) = options.memory_limit {
        let execution = &mut config.options_mut().execution;
        // DataFusion reserves 10 MB for each merge of what aggregates spill, which must not exhaust a small pool.
        execution.sort_spill_reservation_bytes = execution.sort_spill_reservation_bytes.min(bytes / 16);
        // A row group is in memory until it is complete, and only the single-threaded writer respects its size.
        execution.parquet.allow_single_file_parallelism = false;
        let group = (bytes / 8).clamp(ROW_GROUP_BYTES.0, ROW_GROUP_BYTES.1);
        execution.parquet.max_row_group_bytes = MaxRowGroupBytes::try_new(group).ok();
    }
    config
}

fn runtime(options: &EngineOptions) -> Result<Arc<RuntimeEnv>> {
    let mut builder = RuntimeEnvBuilder::new();
    if let Some(bytes) = options.memory_limit {
        builder = builder.with_memory_pool(Arc::new(Pool::new(bytes)));
    }
    if let Some(dir) = &options.spill_dir {
        let mode = DiskManagerMode::Directories(vec![dir.clone()]);
        builder = builder.with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode));
    }
    builder.build_arc()
}
