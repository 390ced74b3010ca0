//! Arguments and reference entry of `spectral_clusters`.

use crate::operators::frame::argument::{Argument, Default};
use crate::operators::frame::documentation::{Reference, any_seed, id, vector};

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] = &[
    id(),
    vector("").once_by_default("vector"),
    Argument::integer("k", 1, 1000, Default::Required, "The number of clusters."),
    Argument::integer(
        "landmarks",
        1,
        5000,
        Default::Integer(200),
        "Rows to which affinities are computed, drawn by the hash of their ids.",
    ),
    Argument::number(
        "sigma",
        0.0,
        1e15,
        Default::Number(0.0),
        "The width of the affinity, exp(-d^2 / (2 sigma^2)); 0 takes the median distance between landmarks.",
    ),
    any_seed("The seed of the draw."),
];

/// The entry in the SQL reference.
pub(super) const REFERENCE: Reference = Reference {
    summary: "Finds clusters of any shape: groups of rows that hang together.",
    details: "It runs k-means on the leading eigenvectors of the normalised Gaussian affinity between vectors. The \
              Nystrom method approximates these from the affinities to `landmarks` rows; with as many landmarks as \
              rows the result is exact. PASER (2025) factorises the same eigenvectors instead. Results do not depend \
              on partitions or threads.",
    columns: &[
        ("id", "The id of the row."),
        ("cluster_id", "The cluster, numbered from 0 in the order of ids. There can be fewer than `k`."),
    ],
    errors: "NULL vectors; values that are not finite; repeated ids.",
    cost: "Time is O(rows x landmarks x (dimensions + landmarks) + landmarks^3). `k` numbers per row are held in \
             memory; vectors spill to disk.",
    source: "Ng, Jordan and Weiss, On spectral clustering, 2001; Fowlkes et al., Spectral grouping using the Nystrom \
             method, 2004.",
    example: r#"> SELECT * FROM spectral_clusters((SELECT * FROM (VALUES (1, [0.0, 0.1]), (2, [9.0, 9.1]), (3, [0.1, 0.0]),
    (4, [9.1, 9.0])) AS t(id, vector)), k => 2, sigma => 1) ORDER BY id;
+----+------------+
| id | cluster_id |
+----+------------+
| 1  | 0          |
| 2  | 1          |
| 3  | 0          |
| 4  | 1          |
+----+------------+"#,
    ..Reference::EMPTY
};
