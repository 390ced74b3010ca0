-- The rows with the highest values of a column, or the lowest; rows without a value come last.
-- param id column: the row key; the job's id column by default
-- param score column score: a number
-- param order text highest: keep the highest or the lowest
-- param fraction number 0.5: share of the rows to keep
-- param seed number 42: seed of ties
SELECT * EXCEPT (ordered_by), row_number() OVER (ORDER BY ordered_by DESC NULLS LAST, hash_uniform($seed, $id), $id) <= round($fraction * count(*) OVER ()) AS keep
FROM (SELECT *, CASE $order WHEN 'highest' THEN 1.0 WHEN 'lowest' THEN -1.0 END * $score AS ordered_by FROM input)
