-- Q-Tuning (2025): rows the model finds unlikely yet is sure of (misconceptions, Q2), and likely yet unsure of (calibration, Q4) stay;
-- noise (Q1) and what is known well (Q3) go. The quantile alpha, at most 0.49, that keeps the wanted share is the rows' own: each row
-- enters at an alpha that follows from its two ranks. What then is missing comes by the distance between the two scaled scores.
-- Tokens of Q2 rows are pruned by their neighbour score; paper and code disagree whether the highest go, so it is an argument.
-- param id column in unique: the row key; the job's id column by default
-- param nll column nll: losses of the tokens, a list of numbers
-- param entropy column entropy: entropies of the tokens, a list of numbers
-- param fraction number 0.5 in 0..1: share of the rows to keep
-- param tokens number 0.7: share of the tokens of a Q2 row to keep
-- param lambda number 0.5: weight of a token's neighbours
-- param keep_tokens text low in low|high: which tokens stay, those of low or high neighbour score
-- param seed number 42: seed of ties
-- adds ppl: perplexity of the row
-- adds ent: mean entropy of its tokens
-- adds quadrant: Q1 noise, Q2 misconception, Q3 known, Q4 calibration
-- adds alpha: the quantile at which the row enters
-- adds keep: whether the row stays
-- adds token_keep: for Q2, which tokens stay
WITH measured AS (
  SELECT $id AS row_id, perplexity($nll) AS ppl, array_avg($entropy) AS ent FROM input
), ranks AS (
  SELECT *, CAST(row_number() OVER (ORDER BY ppl, hash_uniform($seed, row_id), row_id) AS DOUBLE) / count(*) OVER () AS u,
    CAST(row_number() OVER (ORDER BY ent, hash_uniform($seed, row_id), row_id) AS DOUBLE) / count(*) OVER () AS v,
    abs(minmax_scale(ppl) OVER () - minmax_scale(ent) OVER ()) AS gap
  FROM measured WHERE NOT isnan(ppl) AND NOT isnan(ent)
), entered AS (
  -- Q2 is u > 1 - alpha and v <= alpha, Q4 is u <= alpha and v > 1 - alpha.
  SELECT *, greatest(1 - u, v) AS as_q2, greatest(u, 1 - v) AS as_q4 FROM ranks
), quadrants AS (
  SELECT *, CASE WHEN least(as_q2, as_q4) <= 0.49 THEN CASE WHEN as_q2 < as_q4 THEN 'Q2' ELSE 'Q4' END
    WHEN u > 0.5 THEN CASE WHEN v > 0.5 THEN 'Q1' ELSE 'Q2' END ELSE CASE WHEN v > 0.5 THEN 'Q4' ELSE 'Q3' END END AS quadrant,
    least(as_q2, as_q4) AS alpha FROM entered
), ranked AS (
  SELECT *, row_number() OVER (
    ORDER BY alpha <= 0.49 DESC, CASE WHEN alpha <= 0.49 THEN alpha ELSE -gap END, hash_uniform($seed, row_id), row_id
  ) AS place FROM quadrants
)
SELECT input.*, ranked.ppl, ranked.ent, ranked.quadrant, ranked.alpha, coalesce(ranked.place <= round($fraction * totals.n_rows), false) AS keep,
  CASE WHEN ranked.quadrant = 'Q2' THEN list_topk_mask(neighbor_score(input.$nll, $lambda, 'exp'), $tokens, $keep_tokens) END AS token_keep
FROM (SELECT count(*) AS n_rows FROM input) AS totals CROSS JOIN (ranked RIGHT JOIN input ON input.$id = ranked.row_id)
