//! Arguments and reference entry of `concept_clusters`.

use crate::operators::frame::argument::{Argument, Default};
use crate::operators::frame::documentation::{Reference, id, metric, seed, vector};
use crate::operators::kmeans::plan::MAX_CENTROIDS;

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] = &[
    vector(""),
    id(),
    Argument::optional_column("text", "Texts that labels are made of. Without it labels are NULL."),
    Argument::integer(
        "k",
        1,
        MAX_CENTROIDS,
        Default::Required,
        "The number of clusters, at most the number of rows that have a vector.",
    ),
    metric(),
    Argument::integer("iterations", 0, 10_000, Default::Integer(25), "The most rounds of k-means."),
    Argument::integer(
        "sample",
        0,
        u32::MAX as u64 - 1,
        Default::Computed("256 per centroid, at least 16384"),
        "The most rows that centroids are fitted to; 0 for all.",
    ),
    Argument::flag("balanced", "Clusters have the same number of rows, give or take one, as with `kmeans`."),
    Argument::integer("words", 1, 50, Default::Integer(5), "The most words in a label."),
    seed("The seed of the sample and of the first centroids."),
];

/// The entry in the SQL reference.
pub(super) const REFERENCE: Reference = Reference {
    summary: "Groups rows by k-means and says what each group is about.",
    details: "Every row is kept in the result. Centroids are those of `kmeans` over the same rows; ties go to the \
              smaller id. The label names the words that tell the texts of a cluster from all others, by p ln(p / q), \
              where p is the share of rows in the cluster that have the word and q the share among all rows. Words \
              that are common everywhere score nothing, in any language. NULL vectors are in no cluster, nor are \
              vectors of zeros under 'cosine': all new columns are NULL for them.\n\n\
              Metrics: `iterations`, `compared_pairs` and the counters of spilling.",
    columns: &[
        ("concept", "The cluster, 0 for the largest."),
        ("distance", "The distance to its centroid."),
        ("central_rank", "1 for the row nearest to the centroid of its cluster, the most typical one."),
        ("atypical_rank", "1 for the farthest row."),
        ("concept_size", "Rows in the cluster."),
        ("concept_density", "1 / (1 + mean distance): 1 where all rows are one point."),
        ("concept_label", "The words of the cluster."),
        (
            "map_x, map_y",
            "The place of the row on the plane in which rows vary most: the first two principal components of 4096 rows of the sample.",
        ),
    ],
    errors: "Those of `kmeans`; repeated ids.",
    cost: "Time is O(n x k x d). A few numbers per row are held in memory; everything else spills to disk.",
    source: "Tomokiyo and Hurst, A language model approach to keyphrase extraction, 2003.",
    example: r#"> SELECT id, concept, distance, central_rank, atypical_rank, concept_size, concept_label
> FROM concept_clusters((SELECT * FROM (VALUES (1, 'red apple', [0.0, 0.0]), (2, 'green apple', [0.0, 2.0]), (3, 'old car', [9.0, 9.0])) AS t(id, text, v)),
>   vector => v, text => text, k => 2, metric => 'l2', words => 1) ORDER BY id;
+----+---------+----------+--------------+---------------+--------------+---------------+
| id | concept | distance | central_rank | atypical_rank | concept_size | concept_label |
+----+---------+----------+--------------+---------------+--------------+---------------+
| 1  | 0       | 1.0      | 1            | 2             | 2            | apple         |
| 2  | 0       | 1.0      | 2            | 1             | 2            | apple         |
| 3  | 1       | 0.0      | 1            | 1             | 1            | car           |
+----+---------+----------+--------------+---------------+--------------+---------------+"#,
    ..Reference::EMPTY
};
