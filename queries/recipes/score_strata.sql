-- Rows from all parts of the range of a column alike (the draw of coverage-centric selection, Zheng et al. 2023): the share `trim`
-- at one end goes, the rest is cut into strata of equal width, and the smallest stratum is served first. Rows without a value, or with NaN, go.
-- param id column in unique: the row key; the job's id column by default
-- param score column score in numbers: a number
-- param order text lowest in lowest|highest: which end is trimmed, lowest or highest
-- param fraction number 0.5 in 0..1: share of the rows to keep
-- param trim number 0 in 0..1: share of the rows with a value that goes first, less where the budget needs them
-- param strata number 50 in 1..: strata
-- param closed text left in left|right: the end that belongs to a stratum, left or right
-- param seed number 42: seed of the draw
-- adds keep: whether the row stays
WITH valued AS (
  SELECT *, CASE WHEN NOT isnan(CAST($score AS DOUBLE)) THEN CAST($score AS DOUBLE) END AS __worth FROM input
), scored AS (
  SELECT *, CASE $order WHEN 'lowest' THEN 1.0 WHEN 'highest' THEN -1.0 END * __worth AS __rank_by, hash_uniform($seed, $id) AS __priority FROM valued
), totals AS (
  -- No more is trimmed than the budget leaves.
  SELECT CAST(round($fraction * count(*)) AS BIGINT) AS budget,
    least(floor($trim * count(__worth)), greatest(count(__worth) - round($fraction * count(*)), 0)) AS trimmed_rows FROM valued
), cut AS (
  -- The key of the last row that is trimmed. Decisions are taken on keys, and rows stream past their one-row answers.
  SELECT * FROM materialize((
    SELECT max(rank_by) AS rank_by, max(priority) AS priority, max(row_key) AS row_key
    FROM totals CROSS JOIN (
      SELECT __rank_by AS rank_by, __priority AS priority, $id AS row_key, row_number() OVER (ORDER BY __rank_by, __priority, $id) AS place
      FROM scored WHERE __worth IS NOT NULL AND $trim > 0
    )
    WHERE place = trimmed_rows
  ))
), trimmed AS (
  SELECT scored.*, __worth IS NOT NULL AND (cut.row_key IS NULL OR __rank_by > cut.rank_by
    OR (__rank_by = cut.rank_by AND (__priority > cut.priority OR (__priority = cut.priority AND scored.$id > cut.row_key)))) AS __fit
  FROM cut CROSS JOIN scored
), edges AS (
  SELECT * FROM materialize((SELECT min(__worth) AS low, max(__worth) AS high FROM trimmed WHERE __fit))
), placed AS (
  SELECT trimmed.*, CASE WHEN __fit THEN width_bucket(__worth, edges.low, edges.high, $strata, $closed) END AS __in_stratum FROM edges CROSS JOIN trimmed
), strata AS (
  SELECT $id AS row_key, __priority AS priority, __in_stratum AS stratum FROM placed WHERE __fit
), shares AS (
  SELECT stratum AS share_of, allocated FROM allocate_budget(
    (SELECT stratum, size, budget FROM totals CROSS JOIN (SELECT stratum, count(*) AS size FROM strata GROUP BY stratum)),
    budget => budget, "group" => stratum, size => size, method => 'equal')
), lasts AS (
  -- The key of the last row of each stratum that stays.
  SELECT share_of, priority, row_key
  FROM shares JOIN (SELECT *, row_number() OVER (PARTITION BY stratum ORDER BY priority, row_key) AS place FROM strata) AS queued
  ON share_of = stratum AND allocated = place
)
SELECT placed.* EXCEPT (__worth, __rank_by, __priority, __fit, __in_stratum),
  coalesce(__priority < lasts.priority OR (__priority = lasts.priority AND placed.$id <= lasts.row_key), false) AS keep
FROM lasts RIGHT JOIN placed ON lasts.share_of = placed.__in_stratum
