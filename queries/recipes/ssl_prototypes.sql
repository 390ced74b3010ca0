-- Self-supervised prototypes (Sorscher et al. 2022, Beyond neural scaling laws, section 5): the distance to the nearest
-- centroid of spherical k-means says how hard a row is. With plenty of data the hardest rows are the best to keep, with
-- little the easiest. Every cluster keeps at least `balance` of an even share.
-- param vector column embedding: the vectors
-- param id column in unique: the row key; the job's id column by default
-- param k number 100 in 1..: clusters, about as many as there are concepts
-- param fraction number 0.5 in 0..1: share of the rows to keep
-- param order text hard in hard|easy: hard keeps the rows farthest from their centroid, easy the nearest
-- param balance number 0.5 in 0..1: part of an even share that every cluster keeps, as far as it has the rows
-- param seed number 42: seed of the clusters
-- adds centroid_id: the cluster
-- adds distance: distance from its centroid
-- adds keep: whether the row stays
WITH vectors AS (
  SELECT $id AS row_key, $vector AS vector FROM input
), assigned AS (
  SELECT row_key, centroid_id, distance FROM assign_nearest(
    vectors, vector => vector, centroids => (SELECT * FROM kmeans(vectors, vector => vector, id => row_key, k => $k, seed => $seed))
  )
), scored AS (
  SELECT assigned.*, CASE WHEN $order = 'easy' THEN distance ELSE -distance END AS score, n_rows AS total FROM (SELECT count(*) AS n_rows FROM input) CROSS JOIN assigned
), placed AS (
  SELECT *, row_number() OVER (PARTITION BY centroid_id ORDER BY score, hash_uniform($seed, row_key), row_key) AS place FROM scored
), tiered AS (
  SELECT *, CASE WHEN distance IS NULL THEN 2
    WHEN place <= floor($balance * round($fraction * total) / $k) THEN 0 ELSE 1 END AS tier FROM placed
), ranked AS (
  SELECT *, row_number() OVER (ORDER BY tier, score, hash_uniform($seed, row_key), row_key) AS place_of_all FROM tiered
)
SELECT input.*, ranked.centroid_id, ranked.distance, ranked.place_of_all <= round($fraction * ranked.total) AS keep
FROM ranked JOIN input ON input.$id = ranked.row_key
