//! The reference of the relation operators.

use datafusion::logical_expr::{DocSection, Documentation};

use super::{connected_components, exact_dedup, minhash_dedup, vector_docs};

/// An operator as the reference shows it.
#[derive(Debug, Clone)]
pub struct OperatorDoc {
    /// The SQL name.
    pub name: &'static str,
    /// The same form as a function's.
    pub documentation: Documentation,
}

pub(super) const SECTION: DocSection = DocSection { include: true, label: "Relation Operators", description: None };

pub(super) const INPUT: &str = "The rows: `(SELECT ...)` or a table's name.";
pub(super) const ID: &str = "Column of the row key; `id` by default. NULL and repeated keys are errors.";
pub(super) const ORDER: &str =
    "Who survives: a list of columns such as `'quality DESC, date'`; the id decides ties. By default the id alone.";

/// Every relation operator.
pub fn operators() -> Vec<OperatorDoc> {
    let mut all = vec![
        OperatorDoc {
            name: exact_dedup::plan::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Marks rows whose text is equal, byte for byte, to that of an earlier row. Keeps every row and adds `keep`, \
                 `duplicate_of` (id of the kept row), `similarity` (1 for a removed row) and `cluster_id` (smallest id among \
                 equal rows). NULL texts are nobody's duplicate. O(bytes) time; rows and texts spill.",
                "exact_dedup(relation, text => column, id => column, order_by => 'columns')",
            )
            .with_sql_example(
                r#"```sql
> SELECT id, keep, duplicate_of, cluster_id FROM exact_dedup((SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, 'a')) AS t(id, text))) ORDER BY id;
+----+-------+--------------+------------+
| id | keep  | duplicate_of | cluster_id |
+----+-------+--------------+------------+
| 1  | true  |              | 1          |
| 2  | true  |              | 2          |
| 3  | false | 1            | 1          |
+----+-------+--------------+------------+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("text", "Column compared; `text` by default.")
            .with_argument("id", ID)
            .with_argument("order_by", ORDER)
            .build(),
        },
        OperatorDoc {
            name: minhash_dedup::plan::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Marks rows whose text shares most of its shingles with an earlier kept row. MinHash and LSH banding propose \
                 pairs, the exact Jaccard similarity of the shingle sets decides: a row is removed if and only if an earlier \
                 kept row has at least `threshold`. Keeps every row and adds `keep`, `duplicate_of` (the first such row in \
                 survivor order), `similarity` (exact) and `cluster_id` (smallest id of the connected component of all verified \
                 pairs). A text with fewer words than `ngram` is compared as a whole; a text without words equals only the same \
                 bytes; NULL is nobody's duplicate. Metrics: distinct_texts, candidate_pairs, verified_pairs, skipped_pairs, \
                 largest_bucket, spills.",
                "minhash_dedup(relation, text => column, id => column, threshold => 0.7, ngram => 5, unit => 'word', ...)",
            )
            .with_sql_example(
                r#"```sql
> SELECT id, keep, duplicate_of, similarity, cluster_id FROM minhash_dedup((SELECT * FROM (VALUES (1, 'the cat sat on the mat today'), (2, 'The cat sat on the mat, today!'), (3, 'the cat sat on the mat')) AS t(id, text)), threshold => 0.7, ngram => 2) ORDER BY id;
+----+-------+--------------+--------------------+------------+
| id | keep  | duplicate_of | similarity         | cluster_id |
+----+-------+--------------+--------------------+------------+
| 1  | true  |              |                    | 1          |
| 2  | false | 1            | 1.0                | 1          |
| 3  | false | 1            | 0.8333333333333334 | 1          |
+----+-------+--------------+--------------------+------------+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("text", "Column compared; `text` by default.")
            .with_argument("id", ID)
            .with_argument("order_by", ORDER)
            .with_argument("threshold", "Least similarity of a duplicate, 0.01 to 1; 0.7 by default.")
            .with_argument(
                "recall",
                "Least probability that a pair at the threshold is proposed; bands and rows follow from it. 0.99 by \
                 default (`limpid.recall`).",
            )
            .with_argument("ngram", "Words (5) or characters (24) a shingle.")
            .with_argument(
                "unit",
                "'word': lower-cased runs of letters, numbers and underscores; 'char': characters as they are.",
            )
            .with_argument(
                "linkage",
                "'direct': a row goes only for a kept row verified similar to it. 'transitive': one survivor a connected \
                 component, as other tools do; the stated similarity may then be below the threshold.",
            )
            .with_argument(
                "bucket_limit",
                "A row is compared with at most this many earlier rows of an LSH bucket; what that leaves out is counted and \
                 warned of. 1000 by default (`limpid.bucket_limit`).",
            )
            .with_argument("seed", "Seed of the permutations; 42 by default (`limpid.seed`).")
            .with_argument(
                "preset",
                "'fineweb', 'bigcode', 'slimpajama' or 'rpv2': normalisation, shingles, permutations, bands and threshold of \
                 that tool, signatures equal bit for bit; its candidates are verified like any other. Takes the place of \
                 `recall`, `ngram`, `unit` and `seed`; `threshold` may be given beside it. See `docs/presets.md`.",
            )
            .build(),
        },
        OperatorDoc {
            name: connected_components::plan::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Names the connected component of every edge: keeps every row and adds `component`, the smallest id that can \
                 be reached from its ends. Edges spill; memory is O(distinct ids).",
                "connected_components(relation, source => column, target => column)",
            )
            .with_sql_example(
                r#"```sql
> SELECT * FROM connected_components((SELECT * FROM (VALUES (5, 3), (3, 4), (8, 9)) AS t(source, target))) ORDER BY source;
+--------+--------+-----------+
| source | target | component |
+--------+--------+-----------+
| 3      | 4      | 3         |
| 5      | 3      | 3         |
| 8      | 9      | 8         |
+--------+--------+-----------+
```"#,
            )
            .with_argument("relation", "The edges: `(SELECT ...)` or a table's name.")
            .with_argument("source", "Column of one end; `source` by default.")
            .with_argument("target", "Column of the other end, of the same type; `target` by default.")
            .build(),
        },
    ];
    all.extend(vector_docs::operators());
    all
}
