-- The permanent pruning of Adapt-infinity (2024): in each cluster the rows least like an earlier one stay in the pool.
-- param id column: the row key; the job's id column by default
-- param vector column vector: the hidden state or embedding
-- param cluster column cluster_id: rows of different clusters are not compared
-- param fraction number 0.5 in 0..1: share of each cluster to keep
SELECT * EXCEPT (place), place <= round($fraction * count(*) OVER (PARTITION BY $cluster)) AS keep
FROM (
  SELECT *, row_number() OVER (PARTITION BY $cluster ORDER BY max_prior_similarity, $id) AS place
  FROM max_prior_similarity(input, vec => $vector, id => $id, partition_by => $cluster)
)
