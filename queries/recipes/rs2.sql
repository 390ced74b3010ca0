-- RS2, repeated random sampling: in every epoch another random share of the rows, without repeats until all have been seen
-- (Okanovic et al. 2023). The baseline that every other selection must beat.
-- param id column: the row key; the job's id column by default
-- param fraction number 0.1: share of the rows in an epoch
-- param epoch number 0: the epoch, from 0
-- param seed number 42: seed
WITH keys AS (
  SELECT hash_uniform($seed, floor($epoch / floor(1 / $fraction)), $id) AS priority, $id AS row_id FROM input
), places AS (
  SELECT *, row_number() OVER (ORDER BY priority, row_id) AS place FROM keys
), windows AS (
  -- An epoch's rows stand in a window of the order by hash.
  SELECT count(*) AS n_rows, greatest(round($fraction * count(*)), 1) AS width, $epoch % floor(1 / $fraction) AS turn FROM input
), cuts AS (
  -- The keys before and at its end: one row, so that the others stream past it.
  SELECT max(priority) FILTER (WHERE place = turn * width) AS before_priority, max(row_id) FILTER (WHERE place = turn * width) AS before_id,
    max(priority) FILTER (WHERE place = least((turn + 1) * width, n_rows)) AS last_priority,
    max(row_id) FILTER (WHERE place = least((turn + 1) * width, n_rows)) AS last_id
  FROM windows CROSS JOIN places
), drawn AS (
  SELECT input.*, hash_uniform($seed, floor($epoch / floor(1 / $fraction)), $id) AS _priority FROM input
)
SELECT drawn.* EXCEPT (_priority),
  (before_priority IS NULL OR _priority > before_priority OR (_priority = before_priority AND $id > before_id))
  AND (_priority < last_priority OR (_priority = last_priority AND $id <= last_id)) AS keep
FROM cuts CROSS JOIN drawn
