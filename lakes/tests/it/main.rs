//! Tests over whole lakes, one binary so that the engine is linked once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[cfg(feature = "delta")]
mod delta;
mod demo;
mod growth;
mod real;
mod retire;
mod state;
mod store;
mod trouble;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionContext;
use limpid_lakes::lake::discover::list_files;
use limpid_lakes::options::Options;
use limpid_lakes::pipeline::{self, Outcome};

async fn compare(folder: &Path, options: &Options, env: &Arc<RuntimeEnv>, threads: usize) -> Outcome {
    let ctx = SessionContext::new();
    let listed = list_files(&ctx.state(), folder.to_str().unwrap()).await.unwrap();
    pipeline::run(listed, options, env, threads).await.unwrap()
}

fn roomy() -> Arc<RuntimeEnv> {
    Arc::new(RuntimeEnv::default())
}

fn tight(bytes: usize) -> Arc<RuntimeEnv> {
    RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(bytes))).build_arc().unwrap()
}

/// Pairs by name.
fn pairs(outcome: &Outcome) -> BTreeSet<(String, String)> {
    let name = |table: u32| outcome.lake.tables[table as usize].name.trim_end_matches(".parquet").to_owned();
    outcome.found.iter().map(|found| (name(found.child), name(found.parent))).collect()
}
