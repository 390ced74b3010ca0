//! Arguments and reference entry of `exact_dedup`.

use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::{Reference, id, survivors};

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] =
    &[Argument::column("text", "text", "The text to compare."), id(), survivors()];

/// The entry in the SQL reference.
pub(super) const REFERENCE: Reference = Reference {
    summary: "Marks rows whose text is equal, byte for byte, to the text of an earlier row.",
    details: "Every row is kept in the result. A row with a NULL text duplicates nothing.",
    columns: &[
        ("keep", "Whether the row survives."),
        ("duplicate_of", "For a removed row, the id of the kept row."),
        ("similarity", "1 for a removed row."),
        ("cluster_id", "The smallest id among the rows of that text."),
    ],
    errors: "NULL and repeated ids.",
    cost: "Time is linear in the bytes of text. Rows and texts spill to disk.",
    example: r#"> SELECT id, keep, duplicate_of, cluster_id FROM exact_dedup((SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, 'a')) AS t(id, text))) ORDER BY id;
+----+-------+--------------+------------+
| id | keep  | duplicate_of | cluster_id |
+----+-------+--------------+------------+
| 1  | true  |              | 1          |
| 2  | true  |              | 2          |
| 3  | false | 1            | 1          |
+----+-------+--------------+------------+"#,
    ..Reference::EMPTY
};
