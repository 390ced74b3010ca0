-- Q-Tuning: rows by the perplexity and the mean entropy of their tokens. High and low: a misconception, kept, and its noisiest
-- tokens masked. Low and high: calibration, kept whole. High and high is noise, low and low known: dropped (2025).
-- param id column: the row key; the job's id column by default
-- param nll column nll: negative log-likelihoods of the tokens, a list
-- param entropy column entropy: entropies of the tokens, a list
-- param alpha number 0.35: share of the perplexities at each end that counts as low or high
-- param beta number 0.35: the same for entropies
-- param tokens number 0.7: share of the tokens kept of a misconception
-- param lambda number 0.5: weight of a token's neighbours
-- param drop text high: which tokens go, those of high or of low score
WITH measured AS (
  SELECT $id AS row_id, perplexity($nll) AS ppl, array_avg($entropy) AS ent FROM input
), cuts AS (
  SELECT percentile_cont(ppl, $alpha) AS ppl_low, percentile_cont(ppl, 1 - $alpha) AS ppl_high,
    percentile_cont(ent, $beta) AS ent_low, percentile_cont(ent, 1 - $beta) AS ent_high
  FROM measured
), placed AS (
  SELECT row_id, ppl, ent,
    CASE WHEN ppl > ppl_high AND ent <= ent_low THEN 'misconception' WHEN ppl <= ppl_low AND ent > ent_high THEN 'calibration'
      WHEN ppl > ppl_high AND ent > ent_high THEN 'noise' WHEN ppl <= ppl_low AND ent <= ent_low THEN 'known' ELSE 'middle' END AS quadrant
  FROM measured CROSS JOIN cuts
)
SELECT input.*, ppl, ent, quadrant,
  CASE WHEN quadrant = 'misconception'
    THEN list_topk_mask(neighbor_score(array_transform($nll, x -> exp(x)), $lambda), 1 - $tokens, $drop) END AS drop_tokens,
  quadrant IN ('misconception', 'calibration') AS keep
FROM input JOIN placed ON $id = row_id
