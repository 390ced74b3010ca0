-- Rows from all parts of the range of a column alike (the draw of coverage-centric selection, Zheng et al. 2023): the share `trim`
-- at one end goes, the rest is cut into strata of equal width, and the smallest stratum is served first. Rows without a value, or with NaN, go.
-- param id column: the row key; the job's id column by default
-- param score column score: a number
-- param order text lowest in lowest|highest: which end is trimmed, lowest or highest
-- param fraction number 0.5 in 0..1: share of the rows to keep
-- param trim number 0 in 0..1: share of the rows with a value that goes first, less where the budget needs them
-- param strata number 50 in 1..: strata
-- param closed text left in left|right: the end that belongs to a stratum, left or right
-- param seed number 42: seed of the draw
WITH valued AS (
  SELECT *, CASE WHEN NOT isnan(CAST($score AS DOUBLE)) THEN CAST($score AS DOUBLE) END AS _worth FROM input
), scored AS (
  SELECT *, CASE $order WHEN 'lowest' THEN 1.0 WHEN 'highest' THEN -1.0 END * _worth AS _rank_by, hash_uniform($seed, $id) AS _priority FROM valued
), totals AS (
  -- No more is trimmed than the budget leaves.
  SELECT CAST(round($fraction * count(*)) AS BIGINT) AS budget,
    least(floor($trim * count(_worth)), greatest(count(_worth) - round($fraction * count(*)), 0)) AS trimmed_rows FROM valued
), cut AS (
  -- The key of the last row that is trimmed. Decisions are taken on keys, and rows stream past their one-row answers.
  SELECT * FROM materialize((
    SELECT max(_rank_by) AS cut_rank, max(_priority) AS cut_priority, max(row_id) AS cut_id
    FROM totals CROSS JOIN (
      SELECT _rank_by, _priority, $id AS row_id, row_number() OVER (ORDER BY _rank_by, _priority, $id) AS place
      FROM scored WHERE _worth IS NOT NULL AND $trim > 0
    )
    WHERE place = trimmed_rows
  ))
), trimmed AS (
  SELECT scored.*, _worth IS NOT NULL AND (cut_id IS NULL OR _rank_by > cut_rank
    OR (_rank_by = cut_rank AND (_priority > cut_priority OR (_priority = cut_priority AND $id > cut_id)))) AS _fit
  FROM cut CROSS JOIN scored
), edges AS (
  SELECT * FROM materialize((SELECT min(_worth) AS lowest, max(_worth) AS highest FROM trimmed WHERE _fit))
), placed AS (
  SELECT trimmed.*, CASE WHEN _fit THEN width_bucket(_worth, lowest, highest, $strata, $closed) END AS _in_stratum FROM edges CROSS JOIN trimmed
), strata AS (
  SELECT $id AS row_id, _priority, _in_stratum AS stratum FROM placed WHERE _fit
), shares AS (
  SELECT stratum AS share_of, allocated FROM allocate_budget(
    (SELECT stratum, size, budget FROM totals CROSS JOIN (SELECT stratum, count(*) AS size FROM strata GROUP BY stratum)),
    budget => budget, "group" => stratum, size => size, method => 'equal')
), lasts AS (
  -- The key of the last row of each stratum that stays.
  SELECT share_of AS last_of, _priority AS last_priority, row_id AS last_id
  FROM shares JOIN (SELECT *, row_number() OVER (PARTITION BY stratum ORDER BY _priority, row_id) AS place FROM strata) AS queued
  ON share_of = stratum AND allocated = place
)
SELECT placed.* EXCEPT (_worth, _rank_by, _priority, _fit, _in_stratum),
  coalesce(_priority < last_priority OR (_priority = last_priority AND $id <= last_id), false) AS keep
FROM lasts RIGHT JOIN placed ON last_of = _in_stratum
