-- Pointwise V-information: drop the rows whose input tells least about their label, below 0 a likely mistake (Ethayarajh,
-- Choi and Swayamdipta 2022). A model that sees no input can only give each label its share of the rows.
-- param id column in unique: the row key; the job's id column by default
-- param vector column embedding: the embedding, a list of floats
-- param label column label in classes: the class, an integer from 0 or text
-- param hidden number 64 in 0..: units of the probe's hidden layer, 0 for none
-- param epochs number 2 in 1..: epochs of training
-- param runs number 10 in 1..: networks with a seed each
-- param fraction number 0.9 in 0..1: share of the rows to keep
-- param seed number 42: seed of the probe and of ties
-- param log relation fit_softmax(input, id => $id, vector => $vector, label => $label, hidden => $hidden, epochs => $epochs, runs => $runs, seed => $seed, log => 'last'): a training log of your own, with id, label, probs: a path, a table or a query; by default that of a probe
-- param balance text none in none|proportional|equal: proportional keeps the same share of every label, equal as many of each
-- adds score: bits that the input tells about the label; NULL where the log lacks the row
-- adds keep: whether the row stays
WITH training AS (
  SELECT * FROM $log
), prior AS (
  SELECT label AS class, CAST(count(*) AS DOUBLE) / sum(count(*)) OVER () AS share
  FROM (SELECT DISTINCT id, label FROM training WHERE label IS NOT NULL) GROUP BY label
), scores AS (
  -- What 32 bits show as 0 counts as the least number they can hold. The mean in decimals is exact, whatever the order of the rows.
  SELECT * FROM materialize((
    SELECT id AS scored, min(label) AS class, CAST(avg(CAST(pvi(greatest(CAST(probs[label + 1] AS DOUBLE), 1.4e-45), share) AS DECIMAL(38, 18))) AS DOUBLE) AS score
    FROM training
    JOIN prior ON label = prior.class
    GROUP BY id
  ))
), answers AS (
  -- Rows without a score count too: the share is one of all rows.
  SELECT input.$id AS row_key, scores.score AS score, scores.class AS class FROM scores RIGHT JOIN input ON input.$id = scores.scored
)
SELECT input.*, chosen.score, chosen.keep
FROM recipe('score_top', answers, id => row_key, fraction => $fraction, class => class, balance => $balance, seed => $seed) AS chosen
JOIN input ON input.$id = chosen.row_key
