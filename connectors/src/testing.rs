//! What the tests of all kinds share.

use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::util::display::array_value_to_string;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::sources::enable_paths;

/// A session as the program makes it.
pub(crate) fn session(partitions: usize) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(partitions);
    let rules = crate::literals::analyzer_rules();
    let builder = SessionStateBuilder::new().with_config(config).with_default_features().with_analyzer_rules(rules);
    let mut state = builder.build();
    crate::register_formats(&mut state).unwrap();
    enable_paths(SessionContext::new_with_state(state))
}

pub(crate) fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

pub(crate) async fn batches(ctx: &SessionContext, sql: &str) -> Vec<RecordBatch> {
    ctx.sql(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}")).collect().await.unwrap_or_else(|e| panic!("{sql}: {e}"))
}

/// Rows as `a|b|c`, sorted; `{}` in `sql` is the folder and disappears from the rows.
pub(crate) async fn rows(ctx: &SessionContext, folder: &Path, sql: &str) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let sql = sql.replace("{}", folder);
    let mut rows = Vec::new();
    for batch in batches(ctx, &sql).await {
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap());
            rows.push(values.collect::<Vec<_>>().join("|").replace(folder, ""));
        }
    }
    rows.sort();
    rows
}

/// The error of a statement; `{}` is the folder.
pub(crate) async fn error(ctx: &SessionContext, folder: &Path, sql: &str) -> String {
    let folder = folder.to_str().unwrap();
    let sql = sql.replace("{}", folder);
    let result = match ctx.sql(&sql).await {
        Ok(frame) => frame.collect().await.map(|batches| batches.len()),
        Err(e) => Err(e),
    };
    match result {
        Ok(batches) => panic!("{sql}: no error but {batches} batches"),
        Err(e) => e.to_string().replace(folder, ""),
    }
}

pub(crate) async fn count(ctx: &SessionContext, folder: &Path, from: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {}", from.replace("{}", folder.to_str().unwrap()));
    let batches = batches(ctx, &sql).await;
    batches.iter().find(|batch| batch.num_rows() > 0).unwrap().column(0).as_primitive::<Int64Type>().value(0)
}

/// Whether permissions keep this process from anything.
pub(crate) fn is_root(folder: &Path) -> bool {
    let file = folder.join(".root-check");
    std::fs::write(&file, "x").unwrap();
    set_mode(&file, 0);
    let root = std::fs::read(&file).is_ok();
    std::fs::remove_file(&file).unwrap();
    root
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
