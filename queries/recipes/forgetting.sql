-- Forgetting events: keep the rows that training forgets most often; what is never learned comes first (Toneva et al. 2019).
-- param id column: the row key; the job's id column by default
-- param vector column vector: the embedding, a list of floats
-- param label column label: the class, an integer from 0
-- param hidden number 64 in 0..: units of the probe's hidden layer, 0 for none
-- param epochs number 30 in 1..: epochs of training
-- param runs number 10 in 1..: networks with a seed each
-- param fraction number 0.5 in 0..1: share of the rows to keep
-- param seed number 42: seed of the probe and of ties
-- param never_learned text n_steps in n_steps|inf|zero: worth of a row never learned: n_steps, inf or zero
WITH runs AS (
  SELECT id, run, forgetting_events(margin(probs, label) > 0, step, $never_learned) AS events
  FROM fit_softmax(input, id => $id, vector => $vector, label => $label, hidden => $hidden, epochs => $epochs, runs => $runs, seed => $seed)
  GROUP BY id, run
), scores AS (
  SELECT * FROM materialize((SELECT id AS row_id, avg(events) AS score FROM runs GROUP BY id))
)
SELECT input.*, chosen.score, chosen.keep
FROM recipe('score_top', scores, id => row_id, fraction => $fraction, seed => $seed) AS chosen
JOIN input ON $id = chosen.row_id
