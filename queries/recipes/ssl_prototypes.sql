-- Self-supervised prototypes (Sorscher et al. 2022, Beyond neural scaling laws, section 5): the distance to the nearest
-- centroid of spherical k-means says how hard a row is. With plenty of data the hardest rows are the best to keep, with
-- little the easiest. Every cluster keeps at least `balance` of an even share.
-- param vec column embedding: the vectors
-- param id column: the row key; the job's id column by default
-- param k number 100 in 1..: clusters, about as many as there are concepts
-- param fraction number 0.5 in 0..1: part of the rows kept
-- param order text hard in hard|easy: hard keeps the rows farthest from their centroid, easy the nearest
-- param balance number 0.5 in 0..1: part of an even share that every cluster keeps, as far as it has the rows
-- param seed number 42: seed of the clusters
WITH assigned AS (
  SELECT * FROM assign_nearest(
    input, vec => $vec, centroids => (SELECT * FROM kmeans(input, vec => $vec, id => $id, k => $k, seed => $seed))
  )
), scored AS (
  SELECT assigned.*, CASE WHEN $order = 'easy' THEN distance ELSE -distance END AS score, n_rows AS total FROM (SELECT count(*) AS n_rows FROM input) CROSS JOIN assigned
), placed AS (
  SELECT *, row_number() OVER (PARTITION BY centroid_id ORDER BY score, hash_uniform($seed, $id), $id) AS place FROM scored
), tiered AS (
  SELECT *, CASE WHEN distance IS NULL THEN 2
    WHEN place <= floor($balance * round($fraction * total) / $k) THEN 0 ELSE 1 END AS tier FROM placed
), ranked AS (
  SELECT *, row_number() OVER (ORDER BY tier, score, hash_uniform($seed, $id), $id) AS rank FROM tiered
)
SELECT * EXCEPT (score, total, place, tier, rank), rank <= round($fraction * total) AS keep FROM ranked
