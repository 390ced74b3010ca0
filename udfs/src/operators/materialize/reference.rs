//! Arguments and reference entry of `materialize`.

use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] = &[];

/// The entry in the SQL reference.
pub(super) const REFERENCE: Reference = Reference {
    summary: "Computes a relation once per query, however often the query names it.",
    details: "Without it, a CTE is computed wherever it is named. Relations that hold an operator or an encoder and \
              are needed in several identical places are shared anyway; `materialize` helps where one place needs \
              other columns or rows than another. On a cluster every stage computes its own copy.",
    cost: "The rows are kept in memory and spill to disk.",
    example: r#"> WITH kept AS (SELECT * FROM materialize((SELECT * FROM exact_dedup((SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, 'a')) AS t(id, text))) WHERE keep)))
  SELECT id, text, rows_kept FROM kept CROSS JOIN (SELECT count(*) AS rows_kept FROM kept) ORDER BY id;
+----+------+-----------+
| id | text | rows_kept |
+----+------+-----------+
| 1  | a    | 2         |
| 2  | b    | 2         |
+----+------+-----------+"#,
    ..Reference::EMPTY
};
