//! Arguments and reference entry of `graph_filter`.

use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::{Reference, id};

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] = &[
    id(),
    Argument::column("score", "score", "A number."),
    Argument::column("concepts", "concepts", "A list of texts."),
];

/// The entry in the SQL reference.
pub(super) const REFERENCE: Reference = Reference {
    summary: "Walks rows from the highest score down and keeps those whose concepts agree with what was kept before.",
    details: "A row is removed if two of its concepts are both known and not linked. A row that is kept makes its \
              concepts known and links each with each. Rows with equal scores are taken in the order of their ids, \
              rows without a score last. A NULL list of concepts is an empty one.",
    columns: &[
        ("id", "The id of the row."),
        ("keep", "Whether the row survives."),
        ("reason", "For a removed row, the two concepts in conflict."),
    ],
    errors: "A NaN score; a NULL among concepts; NULL and repeated ids.",
    cost: "Time is O(rows log rows + pairs of concepts). Ids, concepts and links are held in memory.",
    source: "The conflict filter of PASER, 2025.",
    example: r#"> SELECT * FROM graph_filter((SELECT * FROM (VALUES (1, 0.9, ['rust', 'sql']), (2, 0.8, ['tea', 'milk']),
    (3, 0.7, ['sql', 'tea']), (4, 0.6, ['sql', 'rust', 'gas'])) AS t(id, score, concepts))) ORDER BY id;
+----+-------+------------------------------------------+
| id | keep  | reason                                   |
+----+-------+------------------------------------------+
| 1  | true  |                                          |
| 2  | true  |                                          |
| 3  | false | 'sql' and 'tea' are known and not linked |
| 4  | true  |                                          |
+----+-------+------------------------------------------+"#,
    ..Reference::EMPTY
};
