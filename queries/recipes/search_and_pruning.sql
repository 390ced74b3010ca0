-- Search and pruning (Yao et al. 2023, Large-scale training data search for object re-identification, section 4.1): groups
-- of source rows, such as identities, are clustered by their mean vectors; clusters are ordered by the Frechet distance of
-- their rows to the target; of all beginnings of that order the one nearest to the target is kept. Exact moments take the
-- place of the paper's random subsamples, and clusters are of free size.
-- param vector column embedding: the vectors; project them to at most a few hundred dimensions before
-- param group column group: the group of a source row
-- param target column target in flags: true for the rows of the target
-- param k number 50 in 1..: clusters
-- param seed number 42: seed of the clusters
-- adds cluster: cluster of the group
-- adds fd: Frechet distance of the cluster from the target
-- adds prefix_fd: that of all clusters up to this one
-- adds keep: whether the row stays
WITH means AS (
  SELECT $group AS member, vec_avg($vector) AS mean FROM input WHERE NOT $target GROUP BY $group
), clusters AS (
  SELECT member, centroid_id AS cluster FROM assign_nearest(
    means, vector => mean, metric => 'l2',
    centroids => (SELECT * FROM kmeans(means, vector => mean, id => member, k => $k, metric => 'l2', seed => $seed))
  )
), target_moments AS (
  SELECT gaussian_moments($vector) AS target_moments FROM input WHERE $target
), cluster_moments AS (
  SELECT c.cluster, gaussian_moments(i.$vector) AS moments
  FROM input AS i JOIN clusters AS c ON i.$group = c.member WHERE NOT i.$target GROUP BY c.cluster
), ordered AS (
  SELECT cluster, moments, target_moments, frechet_distance(moments, target_moments) AS fd
  FROM cluster_moments CROSS JOIN target_moments
), prefixes AS (
  SELECT cluster, fd, row_number() OVER (ORDER BY fd, cluster) AS place,
    frechet_distance(gaussian_moments(moments) OVER (ORDER BY fd, cluster), target_moments) AS prefix_fd
  FROM ordered
), best AS (
  SELECT place AS last FROM prefixes ORDER BY prefix_fd, place LIMIT 1
), chosen AS (
  SELECT c.member, p.cluster, p.fd, p.prefix_fd, p.place <= b.last AS kept
  FROM clusters AS c JOIN prefixes AS p ON c.cluster = p.cluster CROSS JOIN best AS b
)
SELECT i.*, c.cluster, c.fd, c.prefix_fd, coalesce(c.kept, false) AS keep
FROM chosen AS c RIGHT JOIN input AS i ON i.$group = c.member AND NOT i.$target
