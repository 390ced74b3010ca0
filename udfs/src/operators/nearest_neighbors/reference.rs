//! Arguments and reference entry of `nearest_neighbors`.

use crate::operators::frame::argument::{Argument, Default, Kind};
use crate::operators::frame::documentation::{Reference, id, metric, seed, vector};
use crate::operators::kmeans::plan::MAX_CENTROIDS;

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] = &[
    vector(""),
    id(),
    Argument::optional_relation(
        "among",
        "the relation itself",
        "`(SELECT ...)` or the name of a table: the rows to search, with columns of the same names.",
    ),
    Argument::integer("k", 1, 65_536, Default::Required, "The most neighbours per row."),
    Argument {
        kind: Kind::Number(-1.0, 1e15),
        ..Argument::number(
            "threshold",
            0.0,
            0.0,
            Default::Absent,
            "The least cosine of a neighbour under 'cosine', -1 to 1; its greatest distance under 'l2'.",
        )
    },
    metric(),
    Argument::number(
        "recall",
        0.5,
        1.0,
        Default::Computed("`limpid.recall`, 0.99"),
        "The least share of the true neighbours that are found, measured; 1 compares all pairs.",
    ),
    Argument::integer("cells", 0, MAX_CENTROIDS, Default::Computed("vectors^(3/4) / 6"), "The number of cells."),
    Argument::text(
        "index",
        Default::Absent,
        "The path of a file that keeps the cells, on the machine where the operator runs. It is made if it does not exist, and read if it does.",
    ),
    seed("The seed of the cells and of the sampled rows."),
];

/// The entry in the SQL reference.
pub(super) const REFERENCE: Reference = Reference {
    summary: "Finds the `k` nearest rows of each row, in its own relation or in another one.",
    details: "The result has one row per pair; a row is never its own neighbour. Up to 4096 vectors, and with `recall \
              => 1`, all pairs are compared. Beyond that, vectors lie in k-means cells, and a row visits those of its \
              nearest centroids. How many is measured: as many as 512 sampled rows, whose true neighbours are found \
              among all rows, need for `recall`, with half of the allowed misses to spare. Within the visited cells \
              exact 64-bit sums decide, and ties go to the smaller id. So a miss is a true neighbour left out, never \
              a wrong distance, and the result does not depend on partitions or threads. NULL vectors have no \
              neighbours and are neighbours of none, and so with vectors of zeros under 'cosine'.\n\n\
              Metrics: `cells`, `cells_a_row`, `measured_neighbors`, `measured_recall_millionths`, `compared_pairs` \
              and the counters of spilling.",
    columns: &[
        ("id", "The id of the row, under the name of its column."),
        ("rank", "From 1, the nearest."),
        ("neighbor_id", "The id of the neighbour."),
        ("distance", "The distance between the two."),
    ],
    errors: "NULL and repeated ids; values that are not finite; vectors of different lengths; a damaged index, or one \
             of other vectors or arguments.",
    cost: "O(n^2 d) time at worst, about O(n^1.5 d) with cells. Vectors spill to disk; ids and a few numbers per \
             row are held in memory.",
    example: r#"> SELECT * FROM nearest_neighbors((SELECT * FROM (VALUES (1, [0.0, 0.0]), (2, [0.0, 2.0]), (3, [3.0, 4.0])) AS t(id, v)),
>   vector => v, k => 1, metric => 'l2') ORDER BY id;
+----+------+-------------+-------------------+
| id | rank | neighbor_id | distance          |
+----+------+-------------+-------------------+
| 1  | 1    | 2           | 2.0               |
| 2  | 1    | 1           | 2.0               |
| 3  | 1    | 2           | 3.605551275463989 |
+----+------+-------------+-------------------+"#,
    ..Reference::EMPTY
};
