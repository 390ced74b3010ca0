-- The rows with the highest values of a column, or the lowest; rows without a value, or with NaN, come last.
-- param id column: the row key; the job's id column by default
-- param score column score: a number
-- param order text highest in highest|lowest: keep the highest or the lowest
-- param fraction number 0.5 in 0..1: share of the rows to keep
-- param seed number 42: seed of ties
WITH scored AS (
  SELECT *, CASE $order WHEN 'highest' THEN 1.0 WHEN 'lowest' THEN -1.0 END * CASE WHEN NOT isnan(CAST($score AS DOUBLE)) THEN $score END AS _worth,
    hash_uniform($seed, $id) AS _priority FROM input
), cut AS (
  -- The key of the last row that stays: one row, so that the others stream past it.
  SELECT max(_worth) AS cut_worth, max(_priority) AS cut_priority, max(row_id) AS cut_id
  FROM (SELECT round($fraction * count(*)) AS budget FROM input) CROSS JOIN (
    SELECT _worth, _priority, $id AS row_id, row_number() OVER (ORDER BY _worth DESC NULLS LAST, _priority, $id) AS place FROM scored
  ) WHERE place = budget
)
SELECT scored.* EXCEPT (_worth, _priority), CASE
    WHEN cut_id IS NULL THEN false
    WHEN _worth IS NULL AND cut_worth IS NOT NULL THEN false
    WHEN _worth > cut_worth OR (_worth IS NOT NULL AND cut_worth IS NULL) THEN true
    WHEN _worth < cut_worth THEN false
    ELSE _priority < cut_priority OR (_priority = cut_priority AND $id <= cut_id)
  END AS keep
FROM cut CROSS JOIN scored
