-- Feature mapping of DP4TL (Zhang et al. 2023, Selectivity drives productivity, section 4): every target row votes for the
-- source class, or cluster, whose mean vector is nearest; the classes with most votes are kept.
-- param vector column embedding: the vectors
-- param label column label: the class or cluster of a source row
-- param target column target in flags: true for the rows of the target
-- param k number 10 in 1..: classes kept
-- adds votes: votes for its class
-- adds keep: whether the row stays
WITH means AS (
  SELECT $label AS centroid_id, vec_avg($vector) AS centroid FROM input WHERE NOT $target GROUP BY $label
), votes AS (
  SELECT centroid_id AS class, count(*) AS votes FROM assign_nearest(
    (SELECT $vector AS vector FROM input WHERE $target), vector => vector, metric => 'l2', centroids => (SELECT * FROM means)
  ) GROUP BY centroid_id
), ranked AS (
  SELECT class, votes, row_number() OVER (ORDER BY votes DESC, class) AS place FROM votes
)
SELECT i.*, coalesce(r.votes, 0) AS votes, coalesce(r.place <= $k, false) AND NOT i.$target AS keep
FROM input AS i LEFT JOIN ranked AS r ON i.$label = r.class
