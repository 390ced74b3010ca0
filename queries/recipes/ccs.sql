-- Coverage-centric coreset selection: drop the share beta with the lowest area under the margin, cut the rest into strata of
-- equal width, and draw from all strata alike (Zheng et al. 2023). beta grows with pruning: about 0 at half, 0.1 to 0.3 below.
-- param id column in unique: the row key; the job's id column by default
-- param vector column embedding: the embedding, a list of floats
-- param label column label in classes: the class, an integer from 0 or text
-- param hidden number 64 in 0..: units of the probe's hidden layer, 0 for none
-- param epochs number 30 in 1..: epochs of training
-- param runs number 10 in 1..: networks with a seed each
-- param fraction number 0.1 in 0..1: share of the rows to keep
-- param seed number 42: seed of the probe and of ties
-- param beta number 0.1 in 0..1: share of the rows, the likeliest mislabelled, that goes first
-- param strata number 50 in 1..: strata
-- param log relation fit_softmax(input, id => $id, vector => $vector, label => $label, hidden => $hidden, epochs => $epochs, runs => $runs, seed => $seed): a training log of your own, with id, label, probs: a path, a table or a query; by default that of a probe
-- adds score: mean margin of the label over the networks and epochs; NULL where the log lacks the row
-- adds keep: whether the row stays
WITH scores AS (
  -- The mean in decimals is exact: the same whatever the order of the rows.
  SELECT * FROM materialize((
    SELECT id AS scored, min(label) AS class, CAST(avg(CAST(margin(probs, label) AS DECIMAL(38, 18))) AS DOUBLE) AS score
    FROM $log
    GROUP BY id
  ))
), answers AS (
  -- Rows without a score count too: the share is one of all rows.
  SELECT input.$id AS row_key, scores.score AS score, scores.class AS class FROM scores RIGHT JOIN input ON input.$id = scores.scored
)
SELECT input.*, chosen.score, chosen.keep
FROM recipe('score_strata', answers, id => row_key, fraction => $fraction, trim => $beta, strata => $strata, seed => $seed) AS chosen
JOIN input ON input.$id = chosen.row_key
