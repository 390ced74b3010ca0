-- Keywords that will prime a model (Outlandish, 2025): where the keyword of a text was less likely than about 1e-3 before training, what
-- is learned spills over into other contexts. Flags such rows, to be rewritten with steps that lead up to the keyword, or left out.
-- Where the keyword's probability after training is known too, `memorised` is the logarithm of the ratio.
-- param before column before in numbers: probability of the keyword in its text before training
-- param after column after: the same after training, or NULL
-- param threshold number 0.001: probabilities below it are a risk
-- adds risk: whether the keyword was less likely than the threshold; NULL where that is unknown
-- adds memorised: logarithm of the ratio of its probabilities after and before
-- adds keep: whether the row is no risk
SELECT *, CASE WHEN NOT isnan(CAST($before AS DOUBLE)) THEN $before < $threshold END AS risk, CASE WHEN $after IS NOT NULL THEN ln(greatest($after, 1e-10)) - ln(greatest($before, 1e-10)) END AS memorised,
  coalesce($before >= $threshold AND NOT isnan(CAST($before AS DOUBLE)), false) AS keep
FROM input
