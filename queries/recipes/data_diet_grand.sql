-- Data Diet: keep the hardest rows by GraNd, the mean over networks of the norm of the last layer's gradient at an early
-- epoch (Paul, Ganguli and Dziugaite 2021; at initialisation it does not reproduce, at an early epoch it does).
-- param id column: the row key; the job's id column by default
-- param vector column vector: the embedding, a list of floats
-- param label column label: the class, an integer from 0
-- param hidden number 64 in 0..: units of the probe's hidden layer, 0 for none
-- param epochs number 3 in 1..: epochs of training
-- param runs number 10 in 1..: networks with a seed each
-- param fraction number 0.5 in 0..1: share of the rows to keep
-- param seed number 42: seed of the probe and of ties
WITH scores AS (
  -- The mean in decimals is exact: the same whatever the order of the rows.
  SELECT * FROM materialize((
    SELECT id AS row_id, CAST(avg(CAST(grand(probs, label, h_sq) AS DECIMAL(38, 18))) AS DOUBLE) AS score
    FROM fit_softmax(input, id => $id, vector => $vector, label => $label, hidden => $hidden, epochs => $epochs, runs => $runs, seed => $seed, log => 'last')
    GROUP BY id
  ))
)
SELECT input.*, chosen.score, chosen.keep
FROM recipe('score_top', scores, id => row_id, fraction => $fraction, seed => $seed) AS chosen
JOIN input ON $id = chosen.row_id
