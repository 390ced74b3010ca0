-- RS2, repeated random sampling: in every epoch another random share of the rows, without repeats until all have been seen
-- (Okanovic et al. 2023). The baseline that every other selection must beat.
-- param id column in unique: the row key; the job's id column by default
-- param fraction number 0.1 in 0..1: share of the rows in an epoch
-- param epoch number 0 in 0..: the epoch, from 0
-- param seed number 42: seed
-- adds keep: whether the row stays
WITH totals AS (
  SELECT count(*) AS n_rows, round($fraction * count(*)) AS width FROM input
), turns AS (
  -- A cycle of epochs walks through one order of all rows. Its last epoch takes what is left and fills up from the start.
  SELECT n_rows, width, greatest(ceil(n_rows / greatest(width, 1)), 1) AS turns FROM totals
), windows AS (
  SELECT n_rows, floor($epoch / turns) AS cycle, ($epoch % turns) * width AS first, ($epoch % turns + 1) * width AS last FROM turns
), keys AS (
  SELECT $id AS row_key FROM input
), places AS (
  SELECT row_key, first, last, n_rows,
    row_number() OVER (ORDER BY hash_uniform($seed, cycle, row_key), row_key) AS place FROM windows CROSS JOIN keys
), drawn AS (
  SELECT row_key FROM places WHERE (place > first AND place <= last) OR place <= last - n_rows
)
SELECT input.*, drawn.row_key IS NOT NULL AS keep FROM drawn RIGHT JOIN input ON input.$id = drawn.row_key
