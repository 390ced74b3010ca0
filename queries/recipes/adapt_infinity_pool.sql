-- The permanent pruning of Adapt-infinity (2024): in each cluster the rows least like an earlier one stay in the pool.
-- param id column in unique: the row key; the job's id column by default
-- param vector column embedding: the hidden state or embedding
-- param cluster column cluster_id: rows of different clusters are not compared
-- param fraction number 0.5 in 0..1: share of each cluster to keep
-- adds max_prior_similarity: greatest cosine to an earlier row of the cluster
-- adds prior_id: that row
-- adds keep: whether the row stays
WITH compared AS (
  SELECT row_key, part, max_prior_similarity, prior_id, row_number() OVER (PARTITION BY part ORDER BY vector IS NULL, max_prior_similarity, row_key) AS place
  FROM max_prior_similarity((SELECT $id AS row_key, $vector AS vector, $cluster AS part FROM input), vector => vector, id => row_key, partition_by => part)
), shares AS (
  -- Shares of the clusters add up to the share of all rows.
  SELECT of_part, allocated FROM allocate_budget(
    (SELECT CAST(part AS VARCHAR) AS of_part, count(*) AS size, CAST(round($fraction * sum(count(*)) OVER ()) AS BIGINT) AS budget FROM compared GROUP BY part),
    budget => budget, "group" => of_part, size => size)
), decided AS (
  SELECT row_key, max_prior_similarity, prior_id, coalesce(place <= allocated, false) AS keep
  FROM shares RIGHT JOIN compared ON of_part = CAST(part AS VARCHAR)
)
SELECT input.*, decided.max_prior_similarity, decided.prior_id, decided.keep FROM decided JOIN input ON input.$id = decided.row_key
