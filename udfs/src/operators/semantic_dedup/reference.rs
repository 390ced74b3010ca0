//! Arguments and reference entry of `semantic_dedup`.

use crate::operators::frame::argument::{Argument, Default};
use crate::operators::frame::documentation::{Reference, id, seed, survivors, vector};
use crate::operators::kmeans::plan::MAX_CENTROIDS;

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] = &[
    vector(""),
    id(),
    survivors(),
    Argument::number("threshold", 0.1, 1.0, Default::Number(0.9), "The least cosine of a duplicate."),
    Argument::word(
        "mode",
        &["greedy", "prior"],
        "'greedy' removes a row only for a kept row. 'prior' also removes it for an earlier row that was removed itself, so that whole chains go, as in SemDeDup.",
    ),
    Argument::number(
        "recall",
        0.5,
        1.0,
        Default::Computed("`limpid.recall`, 0.99"),
        "The least share of pairs at the threshold that are compared; 1 compares all pairs.",
    ),
    Argument::integer("cells", 0, MAX_CENTROIDS, Default::Computed("3 * sqrt(vectors)"), "The number of cells."),
    seed("The seed of the cells."),
];

/// The entry in the SQL reference.
pub(super) const REFERENCE: Reference = Reference {
    summary: "Marks rows whose vector points in nearly the same direction as the vector of an earlier kept row.",
    details: "k-means cells propose pairs: a vector is compared with those of its own cell and of every cell whose \
              centroid is about as near. The margin is measured on the data, so that at least `recall` of the pairs \
              at the threshold meet; closer pairs meet more often. Up to 32,768 distinct vectors, all pairs are \
              compared. The exact cosine decides: a row is removed if and only if an earlier kept row has a cosine of \
              at least `threshold`. Every row is kept in the result. NULL vectors and vectors of zeros duplicate \
              nothing.\n\n\
              Metrics: `rows_without_vector`, `distinct_vectors`, `cells`, `cell_memberships`, `candidate_pairs`, \
              `verified_pairs` and the counters of spilling.",
    columns: &[
        ("keep", "Whether the row survives."),
        ("duplicate_of", "For a removed row, the id of the first row in survivor order that is similar enough."),
        ("similarity", "The exact cosine of the two vectors, as `cosine_similarity` computes it."),
        ("cluster_id", "The smallest id of the connected component of similar pairs."),
    ],
    errors: "NULL and repeated ids; values that are not finite; lengths outside 1e-15 to 1e15; vectors of different \
             lengths.",
    cost: "O(n^2 d) time at worst, less with cells. Rows, vectors and what is known of each row spill to disk.",
    source: "Abbas et al., SemDeDup, 2023, which removes as `mode => 'prior'` does.",
    example: r#"> SELECT id, keep, duplicate_of, round(similarity, 3) AS similarity, cluster_id
> FROM semantic_dedup((SELECT * FROM (VALUES (1, [1.0, 0.0]), (2, [0.0, 1.0]), (3, [2.0, 0.1])) AS t(id, v)), vector => v) ORDER BY id;
+----+-------+--------------+------------+------------+
| id | keep  | duplicate_of | similarity | cluster_id |
+----+-------+--------------+------------+------------+
| 1  | true  |              |            | 1          |
| 2  | true  |              |            | 2          |
| 3  | false | 1            | 0.999      | 1          |
+----+-------+--------------+------------+------------+"#,
    ..Reference::EMPTY
};
