//! `glob('**/*.csv')`: the files that a pattern matches.

use std::sync::{Arc, LazyLock};

use arrow::array::{Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{MemTable, Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::DocumentationBuilder;

use crate::sources::files::place::{display_path, file_columns};
use crate::sources::files::{SourceSpec, list};
use crate::sources::function::{EXCLUDE, Gives, PATH, TableFunction, entry};

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(file_columns().to_vec())));

/// One row per file, sorted by path.
pub(super) async fn files(state: &dyn Session, spec: &SourceSpec) -> Result<Arc<dyn TableProvider>> {
    let listing = list(state, spec).await?;
    let metas = || listing.files.iter().map(|file| &file.meta);
    let paths: StringArray = metas().map(|meta| Some(display_path(&listing.store, &meta.location))).collect();
    let sizes = Int64Array::from_iter_values(metas().map(|meta| i64::try_from(meta.size).unwrap_or(i64::MAX)));
    let modified = metas().map(|meta| meta.last_modified.timestamp_micros());
    let modified = TimestampMicrosecondArray::from_iter_values(modified).with_timezone("UTC");
    let batch = RecordBatch::try_new(Arc::clone(&SCHEMA), vec![Arc::new(paths), Arc::new(sizes), Arc::new(modified)])?;
    Ok(Arc::new(MemTable::try_new(Arc::clone(&SCHEMA), vec![vec![batch]])?))
}

/// The files themselves.
pub(super) const GLOB: TableFunction =
    TableFunction { name: "glob", format: None, gives: Gives::Files, options: &[EXCLUDE], others: &[], documentation };

fn documentation() -> DocumentationBuilder {
    entry(
        "The files that a path, folder or glob stands for, sorted by path: `path`, `size` in bytes and `modified`. Files are not opened.",
        "glob('path')",
    )
    .with_sql_example(
        r#"```sql
> COPY (SELECT 1 AS a) TO 'target/reference/globbed/x.csv';
+-------+
| count |
+-------+
| 1     |
+-------+
> SELECT ends_with(path, '/globbed/x.csv') AS found, size FROM glob('target/reference/globbed/*');
+-------+------+
| found | size |
+-------+------+
| true  | 4    |
+-------+------+
```"#,
    )
    .with_argument("path", PATH)
    .with_argument("exclude", "Globs of files to leave out, one or a list.")
}
