//! The reference of the functions over lakes.

use datafusion::logical_expr::{DocSection, Documentation};
use limpid_udfs::register::OperatorDoc;

use super::{LAKE_TABLES, RETENTION_PLAN, TABLE_CONTAINMENT};

const SECTION: DocSection = DocSection { include: true, label: "Lakes", description: None };
const LAYOUT: &str = "What a table is: `'auto'`, a folder where it has `key=value` folders, a writer's marker such as `_SUCCESS`, or \
                      only files named as parts (`part-0001`, `train-00000-of-00008`: a table a split), else a file; or always \
                      `'file'` or `'folder'`.";
const NAMES: &str = "`'fold'` (default): names are compared without case; `'exact'`: as written.";
const RENAMED: &str = "`'fold'` (default): names are compared without case; `'exact'`: as written; `'any'`: tables of at least two \
                       columns are also found when their columns have other names in the parent: `mapping` says which. With \
                       `threshold` below 1 too, of several ways the one with most rows.";

/// The functions.
pub fn functions() -> Vec<OperatorDoc> {
    vec![
        OperatorDoc {
            name: LAKE_TABLES,
            documentation: Documentation::builder(
                SECTION,
                "The Parquet tables below a prefix, one a row: `table` (path below the prefix), `kind` (`file`, `folder`, `hive`, `delta`), \
                 `files`, `rows`, `bytes`, `columns` (name, type and number of NULLs; structs taken apart), `modified`, and \
                 `problem`: why something that looks like a table was left out, such as a damaged footer, columns that do not fit \
                 together, or an Iceberg table, whose own metadata decides which files count. A Delta table is what its log says at \
                 its latest version, if limpid was built with the feature `delta`; else it is left out too. Reads footers and logs \
                 only, many at once.",
                "lake_tables('url', layout => 'auto')",
            )
            .with_sql_example(
                r#"```sql
> COPY (SELECT 1 AS id, 'a' AS name UNION ALL SELECT 2, 'b') TO 'target/reference/listed/people.parquet';
+-------+
| count |
+-------+
| 2     |
+-------+
> SELECT "table", kind, files, rows, array_length(columns) AS columns FROM lake_tables('target/reference/listed');
+----------------+------+-------+------+---------+
| table          | kind | files | rows | columns |
+----------------+------+-------+------+---------+
| people.parquet | file | 1     | 2    | 2       |
+----------------+------+-------+------+---------+
```"#,
            )
            .with_argument("url", "Folder, file or glob, local or in a registered object store.")
            .with_argument("layout", LAYOUT)
            .with_argument("names", NAMES)
            .build(),
        },
        OperatorDoc {
            name: TABLE_CONTAINMENT,
            documentation: Documentation::builder(
                SECTION,
                "Which tables of a lake are contained in which: all columns of `child` are in `parent`, and all its rows are among \
                 the parent's, projected. One row a pair with `state`, `similarity` (share of the child's rows in the parent, with \
                 limits where it is an estimate), rows, bytes and the `evidence`. Stages follow one another and each can be the \
                 last: `'schema'` (names), `'minmax'` (types, bounds and counts from footers; only what is proof), `'sketch'` \
                 (row samples anchored to columns; the limits are of anchor values), `'sampled'` (some rows of the child looked \
                 for in the parent, as the paper R2D2 does: a pair that lacks a share e of its rows passes with probability \
                 (1 - e)^sample_rows), `'exact'` (128-bit hashes of all rows: the default) and `'bytes'` (the rows themselves). No \
                 stage ever drops a pair that is contained. Where many pairs are left, single columns are read first, and \
                 nothing else of tables that these rule out. Values are compared as in `row_hash`; a NULL struct is one whose fields \
                 are NULL. Tables without rows are in everything and are not listed. Nothing is read twice, but \
                 parents of narrower tables when cell hashes do not fit in memory; of parents only what their children have. Over two relations it answers for that one pair, \
                 in one row; `state` is then `hash-exact`, `disproved` or `empty`.",
                "table_containment('url', stage => 'exact', rows => 'multiset', types => 'widen', threshold => 1.0)",
            )
            .with_alternative_syntax("table_containment(child, parent, rows => 'multiset')")
            .with_sql_example(
                r#"```sql
> SELECT contained, state, similarity, matched_rows FROM table_containment((SELECT 1 AS id UNION ALL SELECT 5), (SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t(id, name)));
+-----------+-----------+------------+--------------+
| contained | state     | similarity | matched_rows |
+-----------+-----------+------------+--------------+
| false     | disproved | 0.5        | 1            |
+-----------+-----------+------------+--------------+
```"#,
            )
            .with_argument("url", "Folder, file or glob, local or in a registered object store.")
            .with_argument("stage", "The last stage: `'schema'`, `'minmax'`, `'sketch'`, `'sampled'`, `'exact'` or `'bytes'`.")
            .with_argument(
                "rows",
                "`'multiset'` (default): a row that the child has n times must be in the parent n times; `'set'`: once.",
            )
            .with_argument(
                "types",
                "`'widen'` (default): integers, decimals and floats compare by value, dates with timestamps; `'strict'`: columns \
                 must have one type, up to encoding; `'text'`: values compare as text; `'parsed'`: and texts that write a \
                 number, a time or a truth value (`1.50`, `2024-01-01T00:00:00`, `True`) equal it. Codes such as `007` stay texts.",
            )
            .with_argument("names", RENAMED)
            .with_argument("layout", LAYOUT)
            .with_argument("threshold", "Least similarity, 0.01 to 1; below 1 near-containments are listed too.")
            .with_argument("sample_rows", "Rows drawn at stage `'sampled'`; 10 by default.")
            .with_argument("confidence", "Of the limits; 0.95 by default.")
            .with_argument("seed", "Of the draws; 42 by default.")
            .with_related_udf("row_hash")
            .build(),
        },
        OperatorDoc {
            name: RETENTION_PLAN,
            documentation: Documentation::builder(
                SECTION,
                "Which tables of a lake are cheaper to rebuild from another on demand than to keep: one row a table with \
                 `decision` (`keep` or `rebuild`), `rebuild_from` (always a kept table that holds all its rows), the monthly \
                 `cost_of_keeping`, the `cost` by the plan, `rebuild_seconds`, the `evidence`, and `why` it goes or is kept. Keeping costs storage, \
                 maintenance and reading; rebuilding costs reading the whole source and writing the table, each time it is used. \
                 The total is the least possible (facility location, by dual ascent and branch and bound), or as close as 2000 \
                 nodes of the search in each connected group come; `limpid lake plan` states the gap. A plan drops nothing; \
                 before anything is, compare bytes (`stage => 'bytes'`).",
                "retention_plan('url', storage => 0.023, read => 0.002, accesses => 1, latency => 3600)",
            )
            .with_sql_example(
                r#"```sql
> COPY (SELECT value AS id, value * value AS square FROM range(5000)) TO 'target/reference/planned/all.parquet';
+-------+
| count |
+-------+
| 5000  |
+-------+
> COPY (SELECT value AS id, value * value AS square FROM range(4000)) TO 'target/reference/planned/most.parquet';
+-------+
| count |
+-------+
| 4000  |
+-------+
> SELECT "table", decision, rebuild_from, evidence FROM retention_plan('target/reference/planned', accesses => 0.1) ORDER BY "table";
+--------------+----------+--------------+------------+
| table        | decision | rebuild_from | evidence   |
+--------------+----------+--------------+------------+
| all.parquet  | keep     |              |            |
| most.parquet | rebuild  | all.parquet  | hash-exact |
+--------------+----------+--------------+------------+
```"#,
            )
            .with_argument("url", "Folder, file or glob, local or in a registered object store.")
            .with_argument("storage", "Price of keeping a gigabyte for a month; 0.023 by default.")
            .with_argument("maintenance", "Price of looking after a kept gigabyte for a month; 0 by default.")
            .with_argument("read", "Price of reading a gigabyte; 0.002 by default.")
            .with_argument("write", "Price of writing a gigabyte; 0.005 by default.")
            .with_argument("accesses", "How often each table is used a month; 1 by default.")
            .with_argument("throughput", "Gigabytes a second that a rebuild reads; 0.1 by default.")
            .with_argument("latency", "Seconds that a rebuild may take at most; 3600 by default.")
            .with_argument("stage", "`'exact'` (default) or `'bytes'`: what the containments rest on.")
            .with_argument("types", "As in `table_containment`.")
            .with_argument("names", NAMES)
            .with_argument("layout", LAYOUT)
            .with_related_udf("table_containment")
            .build(),
        },
    ]
}
