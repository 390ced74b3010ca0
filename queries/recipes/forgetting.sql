-- Forgetting events: keep the rows that training forgets most often; what is never learned comes first (Toneva et al. 2019).
-- param id column in unique: the row key; the job's id column by default
-- param vector column embedding: the embedding, a list of floats
-- param label column label in classes: the class, an integer from 0 or text
-- param hidden number 64 in 0..: units of the probe's hidden layer, 0 for none
-- param epochs number 30 in 1..: epochs of training
-- param runs number 10 in 1..: networks with a seed each
-- param fraction number 0.5 in 0..1: share of the rows to keep
-- param seed number 42: seed of the probe and of ties
-- param never_learned text n_steps in n_steps|inf|zero: worth of a row never learned: n_steps, inf or zero
-- param log relation fit_softmax(input, id => $id, vector => $vector, label => $label, hidden => $hidden, epochs => $epochs, runs => $runs, seed => $seed): a training log of your own, with id, label, run, step, probs: a path, a table or a query; by default that of a probe
-- param balance text none in none|proportional|equal: proportional keeps the same share of every label, equal as many of each
-- adds score: mean number of forgetting events; NULL where the log lacks the row
-- adds keep: whether the row stays
WITH runs AS (
  SELECT id, run, min(label) AS label, forgetting_events(margin(probs, label) > 0, step, $never_learned) AS events
  FROM $log
  GROUP BY id, run
), scores AS (
  SELECT * FROM materialize((SELECT id AS scored, min(label) AS class, avg(events) AS score FROM runs GROUP BY id))
), answers AS (
  -- Rows without a score count too: the share is one of all rows.
  SELECT input.$id AS row_key, scores.score AS score, scores.class AS class FROM scores RIGHT JOIN input ON input.$id = scores.scored
)
SELECT input.*, chosen.score, chosen.keep
FROM recipe('score_top', answers, id => row_key, fraction => $fraction, class => class, balance => $balance, seed => $seed) AS chosen
JOIN input ON input.$id = chosen.row_key
