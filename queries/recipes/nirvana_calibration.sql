-- The choice of calibration data of NIRVANA (2025): of several random sets, each used to prune the model once, the one after which the
-- model's predictions on held-out tokens changed least. The input has a row for every set and held-out token.
-- param set column set_id: the calibration set
-- param before column before: class probabilities of the original model
-- param after column after: class probabilities of the model pruned with the set
-- gives set_id: the calibration set
-- gives tokens: held-out tokens
-- gives score: mean divergence from the original model; NULL for a set with a token that lacks a prediction
-- gives keep: true for the set that changes least; a set without a score never is
SELECT *, score IS NOT NULL AND row_number() OVER (ORDER BY score NULLS LAST, set_id) = 1 AS keep
FROM (
  -- A mean over fewer tokens is not one to compare.
  SELECT set_id, count(*) AS tokens,
    CASE WHEN count(divergence) = count(*) THEN CAST(avg(CAST(divergence AS DECIMAL(38, 18))) AS DOUBLE) END AS score
  FROM (SELECT $set AS set_id, kl_divergence($before, $after) AS divergence FROM input) GROUP BY set_id
)
