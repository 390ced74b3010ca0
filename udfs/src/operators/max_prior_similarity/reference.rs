//! Arguments and reference entry of `max_prior_similarity`.

use crate::operators::frame::argument::{Argument, Default};
use crate::operators::frame::documentation::{Reference, groups, id, vector};

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] = &[
    vector(""),
    id(),
    groups(),
    Argument::order_by("Which row is earlier: a list of columns; the id decides ties. NULL and NaN come last."),
    Argument::word(
        "mode",
        &["prior", "greedy"],
        "'prior' counts all earlier rows. 'greedy' counts only those whose own value is below `threshold`, so that these form a set without similar pairs.",
    ),
    Argument::number(
        "threshold",
        0.0,
        1.0,
        Default::Absent,
        "For 'greedy': the similarity from which on a row no longer counts for later ones.",
    ),
];

/// The entry in the SQL reference.
pub(super) const REFERENCE: Reference = Reference {
    summary: "Adds to each row the largest cosine between its vector and the vector of an earlier row of its group.",
    details: "Thresholds and budgets then become filters: SemDeDup keeps the rows with at most 1 - epsilon.\n\n\
              Metrics: `compared_pairs` and the counters of spilling.",
    columns: &[
        ("max_prior_similarity", "The largest cosine; 0 if there is no earlier row or no vector."),
        ("prior_id", "The id of that earlier row, the first of several; NULL if there is none."),
    ],
    errors: "NULL and repeated ids; values that are not finite; vectors of different lengths.",
    cost: "Exact: O(g^2 d) time for a group of g rows. Rows and vectors spill to disk.",
    source: "Abbas et al., SemDeDup, 2023.",
    example: r#"> SELECT id, round(max_prior_similarity, 2) AS similarity, prior_id
> FROM max_prior_similarity((SELECT * FROM (VALUES (1, [1.0, 0.0]), (2, [0.0, 1.0]), (3, [3.0, 4.0])) AS t(id, v)), vector => v) ORDER BY id;
+----+------------+----------+
| id | similarity | prior_id |
+----+------------+----------+
| 1  | 0.0        |          |
| 2  | 0.0        | 1        |
| 3  | 0.8        | 2        |
+----+------------+----------+"#,
    ..Reference::EMPTY
};
