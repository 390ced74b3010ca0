//! `read_parquet('path')`.

use datafusion::logical_expr::DocumentationBuilder;

use super::source::PARQUET;
use crate::sources::function::{FILES, Gives, PATH, TableFunction, entry, files};

/// Parquet files.
pub(super) const READ_PARQUET: TableFunction = TableFunction {
    name: "read_parquet",
    format: Some(PARQUET),
    gives: Gives::Rows,
    options: &[FILES],
    others: &[],
    documentation: read_parquet,
};

fn read_parquet() -> DocumentationBuilder {
    let builder =
        entry("Parquet files as one table, whatever they are called.", "read_parquet('path', provenance => false)")
            .with_sql_example(
                r#"```sql
> COPY (SELECT value AS id FROM range(3)) TO 'target/reference/read/ids.parquet';
+-------+
| count |
+-------+
| 3     |
+-------+
> SELECT id, _row FROM read_parquet(['target/reference/read/ids.parquet']) WHERE id > 0 ORDER BY id;
+----+------+
| id | _row |
+----+------+
| 1  | 1    |
| 2  | 2    |
+----+------+
```"#,
            )
            .with_argument("path", PATH);
    files(builder)
}
