//! Tests over whole lakes, one binary so that the engine is linked once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[cfg(feature = "delta")]
mod delta;
mod demo;
mod growth;
mod kill;
mod parents;
mod parquet_files;
mod real;
mod retire;
mod state;
mod store;
mod trouble;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionContext;
use limpid_lakes::lake::discover::list_files;
use limpid_lakes::options::Options;
use limpid_lakes::pipeline::{self, Outcome};
use parquet::arrow::ArrowWriter;

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

/// A file of one row group; its folders are made.
fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Pairs by name.
fn pairs(outcome: &Outcome) -> BTreeSet<(String, String)> {
    let name = |table: u32| outcome.lake.tables[table as usize].name.trim_end_matches(".parquet").to_owned();
    outcome.found.iter().map(|found| (name(found.child), name(found.parent))).collect()
}
