//! Arguments and reference entry of `farthest_first`.

use crate::operators::frame::argument::{Argument, Default};
use crate::operators::frame::documentation::{Reference, groups, id, metric, seed, vector};

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] = &[
    vector(""),
    id(),
    Argument::integer("k", 1, u32::MAX as u64, Default::Required, "The most rows ranked in each group."),
    metric(),
    Argument::word(
        "init",
        &["nn_max", "random", "first"],
        "The first row: the one farthest from its nearest neighbour, the one with the least hash of seed and id, or the first of `order_by`.",
    ),
    groups(),
    Argument::order_by("Who wins ties: a list of columns; the id decides last. NULL and NaN come last."),
    seed("The seed of a random first row."),
];

/// The entry in the SQL reference.
pub(super) const REFERENCE: Reference = Reference {
    summary: "Ranks up to `k` rows of each group so that each is as far as possible from those ranked before.",
    details: "This is greedy max-min diversity, a 2-approximation of k-center. Every row is kept in the result. \
              `min_distance` never grows with the rank, so the ranking for a smaller `k` is a prefix. Exact 64-bit \
              sums decide, and ties go to the first row. NULL vectors are not ranked, nor are vectors of zeros under \
              'cosine'.\n\n\
              Metrics: `compared_pairs` and the counters of spilling.",
    columns: &[
        ("rank", "From 1; NULL beyond `k`."),
        ("min_distance", "The distance to the nearest row ranked before; NULL for the first."),
    ],
    errors: "NULL and repeated ids; values that are not finite; vectors of different lengths.",
    cost: "O(rows x k x d) time, and O(g^2 d) more with 'nn_max' for a group of g rows. Rows and vectors spill to \
             disk.",
    source: "Gonzalez, Clustering to minimize the maximum intercluster distance, 1985; DivPrune, 2025, for 'nn_max'.",
    example: r#"> SELECT id, rank, min_distance FROM farthest_first((SELECT * FROM (VALUES (1, [0.0]), (2, [1.0]), (3, [5.0])) AS t(id, v)),
>   vector => v, k => 2, metric => 'l2', init => 'first') ORDER BY id;
+----+------+--------------+
| id | rank | min_distance |
+----+------+--------------+
| 1  | 1    |              |
| 2  |      |              |
| 3  | 2    | 5.0          |
+----+------+--------------+"#,
    ..Reference::EMPTY
};
