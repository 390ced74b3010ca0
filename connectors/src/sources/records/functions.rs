//! `read_csv('path')`, `read_json('path')` and `read_rejects('path')`.

use datafusion::logical_expr::DocumentationBuilder;

use super::formats::{CSV, JSON};
use crate::sources::function::{EXCLUDE, FILES, Gives, PATH, TableFunction, entry, files};

const FORMAT: &[&str] = &["format"];
const DIALECT: &[&str] = &["delimiter", "quote", "escape", "comment", "header", "null", "ragged"];
const TYPES: &[&str] = &["columns", "types", "sample"];
const ON_ERROR: &[&str] = &["on_error"];
const BYTES: &[&str] = &["encoding", "compression"];

/// CSV and TSV files.
pub(crate) const READ_CSV: TableFunction = TableFunction {
    name: "read_csv",
    format: Some(CSV),
    gives: Gives::Rows,
    options: &[DIALECT, TYPES, ON_ERROR, BYTES, FILES],
    others: &["delim", "sep", "nullstr", "null_padding", "ignore_errors", "schema", "column_types", "dtypes"],
    documentation: read_csv,
};

/// JSON lines, JSON objects and arrays of objects.
pub(crate) const READ_JSON: TableFunction = TableFunction {
    name: "read_json",
    format: Some(JSON),
    gives: Gives::Rows,
    options: &[FORMAT, TYPES, ON_ERROR, BYTES, FILES],
    others: &["layout", "ignore_errors", "schema"],
    documentation: read_json,
};

/// The errors in CSV and JSON files, one row per rejected record.
pub(crate) const READ_REJECTS: TableFunction = TableFunction {
    name: "read_rejects",
    format: None,
    gives: Gives::Rejects,
    options: &[FORMAT, DIALECT, TYPES, BYTES, EXCLUDE],
    others: &["delim", "sep", "nullstr", "null_padding", "schema"],
    documentation: read_rejects,
};

fn records(builder: DocumentationBuilder) -> DocumentationBuilder {
    builder
        .with_argument("columns", "All columns with their types, `'id BIGINT, text VARCHAR'` or `{'id': 'BIGINT', 'text': 'VARCHAR'}`; inferred by default.")
        .with_argument("types", "Types of some columns, written the same way; the others are inferred.")
        .with_argument("sample", "Megabytes from which types are inferred, spread over all files, or `'all'`. By default everything when the files have up to 64 MB together, else 16 MB.")
        .with_argument("on_error", "What happens to a record that cannot be read: `'fail'` (default), `'skip'` (left out and counted), `'null'` (a value that does not fit its column is NULL).")
        .with_argument("encoding", "`'utf-8'` (default), `'latin1'`, `'windows-1252'`, `'utf-16le'` or `'utf-16be'`; a byte order mark says more.")
        .with_argument("compression", "`'auto'` (default: by the first bytes of each file), `'none'`, `'gzip'`, `'zstd'`, `'bzip2'` or `'xz'`.")
}

fn csv(builder: DocumentationBuilder) -> DocumentationBuilder {
    builder
        .with_argument("delimiter", "Between fields, such as `';'` or `'\\t'`; found in each file by default.")
        .with_argument("quote", "Around fields, `'\"'` by default; `''` for none.")
        .with_argument("escape", "What makes a quote within quotes a plain sign; the quote itself by default.")
        .with_argument("comment", "Lines that begin with it are left out.")
        .with_argument("header", "Whether the first record names the columns; found by default.")
        .with_argument("null", "An unquoted text that is NULL, beside the empty one.")
        .with_argument("ragged", "`'error'` (default), or `'pad'`: missing fields at the end of a record are NULL.")
}

fn read_csv() -> DocumentationBuilder {
    let builder = entry(
        "CSV and TSV files as one table, whatever they are called. Columns of several files are matched by name.",
        "read_csv('path', delimiter => ';', header => true, on_error => 'fail')",
    )
    .with_sql_example(
        r#"```sql
> COPY (SELECT * FROM (VALUES (1, 'a;b'), (2, NULL)) AS t(id, text)) TO 'target/reference/notes/a.csv' OPTIONS (delimiter ';');
+-------+
| count |
+-------+
| 2     |
+-------+
> SELECT id, text FROM read_csv('target/reference/notes/*.csv', delimiter => ';', header => true) ORDER BY id;
+----+------+
| id | text |
+----+------+
| 1  | a;b  |
| 2  |      |
+----+------+
```"#,
    )
    .with_argument("path", PATH);
    files(records(csv(builder))).with_related_udf("read_rejects")
}

fn read_json() -> DocumentationBuilder {
    let builder = entry(
        "JSON files as one table: one object per line, objects over several lines, or arrays of objects. Keys of several files are \
         matched by name; a key that is missing is NULL.",
        "read_json('path', on_error => 'fail')",
    )
    .with_sql_example(
        r#"```sql
> COPY (SELECT * FROM (VALUES (1, 'first'), (2, 'second')) AS t(id, text)) TO 'target/reference/read/docs.jsonl.gz';
+-------+
| count |
+-------+
| 2     |
+-------+
> SELECT text, _row FROM read_json('target/reference/read/docs.jsonl.gz') ORDER BY id;
+--------+------+
| text   | _row |
+--------+------+
| first  | 0    |
| second | 1    |
+--------+------+
```"#,
    )
    .with_argument("path", PATH)
    .with_argument("format", "`'auto'` (default), `'lines'`: one object per line, or `'document'`: objects or arrays over any number of lines.");
    files(records(builder)).with_related_udf("read_rejects")
}

fn read_rejects() -> DocumentationBuilder {
    let builder = entry(
        "The records of CSV and JSON files that cannot be read, one per row: `file`, `line`, `byte`, `reason` and `raw`, the record as it \
         is in the file. The options are those of `read_csv` and `read_json`, so that the same records are rejected.",
        "read_rejects('path', format => 'csv')",
    )
    .with_sql_example(
        r#"```sql
> COPY (SELECT * FROM (VALUES ('id,text'), ('1,a'), ('2,b,c')) AS t(line)) TO 'target/reference/rejects/a.csv' OPTIONS (delimiter '|', header 'false');
+-------+
| count |
+-------+
| 3     |
+-------+
> SELECT line, raw FROM read_rejects('target/reference/rejects/a.csv', delimiter => ',', header => true);
+------+-------+
| line | raw   |
+------+-------+
| 3    | 2,b,c |
+------+-------+
```"#,
    )
    .with_argument("path", PATH)
    .with_argument("format", "`'csv'`, `'tsv'` or `'json'`; by the files' endings by default.");
    records(csv(builder)).with_argument("exclude", "Globs of files to leave out, one or a list.")
}
