//! One engine for all inputs of a process, with a small table and in little memory.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use datafusion::common::{DataFusionError, Result};
use datafusion::prelude::SessionContext;
use limpid::session::{EngineOptions, context, statement};
use tokio::runtime::{Builder, Runtime};

/// Bytes that a query may keep.
const MEMORY: usize = 64 << 20;

/// A query that takes longer waits for something, and is given up.
const TIME: Duration = Duration::from_secs(5);

/// Rows of every kind of column that operators ask for.
const TABLE: &str = "CREATE TABLE t AS SELECT * FROM (VALUES
    (1, 'the cat sat on the mat', 'a', 0.5, [1.0, 0.0], true, DATE '2020-01-01'),
    (2, 'The cat sat on the mat!', 'b', 0.25, [0.9, 0.1], false, NULL),
    (3, '', 'a', 'NaN'::double, [0.0, 1.0], NULL, DATE '2021-01-01'),
    (4, NULL, NULL, NULL, NULL, true, NULL)) AS v(id, text, label, score, embedding, flag, day)";

struct Engine {
    runtime: Runtime,
    ctx: SessionContext,
    folder: PathBuf,
}

static ENGINE: LazyLock<Option<Engine>> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().ok()?;
    let options =
        EngineOptions { threads: Some(1), batch_size: Some(64), memory_limit: Some(MEMORY), ..Default::default() };
    let ctx = context(&options).ok()?;
    let table = async { statement::sql(&ctx, TABLE).await?.collect().await };
    runtime.block_on(table).ok()?;
    Some(Engine { runtime, ctx, folder: tempfile::tempdir().ok()?.keep() })
});

fn engine() -> &'static Engine {
    // Without an engine there is nothing to test, and no input is to blame.
    ENGINE.as_ref().unwrap_or_else(|| std::process::abort())
}

/// The file `name` of this process with these bytes.
pub(crate) fn file(name: &str, bytes: &[u8]) -> String {
    let path = engine().folder.join(name);
    if std::fs::write(&path, bytes).is_err() {
        std::process::abort();
    }
    path.to_string_lossy().into_owned()
}

/// Plans a statement and carries out none.
pub(crate) fn plan(sql: &str) {
    let Engine { runtime, ctx, .. } = engine();
    let state = ctx.state();
    let dialect = state.config().options().sql_parser.dialect;
    if let Ok(parsed) = state.sql_to_statement(sql, &dialect) {
        said(runtime.block_on(async { within(statement::plan(&state, parsed)).await.map(|_| ()) }));
    }
}

/// Runs a query.
pub(crate) fn run(sql: &str) {
    let Engine { runtime, ctx, .. } = engine();
    let query = async { within(async { statement::sql(ctx, sql).await?.collect().await }).await.map(|_| ()) };
    said(runtime.block_on(query));
}

async fn within<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(TIME, work).await.unwrap_or_else(|error| Err(DataFusionError::External(Box::new(error))))
}

/// An error is an answer, unless it is a panic of another thread.
fn said(answer: Result<()>) {
    if let Err(error) = answer {
        let text = error.to_string();
        assert!(!text.contains("panicked"), "{text}");
    }
}

/// A text as SQL writes it.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
