-- Data Diet: keep the hardest rows by EL2N, the mean over networks of the error of an early epoch (Paul, Ganguli and
-- Dziugaite 2021). Good at half of the rows; under a tenth, or with wrong labels, it keeps the worst: see ccs.
-- param id column in unique: the row key; the job's id column by default
-- param vector column embedding: the embedding, a list of floats
-- param label column label in classes: the class, an integer from 0 or text
-- param hidden number 64 in 0..: units of the probe's hidden layer, 0 for none
-- param epochs number 3 in 1..: epochs of training
-- param runs number 10 in 1..: networks with a seed each
-- param fraction number 0.5 in 0..1: share of the rows to keep
-- param seed number 42: seed of the probe and of ties
-- param log relation fit_softmax(input, id => $id, vector => $vector, label => $label, hidden => $hidden, epochs => $epochs, runs => $runs, seed => $seed, log => 'last'): a training log of your own, with id, label, probs: a path, a table or a query; by default that of a probe
-- param balance text none in none|proportional|equal: proportional keeps the same share of every label, equal as many of each
-- adds score: EL2N, the length of the error, at most the root of 2; NULL where the log lacks the row
-- adds keep: whether the row stays
WITH scores AS (
  -- The mean in decimals is exact: the same whatever the order of the rows.
  SELECT * FROM materialize((
    SELECT id AS scored, min(label) AS class, CAST(avg(CAST(el2n(probs, label) AS DECIMAL(38, 18))) AS DOUBLE) AS score
    FROM $log
    GROUP BY id
  ))
), answers AS (
  -- Rows without a score count too: the share is one of all rows.
  SELECT input.$id AS row_key, scores.score AS score, scores.class AS class FROM scores RIGHT JOIN input ON input.$id = scores.scored
)
SELECT input.*, chosen.score, chosen.keep
FROM recipe('score_top', answers, id => row_key, fraction => $fraction, class => class, balance => $balance, seed => $seed) AS chosen
JOIN input ON input.$id = chosen.row_key
