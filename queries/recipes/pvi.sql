-- Pointwise V-information: drop the rows whose input tells least about their label, below 0 a likely mistake (Ethayarajh,
-- Choi and Swayamdipta 2022). A model that sees no input can only give each label its share of the rows.
-- param id column: the row key; the job's id column by default
-- param vector column vector: the embedding, a list of floats
-- param label column label: the class, an integer from 0
-- param hidden number 64 in 0..: units of the probe's hidden layer, 0 for none
-- param epochs number 2 in 1..: epochs of training
-- param runs number 10 in 1..: networks with a seed each
-- param fraction number 0.9 in 0..1: share of the rows to keep
-- param seed number 42: seed of the probe and of ties
WITH prior AS (
  SELECT $label AS class, CAST(count(*) AS DOUBLE) / sum(count(*)) OVER () AS share FROM input GROUP BY $label
), scores AS (
  -- What 32 bits show as 0 counts as the least number they can hold. The mean in decimals is exact, whatever the order of the rows.
  SELECT * FROM materialize((
    SELECT id AS row_id, CAST(avg(CAST(pvi(greatest(CAST(probs[label + 1] AS DOUBLE), 1.4e-45), share) AS DECIMAL(38, 18))) AS DOUBLE) AS score
    FROM fit_softmax(input, id => $id, vector => $vector, label => $label, hidden => $hidden, epochs => $epochs, runs => $runs, seed => $seed, log => 'last')
    JOIN prior ON label = class
    GROUP BY id
  ))
)
SELECT input.*, chosen.score, chosen.keep
FROM recipe('score_top', scores, id => row_id, fraction => $fraction, seed => $seed) AS chosen
JOIN input ON $id = chosen.row_id
