-- Importance of the sources of a retrieval corpus (Lyu et al. 2023): the least important go until a share of the retrieved results is gone.
-- Choose the share on queries that were not used to learn the importance. The input has a row for every result of every query.
-- param query column query_id: the query
-- param rank column rank: place of the result, the first lowest
-- param source column source_id: where the result is from
-- param utility column utility: worth of the result, usually 1 where its answer is right and else 0
-- param k number 10 in 1..: results of a query that count
-- param learning_rate number 500: of the ascent
-- param steps number 50: of the ascent
-- param remove number 0.1 in 0..1: share of the results to remove
-- adds importance: importance of the source
-- adds keep: whether the source stays
WITH worth AS (
  SELECT $source AS ranked, importance FROM multilinear_importance(input, query => $query, rank => $rank, source => $source,
    utility => $utility, k => $k, learning_rate => $learning_rate, steps => $steps)
), sizes AS (
  SELECT $source AS sized, count(*) AS results FROM input GROUP BY $source
), queue AS (
  SELECT ranked, importance, sum(results) OVER (ORDER BY importance, ranked ROWS UNBOUNDED PRECEDING) - results AS gone,
    sum(results) OVER () AS total
  FROM worth JOIN sizes ON ranked = sized
)
SELECT input.*, q.importance, q.gone >= $remove * q.total AS keep FROM input JOIN queue AS q ON input.$source = q.ranked
