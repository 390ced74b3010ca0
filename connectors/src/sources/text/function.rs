//! `read_text('path')`.

use datafusion::logical_expr::DocumentationBuilder;

use super::schema::TEXT;
use crate::sources::function::{FILES, Gives, PATH, TableFunction, entry, files};

/// Text files, one row per file.
pub(super) const READ_TEXT: TableFunction = TableFunction {
    name: "read_text",
    format: Some(TEXT),
    gives: Gives::Rows,
    options: &[&["max_file_size", "skip_unreadable"], FILES],
    others: &[],
    documentation: read_text,
};

fn read_text() -> DocumentationBuilder {
    let builder = entry(
        "Files as one row each, whatever they are called: `path`, `size`, `modified` and `text`. In a folder or glob, files that are \
         binary or not UTF-8 are left out and counted; a file that is named by its path alone is then an error.",
        "read_text('path', max_file_size => '1MB', skip_unreadable => false)",
    )
    .with_sql_example(
        r#"```sql
> COPY (SELECT 'a' AS x) TO 'target/reference/read/header.csv';
+-------+
| count |
+-------+
| 1     |
+-------+
> SELECT size, text = concat('x', chr(10), 'a', chr(10)) AS same FROM read_text('target/reference/read/header.csv');
+------+------+
| size | same |
+------+------+
| 4    | true |
+------+------+
```"#,
    )
    .with_argument("path", PATH)
    .with_argument("max_file_size", "Larger files are left out and counted: `'512'`, `'64KB'`, `'10MB'`.")
    .with_argument("skip_unreadable", "`true` leaves out and counts files that cannot be read; an error by default.");
    files(builder)
}
