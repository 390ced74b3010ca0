-- D4 (Tirumala et al. 2023, Improving LLM pretraining via document de-duplication and diversification, section 3.4):
-- semantic duplicates go first, so that they do not draw centroids to themselves; what is left is clustered anew and
-- the rows nearest to their centroids go.
-- param vec column embedding: the vectors
-- param id column: the row key; the job's id column by default
-- param threshold number 0.9: least cosine of a duplicate
-- param k number 100 in 1..: clusters
-- param fraction number 0.75 in 0..1: part of the deduplicated rows kept
-- param seed number 42: seed of the cells and clusters
WITH deduplicated AS (
  SELECT * FROM semantic_dedup(input, vec => $vec, id => $id, threshold => $threshold, mode => 'prior', seed => $seed)
), distinct_rows AS (
  SELECT * EXCEPT (keep, duplicate_of, similarity, cluster_id) FROM deduplicated WHERE keep
), assigned AS (
  SELECT $id AS row_key, distance FROM assign_nearest(
    distinct_rows, vec => $vec,
    centroids => (SELECT * FROM kmeans(distinct_rows, vec => $vec, id => $id, k => $k, seed => $seed))
  )
), ranked AS (
  SELECT row_key, distance, total,
    row_number() OVER (ORDER BY distance DESC NULLS LAST, hash_uniform($seed, row_key), row_key) AS place
  FROM (SELECT count(*) AS total FROM distinct_rows) CROSS JOIN assigned
)
SELECT d.* EXCEPT (keep), r.distance, coalesce(r.place <= round($fraction * r.total), false) AS keep
FROM ranked AS r RIGHT JOIN deduplicated AS d ON d.$id = r.row_key
