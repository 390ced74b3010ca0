-- Density-based pruning (Abbas et al. 2024, Effective pruning of web-scale datasets, section 3.2): a cluster's complexity is
-- its mean distance to the centroid times the mean distance of its centroid to the nearest other ones; budgets are the
-- softmax of the complexities, projected on what the clusters have (exactly, by allocate_budget); each cluster keeps its rows
-- farthest from the centroid. Deduplicate before.
-- param vector column embedding: the vectors
-- param id column in unique: the row key; the job's id column by default
-- param k number 100 in 1..: clusters
-- param budget number 1000 in 0..: rows to keep
-- param neighbours number 20 in 1..: other centroids that a distance between clusters is the mean of
-- param temperature number 0.1: of the softmax
-- param floor number 1 in 0..: rows every cluster keeps at least, as far as it and the budget have them
-- param seed number 42: seed of the clusters
-- adds centroid_id: the cluster
-- adds distance: distance from its centroid
-- adds keep: whether the row stays
WITH vectors AS (
  SELECT $id AS row_key, $vector AS vector FROM input
), centroids AS (
  SELECT centroid_id, centroid FROM kmeans(vectors, vector => vector, id => row_key, k => $k, seed => $seed)
), assigned AS (
  SELECT row_key, centroid_id, distance FROM assign_nearest(vectors, vector => vector, centroids => (SELECT * FROM centroids))
), inner_distances AS (
  SELECT centroid_id AS cluster, count(*) AS size, avg(distance) AS d_intra
  FROM assigned WHERE centroid_id IS NOT NULL GROUP BY centroid_id
), pairs AS (
  SELECT a.centroid_id AS cluster, b.centroid_id AS other, 1 - cosine_similarity(a.centroid, b.centroid) AS distance
  FROM centroids AS a CROSS JOIN centroids AS b WHERE a.centroid_id <> b.centroid_id
), outer_distances AS (
  SELECT cluster, avg(distance) AS d_inter
  FROM (SELECT *, row_number() OVER (PARTITION BY cluster ORDER BY distance, other) AS place FROM pairs)
  WHERE place <= $neighbours GROUP BY cluster
), complexities AS (
  SELECT i.cluster, i.size, i.d_intra * coalesce(o.d_inter, 0) AS complexity
  FROM inner_distances AS i LEFT JOIN outer_distances AS o ON i.cluster = o.cluster
), weights AS (
  SELECT cluster, size, exp((complexity - max(complexity) OVER ()) / $temperature) AS weight FROM complexities
), budgets AS (
  SELECT cluster, allocated FROM allocate_budget(
    weights, budget => $budget, group => cluster, size => size, weight => weight, method => 'projection', floor => $floor
  )
), placed AS (
  SELECT *, row_number() OVER (PARTITION BY centroid_id ORDER BY distance DESC, hash_uniform($seed, row_key), row_key) AS place
  FROM assigned
), decided AS (
  SELECT p.row_key, p.centroid_id, p.distance, coalesce(p.place <= b.allocated, false) AS keep
  FROM placed AS p LEFT JOIN budgets AS b ON p.centroid_id = b.cluster
)
SELECT input.*, decided.centroid_id, decided.distance, decided.keep FROM decided JOIN input ON input.$id = decided.row_key
