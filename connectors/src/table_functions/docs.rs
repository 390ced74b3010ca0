//! The reference of the table functions.

use datafusion::logical_expr::{DocSection, Documentation, DocumentationBuilder};

use super::TableFunction;

const SECTION: DocSection = DocSection { include: true, label: "Reading files", description: None };

const PATH: &str = "A path, a folder or a glob in quotes, or a list of them: `['a.csv', 'b/*.csv']`. Local, or a URL in a registered \
                    object store. A pattern that matches no file is an error.";

/// The functions by name, with their documentation.
pub fn functions() -> Vec<(&'static str, Documentation)> {
    let all = [
        (TableFunction::ReadCsv, read_csv()),
        (TableFunction::ReadJson, read_json()),
        (TableFunction::ReadParquet, read_parquet()),
        (TableFunction::ReadText, read_text()),
        (TableFunction::ReadRejects, read_rejects()),
        (TableFunction::Glob, glob()),
    ];
    all.into_iter().map(|(function, documentation)| (function.name(), documentation.build())).collect()
}

fn new(description: &str, syntax: &str) -> DocumentationBuilder {
    Documentation::builder(SECTION, description, syntax)
}

fn files(builder: DocumentationBuilder) -> DocumentationBuilder {
    builder
        .with_argument("exclude", "Globs of files to leave out, one or a list.")
        .with_argument("partitions", "Names of the `key=value` folders that become columns; those that all files have by default.")
        .with_argument(
            "provenance",
            "`true` adds `_file` (path), `_row` (0 for the first row of a file) and `_row_id` (`file#row`). `false` by default, \
             and `true` where the statement names one of these columns.",
        )
}

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
    let builder = new(
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
    let builder = new(
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

fn read_parquet() -> DocumentationBuilder {
    let builder =
        new("Parquet files as one table, whatever they are called.", "read_parquet('path', provenance => false)")
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

fn read_text() -> DocumentationBuilder {
    let builder = new(
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

fn read_rejects() -> DocumentationBuilder {
    let builder = new(
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

fn glob() -> DocumentationBuilder {
    new(
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
