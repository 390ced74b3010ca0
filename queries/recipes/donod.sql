-- DONOD: rank rows by what a gradient step on them does to the output weights, whose norm should fall much and move little,
-- by TOPSIS (2025; the direction of the two criteria is read off the paper's aim, no code is published: they are arguments).
-- param id column in unique: the row key; the job's id column by default
-- param vector column embedding: the embedding, a list of floats
-- param label column label in classes: the class, an integer from 0 or text
-- param hidden number 64 in 0..: units of the probe's hidden layer, 0 for none
-- param epochs number 30 in 1..: epochs of training; after few, rows that the probe has not learned yet look like good ones
-- param runs number 5 in 1..: networks with a seed each
-- param fraction number 0.3 in 0..1: share of the rows to keep
-- param seed number 42: seed of the probe and of ties
-- param learning_rate number 0.1: the step
-- param don text + in +|-: whether more (+) or less (-) of the fall of the norm is better
-- param nod text - in +|-: the same for the size of the change
-- param log relation fit_softmax(input, id => $id, vector => $vector, label => $label, hidden => $hidden, epochs => $epochs, runs => $runs, seed => $seed, log => 'last'): a training log of your own, with id, label, probs, logits, h_sq, w_norm: a path, a table or a query; by default that of a probe
-- param balance text none in none|proportional|equal: proportional keeps the same share of every label, equal as many of each
-- adds score: closeness to the best values of both criteria, 0 to 1; NULL where the log lacks the row
-- adds keep: whether the row stays
WITH deltas AS (
  -- The mean in decimals is exact: the same whatever the order of the rows.
  SELECT id, min(label) AS class, CAST(avg(CAST(delta['don'] AS DECIMAL(38, 18))) AS DOUBLE) AS don, CAST(avg(CAST(delta['nod'] AS DECIMAL(38, 18))) AS DOUBLE) AS nod
  FROM (
    SELECT id, label, weight_delta(logits, probs, label, h_sq, w_norm, $learning_rate) AS delta
    FROM $log
  )
  GROUP BY id
), scores AS (
  SELECT * FROM materialize((
    SELECT id AS scored, class, topsis_closeness([don, nod], stats, [$don, $nod]) AS score
    FROM (SELECT topsis_stats([don, nod]) AS stats FROM deltas) CROSS JOIN deltas
  ))
), answers AS (
  -- Rows without a score count too: the share is one of all rows.
  SELECT input.$id AS row_key, scores.score AS score, scores.class AS class FROM scores RIGHT JOIN input ON input.$id = scores.scored
)
SELECT input.*, chosen.score, chosen.keep
FROM recipe('score_top', answers, id => row_key, fraction => $fraction, class => class, balance => $balance, seed => $seed) AS chosen
JOIN input ON input.$id = chosen.row_key
