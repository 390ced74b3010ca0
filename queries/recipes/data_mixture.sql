-- Mixing sources by fixed proportions, the baseline that merging of models is compared with (Mix data or merge models, 2025): every
-- source gets its part of the budget, as far as it has the rows; what it lacks goes to the others in proportion. Rows below a least
-- reward go first, where there is one.
-- param id column in unique: the row key; the job's id column by default
-- param source column source: where the row is from
-- param weight column weight in numbers: proportion of its source, any positive number, the same in all its rows
-- param reward column '' in numbers: a number, or NULL; none by default
-- param least number -1e300: with reward, rows whose reward is lower go
-- param budget number 1000 in 0..: rows to keep
-- param seed number 42: seed of the draw
-- adds keep: whether the row stays
WITH fit AS (
  SELECT $id AS row_key, $source AS source, $weight AS weight FROM input
  WHERE coalesce($reward >= $least AND NOT isnan(CAST($reward AS DOUBLE)), true)
), budgets AS (
  SELECT source, allocated FROM allocate_budget(
    (SELECT source, count(*) AS size, max(weight) AS weight FROM fit GROUP BY source),
    budget => $budget, "group" => source, size => size, weight => weight, method => 'proportional')
), chosen AS (
  SELECT row_key FROM budgets
  JOIN (SELECT *, row_number() OVER (PARTITION BY source ORDER BY hash_uniform($seed, row_key), row_key) AS place FROM fit) AS placed
  ON budgets.source = placed.source AND place <= allocated
)
SELECT input.*, chosen.row_key IS NOT NULL AS keep FROM chosen RIGHT JOIN input ON input.$id = chosen.row_key
