//! Arguments and reference entry of `assign_nearest`.

use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::{Reference, metric, vector};

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] = &[
    Argument::relation(
        "centroids",
        "`(SELECT ...)` or the name of a table with the columns `centroid_id` and `centroid`, as `kmeans` returns them.",
    ),
    vector(""),
    metric(),
];

/// The entry in the SQL reference.
pub(super) const REFERENCE: Reference = Reference {
    summary: "Adds the nearest centroid to each row.",
    details: "32-bit products propose, exact 64-bit sums decide, and ties go to the smallest `centroid_id`. NULL \
              vectors get NULL, and so do vectors of zeros under 'cosine'.\n\n\
              Metrics: `compared_pairs`.",
    columns: &[("centroid_id", "The nearest centroid."), ("distance", "The distance to it.")],
    errors: "NULL and repeated centroid ids; NULL centroids, or centroids of zeros under 'cosine'; vectors of another \
             length than the centroids.",
    cost: "O(k d) time per row. Rows stream; only the centroids are in memory.",
    example: r#"> SELECT id, centroid_id, distance FROM assign_nearest((SELECT * FROM (VALUES (1, [0.0, 3.0]), (2, [8.0, 9.0])) AS t(id, v)), vector => v,
>   centroids => (SELECT * FROM (VALUES (0, [0.0, 0.0]), (1, [8.0, 8.0])) AS c(centroid_id, centroid)), metric => 'l2') ORDER BY id;
+----+-------------+----------+
| id | centroid_id | distance |
+----+-------------+----------+
| 1  | 0           | 3.0      |
| 2  | 1           | 1.0      |
+----+-------------+----------+"#,
    ..Reference::EMPTY
};
