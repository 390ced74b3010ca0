-- DEALRec: influence on a validation set plus lambda times the effort of learning the row, the norm of its gradient, both scaled
-- to [0, 1]; the hardest tenth goes, and the strata of the rest are drawn from alike (2024). Validation rows are not answered.
-- param id column in unique: the row key; the job's id column by default
-- param vector column embedding: the embedding, a list of floats
-- param label column label in classes: the class, an integer from 0 or text
-- param target column valid in flags: Boolean, true for the validation rows
-- param fraction number 0.02 in 0..1: share of all rows to keep
-- param lambda number 0.3: weight of the effort
-- param trim number 0.1 in 0..1: share of the rows with the highest score that goes first
-- param strata number 50 in 1..: strata
-- param l2 number 0.01: weight penalty of the surrogate, a logistic regression
-- param epochs number 3 in 1..: epochs of the probe that gives the effort
-- param seed number 42: seed of the probe and of the draw
-- adds score: influence and effort, each scaled to 0 to 1
-- adds keep: whether the row stays
WITH gains AS (
  SELECT id, influence FROM influence(input, id => $id, vector => $vector, label => $label, target => $target, l2 => $l2)
), efforts AS (
  SELECT id AS effort_id, grand(probs, label, h_sq) AS effort
  FROM fit_softmax((SELECT $id AS id, $vector AS vector, $label AS label, NOT $target AS to_learn FROM input), vector => vector, train => to_learn, epochs => $epochs, seed => $seed, log => 'last')
), scores AS (
  SELECT * FROM materialize((
    SELECT id AS scored_id, minmax_scale(influence) OVER () + $lambda * minmax_scale(effort) OVER () AS score FROM gains JOIN efforts ON id = effort_id
  ))
), answers AS (
  -- Rows without a score count too: the share is one of all rows.
  SELECT input.$id AS row_key, scores.score AS score FROM scores RIGHT JOIN input ON input.$id = scores.scored_id
)
SELECT input.*, chosen.score, chosen.keep
FROM recipe('score_strata', answers, id => row_key, order => 'highest', closed => 'right', fraction => $fraction, trim => $trim, strata => $strata, seed => $seed) AS chosen
JOIN input ON input.$id = chosen.row_key WHERE chosen.score IS NOT NULL
