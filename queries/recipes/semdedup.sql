-- SemDeDup (Abbas et al. 2023, section 3): in each cluster of spherical k-means a row goes where an earlier row, kept or
-- not, is more similar than 1 - epsilon; rows far from the centroid come first. Similar rows in different clusters stay:
-- the operator semantic_dedup finds those too.
-- param vec column embedding: the vectors
-- param id column: the row key; the job's id column by default
-- param k number 100 in 1..: clusters
-- param epsilon number 0.1: a row goes where its cosine to an earlier one is over 1 - epsilon
-- param order text distance DESC: who comes first in a cluster; by distance ASC the most typical row survives
-- param seed number 42: seed of the clusters
SELECT * EXCEPT (prior_id), max_prior_similarity <= 1 - $epsilon AS keep,
  CASE WHEN max_prior_similarity > 1 - $epsilon THEN prior_id END AS duplicate_of
FROM max_prior_similarity(
  (SELECT * FROM assign_nearest(
    input, vec => $vec, centroids => (SELECT * FROM kmeans(input, vec => $vec, id => $id, k => $k, seed => $seed))
  )),
  vec => $vec, id => $id, partition_by => centroid_id, order_by => $order
)
