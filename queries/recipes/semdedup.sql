-- SemDeDup (Abbas et al. 2023, section 3): in each cluster of spherical k-means a row goes where an earlier row, kept or
-- not, is more similar than 1 - epsilon; rows far from the centroid come first. Similar rows in different clusters stay:
-- the operator semantic_dedup finds those too. With a share to keep, the rows stay that are least like an earlier one,
-- rows without a vector last; without a share they stay, since they are like none.
-- param vector column embedding: the vectors
-- param id column in unique: the row key; the job's id column by default
-- param k number 100 in 1..: clusters
-- param epsilon number 0.1: a row goes where its cosine to an earlier one is over 1 - epsilon
-- param fraction number '' in 0..1: share of the rows to keep, whatever epsilon is; none by default
-- param order text distance DESC: who comes first in a cluster; by distance ASC the most typical row survives
-- param seed number 42: seed of the clusters
-- adds centroid_id: the cluster
-- adds distance: distance from its centroid
-- adds max_prior_similarity: greatest cosine to an earlier row of the cluster
-- adds prior_id: that row
-- adds keep: whether the row stays
-- adds duplicate_of: for a row that goes, the earlier row that is most like it
WITH compared AS (
  SELECT *, CASE WHEN distance IS NULL THEN 2 WHEN max_prior_similarity IS NULL THEN -2 ELSE max_prior_similarity END AS __likeness FROM max_prior_similarity(
    (SELECT * FROM assign_nearest(
      input, vector => $vector, centroids => (SELECT * FROM kmeans(input, vector => $vector, id => $id, k => $k, seed => $seed))
    )),
    vector => $vector, id => $id, partition_by => centroid_id, order_by => $order
  )
), budgets AS (
  SELECT round(CAST($fraction AS DOUBLE) * count(*)) AS __budget FROM input
), decided AS (
  SELECT compared.*, CASE WHEN __budget IS NULL THEN coalesce(max_prior_similarity <= 1 - $epsilon, true)
    ELSE row_number() OVER (ORDER BY __likeness, hash_uniform($seed, $id), $id) <= __budget END AS keep
  FROM budgets CROSS JOIN compared
)
SELECT * EXCEPT (__likeness), CASE WHEN NOT keep THEN prior_id END AS duplicate_of FROM decided
