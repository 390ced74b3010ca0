-- DEALRec: influence on a validation set plus lambda times the effort of learning the row, the norm of its gradient, both scaled
-- to [0, 1]; the hardest tenth goes, and the strata of the rest are drawn from alike (2024). Validation rows are not answered.
-- param id column: the row key; the job's id column by default
-- param vector column vector: the embedding, a list of floats
-- param label column label: the class, an integer from 0
-- param target column valid: Boolean, true for the validation rows
-- param fraction number 0.02: share of all rows to keep
-- param lambda number 0.3: weight of the effort
-- param trim number 0.1: share of the rows with the highest score that goes first
-- param strata number 50: strata
-- param l2 number 0.01: weight penalty of the surrogate, a logistic regression
-- param epochs number 3: epochs of the probe that gives the effort
-- param seed number 42: seed of the probe and of the draw
WITH gains AS (
  SELECT id, influence FROM influence(input, id => $id, vector => $vector, label => $label, target => $target, l2 => $l2)
), efforts AS (
  SELECT id AS effort_id, grand(probs, label, h_sq) AS effort
  FROM fit_softmax((SELECT *, NOT $target AS to_learn FROM input), id => $id, vector => $vector, label => $label, train => to_learn, epochs => $epochs, seed => $seed, log => 'last')
), scores AS (
  SELECT id AS row_id, minmax_scale(influence) OVER () + $lambda * minmax_scale(effort) OVER () AS score
  FROM gains JOIN efforts ON id = effort_id
), trimmed AS (
  SELECT *, row_number() OVER (ORDER BY score DESC, hash_uniform($seed, row_id), row_id) > $trim * count(*) OVER () AS fit FROM scores
), strata AS (
  SELECT *, width_bucket(score, min(score) OVER (), max(score) OVER (), $strata, 'right') AS stratum FROM trimmed WHERE fit
), sizes AS (
  SELECT stratum, count(*) AS size FROM strata GROUP BY stratum
), queue AS (
  -- Equal shares, smallest stratum first: each takes what it has, or an equal part of what is left.
  SELECT stratum, size, CAST(row_number() OVER ascending AS BIGINT) - 1 AS place, count(*) OVER () AS strata_count,
    sum(size) OVER ascending - size AS spent, CAST(round($fraction * (SELECT count(*) FROM input)) AS BIGINT) AS total
  FROM sizes WINDOW ascending AS (ORDER BY size, stratum ROWS UNBOUNDED PRECEDING)
), cut AS (
  SELECT min(place) AS from_place, max(total - spent) AS remaining FROM queue WHERE size > (total - spent) / (strata_count - place)
), shares AS (
  SELECT stratum, CASE WHEN place >= from_place THEN (remaining + place - from_place) / (strata_count - from_place) ELSE size END AS budget
  FROM queue CROSS JOIN cut
), chosen AS (
  SELECT row_id, row_number() OVER (PARTITION BY strata.stratum ORDER BY hash_uniform($seed, row_id), row_id) <= budget AS keep
  FROM shares JOIN strata ON shares.stratum = strata.stratum
)
SELECT input.*, score, coalesce(keep, false) AS keep
FROM input JOIN scores ON $id = scores.row_id LEFT JOIN chosen ON $id = chosen.row_id
