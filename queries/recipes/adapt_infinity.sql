-- Adapt-infinity (2024): clusters of gradients are pseudo-tasks; each picks, of several scores, the one whose histogram has the most
-- entropy; all clusters get equal budgets, the smallest first; inside a cluster the outer ends of the score go and the rest is drawn from
-- bins alike. (The authors' code visits the bins from high to low; here the emptiest come first.)
-- param id column in unique: the row key; the job's id column by default
-- param vector column embedding: the gradient of a row, projected, or its embedding
-- param scores column scores: a list of the candidate scores, such as [perplexity, el2n, entropy]
-- param k number 20 in 1..: clusters
-- param budget number 1000 in 0..: rows to keep
-- param trim number 0.05 in 0..1: share of a cluster that goes at either end of its score
-- param bins number 50 in 1..: bins of equal width in a cluster
-- param seed number 42: seed of the clusters and of the draw
-- adds cluster_id: the cluster
-- adds chosen_score: place in the list of the score that its cluster picks, from 1
-- adds score: that score of the row
-- adds keep: whether the row stays
WITH vectors AS (
  SELECT $id AS row_id, $vector AS vector, $scores AS scores FROM input
), clusters AS (
  SELECT row_id, centroid_id AS cluster_id, scores FROM assign_nearest(
    vectors, vector => vector, centroids => (SELECT centroid_id, centroid FROM kmeans(vectors, vector => vector, id => row_id, k => $k, seed => $seed)))
), candidates AS (
  SELECT row_id, cluster_id, unnest(scores) AS value, unnest(range(1, CAST(cardinality(scores) AS BIGINT) + 1)) AS number FROM clusters
), scaled AS (
  SELECT *, zscore(value) OVER (PARTITION BY cluster_id, number) AS z FROM candidates WHERE NOT isnan(CAST(value AS DOUBLE))
), informative AS (
  SELECT cluster_id, number, row_number() OVER (PARTITION BY cluster_id ORDER BY bits DESC, number) AS place
  FROM (SELECT cluster_id, number, histogram_entropy(z, 49, -4, 4) AS bits FROM scaled GROUP BY cluster_id, number)
), scored AS (
  SELECT s.row_id, s.cluster_id, s.number AS chosen_score, s.value AS score,
    row_number() OVER (PARTITION BY s.cluster_id ORDER BY s.value, hash_uniform($seed, s.row_id), s.row_id) AS place,
    count(*) OVER (PARTITION BY s.cluster_id) AS members
  FROM scaled AS s JOIN informative AS i ON s.cluster_id = i.cluster_id AND s.number = i.number WHERE i.place = 1
), middle AS (
  SELECT *, place > floor($trim * members) AND place <= members - floor($trim * members) AS fit FROM scored
), binned AS (
  SELECT row_id, cluster_id, width_bucket(score, min(score) OVER (PARTITION BY cluster_id), max(score) OVER (PARTITION BY cluster_id), $bins) AS bin
  FROM middle WHERE fit
), budgets AS (
  SELECT cluster_id, allocated FROM allocate_budget((SELECT cluster_id, count(*) AS size FROM binned GROUP BY cluster_id),
    budget => $budget, "group" => cluster_id, size => size, method => 'equal')
), queue AS (
  SELECT s.cluster_id, bin, size, CAST(row_number() OVER ascending AS BIGINT) - 1 AS place, count(*) OVER (PARTITION BY s.cluster_id) AS bin_count,
    sum(size) OVER ascending - size AS spent, allocated AS total
  FROM (SELECT cluster_id, bin, count(*) AS size FROM binned GROUP BY cluster_id, bin) AS s JOIN budgets AS b ON s.cluster_id = b.cluster_id
  WINDOW ascending AS (PARTITION BY s.cluster_id ORDER BY size, bin ROWS UNBOUNDED PRECEDING)
), cut AS (
  SELECT cluster_id, min(place) AS from_place, max(total - spent) AS remaining FROM queue
  WHERE size > (total - spent) / (bin_count - place) GROUP BY cluster_id
), shares AS (
  SELECT q.cluster_id, q.bin,
    CASE WHEN place >= from_place THEN (remaining + place - from_place) / (bin_count - from_place) ELSE size END AS share
  FROM queue AS q LEFT JOIN cut AS c ON q.cluster_id = c.cluster_id
), chosen AS (
  SELECT row_id, row_number() OVER (PARTITION BY b.cluster_id, b.bin ORDER BY hash_uniform($seed, row_id), row_id) <= share AS keep
  FROM binned AS b JOIN shares AS s ON b.cluster_id = s.cluster_id AND b.bin = s.bin
)
SELECT input.*, m.cluster_id, m.chosen_score, m.score, coalesce(c.keep, false) AS keep
FROM chosen AS c RIGHT JOIN (middle AS m RIGHT JOIN input ON input.$id = m.row_id) ON input.$id = c.row_id
