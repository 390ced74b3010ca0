-- A random share of the rows: the baseline of every selection.
-- param id column: the row key; the job's id column by default
-- param fraction number 0.5 in 0..1: share of the rows to keep
-- param seed number 42: seed of the draw
WITH keys AS (
  SELECT hash_uniform($seed, $id) AS priority, $id AS row_id FROM input
), cut AS (
  -- The key of the last row that stays: one row, so that the others stream past it.
  SELECT max(priority) AS cut_priority, max(row_id) AS cut_id
  FROM (SELECT round($fraction * count(*)) AS budget FROM input)
  CROSS JOIN (SELECT *, row_number() OVER (ORDER BY priority, row_id) AS place FROM keys) WHERE place = budget
)
SELECT input.*, coalesce(hash_uniform($seed, $id) < cut_priority OR (hash_uniform($seed, $id) = cut_priority AND $id <= cut_id), false) AS keep
FROM cut CROSS JOIN input
