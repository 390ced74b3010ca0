-- A random share of the rows: the baseline of every selection.
-- param id column: the row key; the job's id column by default
-- param fraction number 0.5: share of the rows to keep
-- param seed number 42: seed of the draw
SELECT *, row_number() OVER (ORDER BY hash_uniform($seed, $id), $id) <= round($fraction * count(*) OVER ()) AS keep FROM input
