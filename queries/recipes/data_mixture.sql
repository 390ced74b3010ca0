-- Mixing sources by fixed proportions, the baseline that merging of models is compared with (Mix data or merge models, 2025): every
-- source gets its part of the budget, as far as it has the rows; what it lacks goes to the others in proportion. Rows below a least
-- reward go first, where there is one.
-- param id column: the row key; the job's id column by default
-- param source column source: where the row is from
-- param weight column weight: proportion of its source, any positive number, the same in all its rows
-- param reward column '': a number, or NULL; none by default
-- param least number -1e300: with reward, rows whose reward is lower go
-- param budget number 1000 in 0..: rows to keep
-- param seed number 42: seed of the draw
WITH fit AS (
  SELECT * FROM input WHERE coalesce($reward >= $least AND NOT isnan(CAST($reward AS DOUBLE)), true)
), budgets AS (
  SELECT source, allocated FROM allocate_budget(
    (SELECT $source AS source, count(*) AS size, max($weight) AS weight FROM fit GROUP BY $source),
    budget => $budget, "group" => source, size => size, weight => weight, method => 'proportional')
), chosen AS (
  SELECT row_id, place <= allocated AS keep
  FROM (SELECT $id AS row_id, $source AS row_source, row_number() OVER (PARTITION BY $source ORDER BY hash_uniform($seed, $id), $id) AS place FROM fit)
  JOIN budgets ON row_source = budgets.source
)
SELECT input.*, coalesce(keep, false) AS keep FROM chosen RIGHT JOIN input ON $id = row_id
