-- The choice of calibration data of NIRVANA (2025): of several random sets, each used to prune the model once, the one after which the
-- model's predictions on held-out tokens changed least. The input has a row for every set and held-out token.
-- param set column set_id: the calibration set
-- param before column before: class probabilities of the original model
-- param after column after: class probabilities of the model pruned with the set
-- gives set_id: the calibration set
-- gives tokens: held-out tokens
-- gives score: mean divergence from the original model
-- gives keep: true for the set that changes least
SELECT *, row_number() OVER (ORDER BY score, set_id) = 1 AS keep
FROM (
  SELECT $set AS set_id, count(*) AS tokens, CAST(avg(CAST(kl_divergence($before, $after) AS DECIMAL(38, 18))) AS DOUBLE) AS score
  FROM input GROUP BY $set
)
