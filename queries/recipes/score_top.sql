-- The rows with the highest values of a column, or the lowest; rows without a value, or with NaN, come last.
-- param id column in unique: the row key; the job's id column by default
-- param score column score in numbers: a number
-- param order text highest in highest|lowest: keep the highest or the lowest
-- param fraction number 0.5 in 0..1: share of the rows to keep
-- param seed number 42: seed of ties
-- param class column '': a column by which the budget is divided; none by default
-- param balance text proportional in none|proportional|equal: with class, the same share of the rows of every class (proportional), as many rows of each as far as it has them (equal), or no heed to it (none)
-- adds keep: whether the row stays
WITH scored AS (
  SELECT *, CASE $order WHEN 'highest' THEN 1.0 WHEN 'lowest' THEN -1.0 END * CASE WHEN NOT isnan(CAST($score AS DOUBLE)) THEN $score END AS __worth,
    hash_uniform($seed, $id) AS __priority, CASE WHEN $balance <> 'none' THEN coalesce(CAST($class AS VARCHAR), '') ELSE '' END AS __class FROM input
), totals AS (
  SELECT CAST(round($fraction * count(*)) AS BIGINT) AS budget FROM input
), sizes AS (
  SELECT __class AS class, count(*) AS size FROM scored GROUP BY __class
), shares AS (
  SELECT class, allocated FROM allocate_budget(
    (SELECT class, size, budget, CASE $balance WHEN 'equal' THEN 1.0 ELSE size END AS weight FROM totals CROSS JOIN sizes),
    budget => budget, "group" => class, size => size, weight => weight, method => 'proportional')
), lasts AS (
  -- The key of the last row of each class that stays: the others stream past it.
  SELECT class, worth, priority, row_key FROM shares JOIN (
    SELECT __class AS queued, __worth AS worth, __priority AS priority, $id AS row_key,
      row_number() OVER (PARTITION BY __class ORDER BY __worth DESC NULLS LAST, __priority, $id) AS place FROM scored
  ) AS queue ON class = queued AND allocated = place
)
SELECT scored.* EXCEPT (__worth, __priority, __class), CASE
    WHEN lasts.row_key IS NULL THEN false
    WHEN __worth IS NULL AND lasts.worth IS NOT NULL THEN false
    WHEN __worth > lasts.worth OR (__worth IS NOT NULL AND lasts.worth IS NULL) THEN true
    WHEN __worth < lasts.worth THEN false
    ELSE __priority < lasts.priority OR (__priority = lasts.priority AND scored.$id <= lasts.row_key)
  END AS keep
FROM lasts RIGHT JOIN scored ON lasts.class = scored.__class
