-- Label mapping of DP4TL (Zhang et al. 2023, Selectivity drives productivity, section 4): a model of the source classes
-- predicts a class for every target row; the classes predicted most often are kept.
-- param label column label: the class of a source row, the predicted class of a target row
-- param target column target in flags: true for the rows of the target
-- param k number 10 in 1..: classes kept
-- adds votes: votes for its class
-- adds keep: whether the row stays
WITH votes AS (
  SELECT $label AS class, count(*) FILTER (WHERE $target) AS votes FROM input GROUP BY $label
), ranked AS (
  SELECT class, votes, row_number() OVER (ORDER BY votes DESC, class) AS place FROM votes
)
SELECT i.*, r.votes, coalesce(r.place <= $k AND NOT i.$target, false) AS keep
FROM input AS i LEFT JOIN ranked AS r ON i.$label = r.class
