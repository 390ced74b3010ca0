//! Arguments and reference entry of `kmeans`.

use super::plan::MAX_CENTROIDS;
use crate::operators::frame::argument::{Argument, Default};
use crate::operators::frame::documentation::{Reference, id, metric, seed, vector};

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] = &[
    vector(""),
    id(),
    Argument::integer("k", 1, MAX_CENTROIDS, Default::Required, "The number of centroids, at most the number of rows."),
    metric(),
    Argument::integer(
        "iterations",
        0,
        10_000,
        Default::Computed("25; with `mini_batch` 3"),
        "The most rounds; 0 returns the first centroids. With `mini_batch`, passes over the rows.",
    ),
    Argument::integer(
        "sample",
        0,
        u32::MAX as u64 - 1,
        Default::Computed("256 per centroid, at least 16384; with `mini_batch` all"),
        "The most rows to fit; 0 for all.",
    ),
    Argument::flag(
        "balanced",
        "Every centroid gets the same number of rows of the sample, give or take one. In waves, rows take the nearest centroid that has room; rows that would lose most by the second nearest choose first. It is not the cheapest such assignment.",
    ),
    Argument::flag(
        "mini_batch",
        "Passes over all rows in batches, in the order of the sample. After each batch a centroid is the mean of the rows it got in this pass and, weighted 0.3, in the pass before.",
    ),
    Argument::integer(
        "batch_rows",
        1,
        1 << 24,
        Default::Computed("16 per centroid, at least 8192"),
        "Rows per batch, with `mini_batch`.",
    ),
    seed("The seed of the sample and of the first centroids."),
];

/// The entry in the SQL reference.
pub(super) const REFERENCE: Reference = Reference {
    summary: "Finds `k` centroids; assign rows to them with `assign_nearest`.",
    details: "k-means++ on the start of a random sample, then Lloyd's rounds over the sample until nothing changes. \
              Under 'cosine' it is spherical k-means. The sample is the rows with the least hash of seed and id and \
              is summed in that order; exact 64-bit sums decide which centroid is nearest, and ties go to the smaller \
              number. So the result does not depend on partitions or threads. NULL vectors do not count, nor do \
              vectors of zeros under 'cosine'.\n\n\
              Metrics: `rows_without_vector`, `sample_rows`, `iterations` and the counters of spilling.",
    columns: &[
        ("centroid_id", "From 0 to k - 1."),
        ("centroid", "32-bit floats; of length 1 under 'cosine'."),
        ("n", "Rows of the sample that are nearest to it."),
        ("inertia", "Their summed squared distances; under 'cosine' their summed 1 - cosine."),
    ],
    errors: "NULL ids; fewer rows than `k`; values that are not finite; vectors of different lengths.",
    cost: "Time is O(sample x k x d) per round. The sample spills to disk; `mini_batch` holds one batch and the \
             centroids.",
    source: "Arthur and Vassilvitskii, k-means++, 2007; Sculley, Web-scale k-means clustering, 2010.",
    example: r#"> SELECT centroid, n FROM kmeans((SELECT * FROM (VALUES (1, [0.0, 0.0]), (2, [0.0, 2.0]), (3, [9.0, 9.0])) AS t(id, v)),
>   vector => v, k => 2, metric => 'l2') ORDER BY n;
+------------+---+
| centroid   | n |
+------------+---+
| [9.0, 9.0] | 1 |
| [0.0, 1.0] | 2 |
+------------+---+"#,
    ..Reference::EMPTY
};
