//! The reference of the operators over vectors and groups.

use datafusion::logical_expr::Documentation;

use super::docs::{ID, INPUT, ORDER, OperatorDoc, SECTION};
use super::{
    allocate_budget, assign_nearest, concept_clusters, farthest_first, kmeans, max_prior_similarity, nearest_neighbors,
    semantic_dedup,
};

const VEC: &str = "Column of vectors, lists of 16, 32 or 64-bit floats of one length, read as 32-bit floats; `embedding` by default. \
NaN, infinite and NULL values and lengths beyond 1e15 are errors that name the row.";
const METRIC: &str = "'cosine' (1 - cosine; the default) or 'l2' (Euclidean distance).";
const PARTITION: &str = "Column of groups that are worked on apart; by default all rows are one group.";

/// These operators.
pub(super) fn operators() -> Vec<OperatorDoc> {
    vec![
        OperatorDoc {
            name: semantic_dedup::plan::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Marks rows whose vector points in nearly the same direction as that of an earlier kept row. k-means cells propose \
                 pairs: a vector is compared with those of its own cell and of every cell whose centroid is about as near, with a \
                 margin measured on the data so that at least `recall` of the pairs at the threshold meet (closer pairs meet more \
                 often). The exact cosine decides: a row is removed if and only if an earlier kept row has at least `threshold`. Keeps every \
                 row and adds `keep`, `duplicate_of` (the first such row in survivor order), `similarity` (exact, as \
                 `cosine_similarity` gives it) and `cluster_id` (smallest id of the connected component of similar pairs). Up to 32,768 \
                 distinct vectors all pairs are compared. NULL vectors and those of zeros are nobody's duplicate: such rows are kept and compared with none. Rows and vectors \
                 spill; memory is O(rows) for a few numbers. Metrics: rows_without_vector, distinct_vectors, cells, cell_memberships, candidate_pairs, \
                 verified_pairs, spills. After SemDeDup (Abbas et al. 2023), which removes by mode => 'prior'.",
                "semantic_dedup(relation, vec => column, id => column, threshold => 0.9, mode => 'greedy', ...)",
            )
            .with_sql_example(
                r#"```sql
> SELECT id, keep, duplicate_of, round(similarity, 3) AS similarity, cluster_id
> FROM semantic_dedup((SELECT * FROM (VALUES (1, [1.0, 0.0]), (2, [0.0, 1.0]), (3, [2.0, 0.1])) AS t(id, v)), vec => v) ORDER BY id;
+----+-------+--------------+------------+------------+
| id | keep  | duplicate_of | similarity | cluster_id |
+----+-------+--------------+------------+------------+
| 1  | true  |              |            | 1          |
| 2  | true  |              |            | 2          |
| 3  | false | 1            | 0.999      | 1          |
+----+-------+--------------+------------+------------+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("vec", VEC)
            .with_argument("id", ID)
            .with_argument("order_by", ORDER)
            .with_argument("threshold", "Least cosine of a duplicate, 0.1 to 1; 0.9 by default.")
            .with_argument(
                "mode",
                "'greedy': a row goes only for a kept row. 'prior': also for an earlier row that went itself, so that chains go \
                 whole, as in SemDeDup.",
            )
            .with_argument(
                "recall",
                "Least share of pairs at the threshold that are compared; 0.99 by default (`limpid.recall`). 1 compares all pairs.",
            )
            .with_argument("cells", "Number of cells; by default 3 * sqrt(vectors).")
            .with_argument("seed", "Seed of the cells; 42 by default (`limpid.seed`).")
            .build(),
        },
        OperatorDoc {
            name: kmeans::plan::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Finds `k` centroids: one row each with `centroid_id` (0 to k - 1), `centroid` (32-bit floats; of length 1 under \
                 'cosine', which is spherical k-means), `n` (rows of the sample nearest to it) and `inertia` (their summed squared \
                 distances; under 'cosine' their summed 1 - cosine). k-means++ on the start of a random sample, then Lloyd's rounds over \
                 the sample until nothing changes. The sample is the rows with the least hash of seed and id and is added up in \
                 that order, nearest centroids are decided by exact 64-bit sums, ties go to the smaller number: the result \
                 does not depend on partitions or threads. `balanced` shares the sample evenly; `mini_batch` goes over all rows in \
                 the memory of a batch and of the centroids. NULL vectors do not count, nor those of zeros under 'cosine'. \
                 O(sample * k * d) a round; the sample spills. Assign all rows with `assign_nearest`. Metrics: rows_without_vector, sample_rows, \
                 iterations, spills.",
                "kmeans(relation, vec => column, id => column, k => 100, metric => 'cosine', ...)",
            )
            .with_sql_example(
                r#"```sql
> SELECT centroid, n FROM kmeans((SELECT * FROM (VALUES (1, [0.0, 0.0]), (2, [0.0, 2.0]), (3, [9.0, 9.0])) AS t(id, v)),
>   vec => v, k => 2, metric => 'l2') ORDER BY n;
+------------+---+
| centroid   | n |
+------------+---+
| [9.0, 9.0] | 1 |
| [0.0, 1.0] | 2 |
+------------+---+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("vec", VEC)
            .with_argument("id", "Column of the row key, for the sample; `id` by default. NULL keys are errors.")
            .with_argument("k", "Number of centroids, at most the number of rows.")
            .with_argument("metric", METRIC)
            .with_argument(
                "iterations",
                "Rounds at most; 25 by default. 0 gives the first centroids. With `mini_batch` passes over the rows, 3 by default.",
            )
            .with_argument(
                "sample",
                "Rows to fit at most; 0: all. By default 256 for each centroid, at least 16384; with `mini_batch` all.",
            )
            .with_argument(
                "balanced",
                "TRUE: every centroid gets the same number of rows of the sample, give or take one. In waves, rows take the \
                 nearest centroid that has room, those first that would lose most by the second nearest; not the cheapest such \
                 assignment. FALSE by default.",
            )
            .with_argument(
                "mini_batch",
                "TRUE: passes over the rows in batches in the order of the sample; after each batch a centroid is the mean \
                 of the rows it got in this pass and, for 0.3 each, in the one before (after Sculley, Web-scale k-means clustering, \
                 2010). FALSE by default.",
            )
            .with_argument("batch_rows", "Rows of a batch; by default 16 for each centroid, at least 8192.")
            .with_argument("seed", "Seed of the sample and of the first centroids; 42 by default (`limpid.seed`).")
            .build(),
        },
        OperatorDoc {
            name: assign_nearest::plan::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Adds each row's nearest centroid: `centroid_id` and `distance`. Rows pass by, only the centroids are in memory. \
                 Products of 32-bit floats propose, exact 64-bit sums decide, ties go to the smallest centroid_id. NULL vectors get \
                 NULL, and so do those of zeros under 'cosine'. O(k d) a row. Metrics: compared_pairs.",
                "assign_nearest(relation, vec => column, centroids => (SELECT ...), metric => 'cosine')",
            )
            .with_sql_example(
                r#"```sql
> SELECT id, centroid_id, distance FROM assign_nearest((SELECT * FROM (VALUES (1, [0.0, 3.0]), (2, [8.0, 9.0])) AS t(id, v)), vec => v,
>   centroids => (SELECT * FROM (VALUES (0, [0.0, 0.0]), (1, [8.0, 8.0])) AS c(centroid_id, centroid)), metric => 'l2') ORDER BY id;
+----+-------------+----------+
| id | centroid_id | distance |
+----+-------------+----------+
| 1  | 0           | 3.0      |
| 2  | 1           | 1.0      |
+----+-------------+----------+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("vec", VEC)
            .with_argument(
                "centroids",
                "`(SELECT ...)` or a table's name, with the columns `centroid_id` and `centroid`, as `kmeans` gives them.",
            )
            .with_argument("metric", METRIC)
            .build(),
        },
        OperatorDoc {
            name: concept_clusters::plan::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Groups rows by k-means and says what each group is about. Keeps every row and adds `concept` (the cluster's number, 0 for the largest), `distance` to its centroid, `central_rank` (1: nearest to the centroid of its cluster, the most typical row), \
                 `atypical_rank` (1: the farthest), `concept_size`, `concept_density` (1 / (1 + mean distance): 1 where all rows are \
                 one point), `concept_label`, and `map_x` and `map_y`, the row's place on the plane in which the rows vary most (the \
                 first two principal components of 4096 rows of the sample). The label names the words that tell the cluster's \
                 texts from all others, by p ln(p / q) with p the share of the cluster's rows that have the word and q that of all \
                 rows (Tomokiyo and Hurst 2003): words common everywhere score nothing, in any language. Centroids are those of \
                 `kmeans` over the same rows; ties go to the smaller id. NULL vectors are in no cluster, nor those of zeros under \
                 'cosine': all new columns are NULL. O(n k d); memory O(n) for a few numbers, all else spills. Metrics: iterations, \
                 compared_pairs, spills.",
                "concept_clusters(relation, k => 20, vec => column, id => column, text => column, metric => 'cosine', ...)",
            )
            .with_sql_example(
                r#"```sql
> SELECT id, concept, distance, central_rank, atypical_rank, concept_size, concept_label
> FROM concept_clusters((SELECT * FROM (VALUES (1, 'red apple', [0.0, 0.0]), (2, 'green apple', [0.0, 2.0]), (3, 'old car', [9.0, 9.0])) AS t(id, text, v)),
>   vec => v, text => text, k => 2, metric => 'l2', words => 1) ORDER BY id;
+----+---------+----------+--------------+---------------+--------------+---------------+
| id | concept | distance | central_rank | atypical_rank | concept_size | concept_label |
+----+---------+----------+--------------+---------------+--------------+---------------+
| 1  | 0       | 1.0      | 1            | 2             | 2            | apple         |
| 2  | 0       | 1.0      | 2            | 1             | 2            | apple         |
| 3  | 1       | 0.0      | 1            | 1             | 1            | car           |
+----+---------+----------+--------------+---------------+--------------+---------------+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("vec", VEC)
            .with_argument("id", ID)
            .with_argument("text", "Column of texts that labels are made of; without it labels are NULL.")
            .with_argument("k", "Number of clusters, at most the number of rows that have a vector.")
            .with_argument("metric", METRIC)
            .with_argument("iterations", "Rounds of k-means at most; 25 by default.")
            .with_argument(
                "sample",
                "Rows the centroids are fitted to at most; 0: all. By default 256 for each centroid, at least 16384.",
            )
            .with_argument(
                "balanced",
                "TRUE: clusters have the same number of rows, give or take one, as with `kmeans`. FALSE by default.",
            )
            .with_argument("words", "Words of a label at most; 5 by default.")
            .with_argument("seed", "Seed of the sample and of the first centroids; 42 by default (`limpid.seed`).")
            .build(),
        },
        OperatorDoc {
            name: nearest_neighbors::plan::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Finds the `k` nearest rows of each row, in its own relation (never itself) or in another: one row a pair with the \
                 id, `rank` (from 1), `neighbor_id` and `distance`. Rows without neighbours give none. Up to 4096 vectors, and with \
                 recall => 1, all pairs are compared. Beyond that vectors lie in k-means cells, and a row visits those of its \
                 nearest centroids: as many as 512 rows, whose true neighbours are found among all, need for `recall` with half \
                 of the allowed misses to spare. Within the visited cells exact 64-bit sums decide and ties go to the smaller id, \
                 so a miss is a true neighbour left out, never a wrong distance, and the result does not depend on partitions or \
                 threads. NULL vectors have no neighbours and are nobody's, nor those of zeros under 'cosine'. O(n^2 d) at worst, \
                 about O(n^1.5 d) in cells; vectors spill, memory is O(rows) for ids and a few numbers. Metrics: cells, cells_a_row, \
                 measured_neighbors, measured_recall_millionths, compared_pairs, spills.",
                "nearest_neighbors(relation, k => 10, vec => column, id => column, among => (SELECT ...), threshold => 0.8, ...)",
            )
            .with_sql_example(
                r#"```sql
> SELECT * FROM nearest_neighbors((SELECT * FROM (VALUES (1, [0.0, 0.0]), (2, [0.0, 2.0]), (3, [3.0, 4.0])) AS t(id, v)),
>   vec => v, k => 1, metric => 'l2') ORDER BY id;
+----+------+-------------+-------------------+
| id | rank | neighbor_id | distance          |
+----+------+-------------+-------------------+
| 1  | 1    | 2           | 2.0               |
| 2  | 1    | 1           | 2.0               |
| 3  | 1    | 2           | 3.605551275463989 |
+----+------+-------------+-------------------+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("vec", VEC)
            .with_argument("id", ID)
            .with_argument(
                "among",
                "`(SELECT ...)` or a table's name: the rows that are searched, with columns of the same names. By default the \
                 relation itself.",
            )
            .with_argument("k", "Neighbours of a row at most, 1 to 65536.")
            .with_argument("threshold", "The least cosine of a neighbour under 'cosine', its greatest distance under 'l2'.")
            .with_argument("metric", METRIC)
            .with_argument(
                "recall",
                "Least share of the true neighbours that are found, measured; 0.99 by default (`limpid.recall`). 1 compares all \
                 pairs.",
            )
            .with_argument("cells", "Number of cells; by default vectors^(3/4) / 6.")
            .with_argument(
                "index",
                "Path of a file that keeps the cells, where the operator runs: made where there is none, read where there is \
                 one. One that is damaged, cut off, or made of other vectors or arguments is an error.",
            )
            .with_argument("seed", "Seed of the cells and of the measured rows; 42 by default (`limpid.seed`).")
            .build(),
        },
        OperatorDoc {
            name: max_prior_similarity::plan::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Adds to each row the largest cosine between its vector and that of an earlier row of its group, \
                 `max_prior_similarity`, and that row's id, `prior_id` (the first of several). 0 and NULL where there is no earlier \
                 row or no vector. Thresholds and budgets are then filters: SemDeDup (Abbas et al. 2023) keeps what is at most \
                 1 - epsilon. Exact; O(squared group size * d) in blocks of products. Rows and vectors spill. Metrics: \
                 compared_pairs, spills.",
                "max_prior_similarity(relation, vec => column, id => column, partition_by => column, order_by => 'columns', ...)",
            )
            .with_sql_example(
                r#"```sql
> SELECT id, round(max_prior_similarity, 2) AS similarity, prior_id
> FROM max_prior_similarity((SELECT * FROM (VALUES (1, [1.0, 0.0]), (2, [0.0, 1.0]), (3, [3.0, 4.0])) AS t(id, v)), vec => v) ORDER BY id;
+----+------------+----------+
| id | similarity | prior_id |
+----+------------+----------+
| 1  | 0.0        |          |
| 2  | 0.0        | 1        |
| 3  | 0.8        | 2        |
+----+------------+----------+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("vec", VEC)
            .with_argument("id", ID)
            .with_argument("partition_by", PARTITION)
            .with_argument("order_by", "Who comes earlier: a list of columns, NULL and NaN last; the id decides ties. By default the id alone.")
            .with_argument(
                "mode",
                "'prior': all earlier rows count. 'greedy': only those whose own value is below `threshold`, so that those form a \
                 set without similar pairs.",
            )
            .with_argument("threshold", "For 'greedy': from which similarity on a row no longer counts for later ones.")
            .build(),
        },
        OperatorDoc {
            name: farthest_first::plan::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Ranks up to `k` rows of each group so that each is as far as possible from those ranked before (greedy max-min \
                 diversity; a 2-approximation of k-center, Gonzalez 1985). Keeps every row and adds `rank` (from 1; NULL beyond `k`) \
                 and `min_distance` (to the nearest row ranked before; NULL for the first), which never grows with the rank: every \
                 smaller k is a prefix. Exact 64-bit sums; ties go to the first row. NULL vectors are not ranked, nor those of zeros \
                 under 'cosine'. O(rows * k * d), and O(squared group size * d) more for 'nn_max'. Rows and vectors spill. Metrics: \
                 compared_pairs, spills.",
                "farthest_first(relation, vec => column, id => column, k => 10, metric => 'cosine', init => 'nn_max', ...)",
            )
            .with_sql_example(
                r#"```sql
> SELECT id, rank, min_distance FROM farthest_first((SELECT * FROM (VALUES (1, [0.0]), (2, [1.0]), (3, [5.0])) AS t(id, v)),
>   vec => v, k => 2, metric => 'l2', init => 'first') ORDER BY id;
+----+------+--------------+
| id | rank | min_distance |
+----+------+--------------+
| 1  | 1    |              |
| 2  |      |              |
| 3  | 2    | 5.0          |
+----+------+--------------+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("vec", VEC)
            .with_argument("id", ID)
            .with_argument("k", "Rows ranked in each group at most.")
            .with_argument("metric", METRIC)
            .with_argument(
                "init",
                "The first row: 'nn_max' (the default; farthest from its nearest neighbour, as in DivPrune), 'random' (least hash of \
                 seed and id) or 'first' (of `order_by`).",
            )
            .with_argument("partition_by", PARTITION)
            .with_argument("order_by", "Who wins ties: a list of columns, NULL and NaN last; the id decides last. By default the id alone.")
            .with_argument("seed", "Seed of a random first row; 42 by default (`limpid.seed`).")
            .build(),
        },
        OperatorDoc {
            name: allocate_budget::plan::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Divides `budget` rows among groups, one row of input each. Adds `allocated`, at most the group's size, and \
                 `budget_met`: where all groups together have fewer rows, every group gets its size and this is false. Shares become \
                 whole by largest remainders and add up to the budget exactly; ties go to the smaller group. NULL, negative and repeated \
                 values where a number or a key is needed are errors, and so are floors that exceed the budget. \
                 O(groups * log) time and O(groups) memory.",
                "allocate_budget(relation, budget => 1000, group => column, size => column, weight => column, method => 'proportional', ...)",
            )
            .with_sql_example(
                r#"```sql
> SELECT * FROM allocate_budget((SELECT * FROM (VALUES ('a', 2, 1.0), ('b', 10, 1.0), ('c', 10, 2.0)) AS t(g, n, w)),
>   budget => 12, group => g, size => n, weight => w) ORDER BY g;
+---+----+-----+-----------+------------+
| g | n  | w   | allocated | budget_met |
+---+----+-----+-----------+------------+
| a | 2  | 1.0 | 2         | true       |
| b | 10 | 1.0 | 3         | true       |
| c | 10 | 2.0 | 7         | true       |
+---+----+-----+-----------+------------+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("budget", "Rows to divide: a number, or a column with the same number in all rows.")
            .with_argument("group", "Column of the group's key; `group` by default.")
            .with_argument("size", "Column of the rows a group has; `size` by default.")
            .with_argument("weight", "Column of weights, at least 0. By default the size, for 'proportional'.")
            .with_argument(
                "method",
                "'equal': as evenly as the sizes allow, smallest groups first (coverage-centric selection). 'proportional' (the \
                 default): in proportion to the weights; what a full group leaves goes to the others in proportion; groups of weight 0 \
                 share evenly what those with weight cannot take. 'projection': the allocation nearest to the proportional one in \
                 squares, the same step from each target (density-based pruning).",
            )
            .with_argument("floor", "Rows each group keeps at least, as far as it has them; 0 by default.")
            .with_argument("floor_ratio", "The same as a part of an even share, 0 to 1; the larger of the two counts.")
            .with_argument("rounding", "'largest_remainder' (the default), or 'floor': down, and the rest is not spent.")
            .build(),
        },
    ]
}
