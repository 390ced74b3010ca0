-- D4 (Tirumala et al. 2023, Improving LLM pretraining via document de-duplication and diversification, section 3.4):
-- semantic duplicates go first, so that they do not draw centroids to themselves; what is left is clustered anew and
-- the rows nearest to their centroids go.
-- param vector column embedding: the vectors
-- param id column in unique: the row key; the job's id column by default
-- param threshold number 0.9: least cosine of a duplicate
-- param k number 100 in 1..: clusters
-- param fraction number 0.5 in 0..1: share of all rows to keep; fewer stay where more are duplicates
-- param seed number 42: seed of the cells and clusters
-- adds duplicate_of: for a duplicate, the row it is one of
-- adds similarity: its cosine to that row
-- adds cluster_id: the smallest id among rows that are duplicates of each other
-- adds distance: distance from the centroid of its cluster; NULL for a duplicate
-- adds keep: whether the row stays
WITH vectors AS (
  SELECT $id AS row_key, $vector AS vector FROM input
), deduplicated AS (
  SELECT row_key, vector, keep, duplicate_of, similarity, cluster_id
  FROM semantic_dedup(vectors, vector => vector, id => row_key, threshold => $threshold, mode => 'prior', seed => $seed)
), distinct_rows AS (
  SELECT row_key, vector FROM deduplicated WHERE keep
), assigned AS (
  SELECT row_key, distance FROM assign_nearest(
    distinct_rows, vector => vector,
    centroids => (SELECT * FROM kmeans(distinct_rows, vector => vector, id => row_key, k => $k, seed => $seed))
  )
), ranked AS (
  SELECT row_key, distance, total,
    row_number() OVER (ORDER BY distance DESC NULLS LAST, hash_uniform($seed, row_key), row_key) AS place
  FROM (SELECT count(*) AS total FROM input) CROSS JOIN assigned
), decided AS (
  SELECT d.row_key, d.duplicate_of, d.similarity, d.cluster_id, r.distance, coalesce(r.place <= round($fraction * r.total), false) AS keep
  FROM ranked AS r RIGHT JOIN deduplicated AS d ON d.row_key = r.row_key
)
SELECT input.*, decided.duplicate_of, decided.similarity, decided.cluster_id, decided.distance, decided.keep
FROM decided JOIN input ON input.$id = decided.row_key
