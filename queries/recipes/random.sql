-- A random share of the rows: the baseline of every selection.
-- param id column in unique: the row key; the job's id column by default
-- param fraction number 0.5 in 0..1: share of the rows to keep
-- param seed number 42: seed of the draw
-- adds keep: whether the row stays
WITH keys AS (
  SELECT hash_uniform($seed, $id) AS priority, $id AS row_key FROM input
), cut AS (
  -- The key of the last row that stays: one row, so that the others stream past it.
  SELECT max(priority) AS priority, max(row_key) AS row_key
  FROM (SELECT round($fraction * count(*)) AS budget FROM input)
  CROSS JOIN (SELECT *, row_number() OVER (ORDER BY priority, row_key) AS place FROM keys) WHERE place = budget
)
SELECT input.*, coalesce(hash_uniform($seed, input.$id) < cut.priority
  OR (hash_uniform($seed, input.$id) = cut.priority AND input.$id <= cut.row_key), false) AS keep
FROM cut CROSS JOIN input
