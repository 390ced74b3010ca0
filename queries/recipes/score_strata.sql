-- Rows from all parts of the range of a column alike (the draw of coverage-centric selection, Zheng et al. 2023): the share `trim`
-- at one end goes, the rest is cut into strata of equal width, and the smallest stratum is served first. Rows without a value go.
-- param id column: the row key; the job's id column by default
-- param score column score: a number
-- param order text lowest: which end is trimmed, lowest or highest
-- param fraction number 0.5: share of the rows to keep
-- param trim number 0: share of the rows that goes first
-- param strata number 50: strata
-- param seed number 42: seed of the draw
WITH scores AS (
  SELECT $id AS row_id, CAST($score AS DOUBLE) AS worth FROM input WHERE $score IS NOT NULL
), trimmed AS (
  SELECT *, row_number() OVER (
    ORDER BY CASE $order WHEN 'lowest' THEN 1.0 WHEN 'highest' THEN -1.0 END * worth, hash_uniform($seed, row_id), row_id
  ) > $trim * count(*) OVER () AS fit FROM scores
), strata AS (
  SELECT *, width_bucket(worth, min(worth) OVER (), max(worth) OVER (), $strata) AS stratum FROM trimmed WHERE fit
), sizes AS (
  SELECT stratum, count(*) AS size FROM strata GROUP BY stratum
), queue AS (
  -- Equal shares, smallest stratum first: each takes what it has, or an equal part of what is left.
  SELECT stratum, size, CAST(row_number() OVER ascending AS BIGINT) - 1 AS place, count(*) OVER () AS strata_count,
    sum(size) OVER ascending - size AS spent, CAST(round($fraction * (SELECT count(*) FROM input)) AS BIGINT) AS total
  FROM sizes WINDOW ascending AS (ORDER BY size, stratum ROWS UNBOUNDED PRECEDING)
), cut AS (
  SELECT min(place) AS from_place, max(total - spent) AS remaining FROM queue WHERE size > (total - spent) / (strata_count - place)
), shares AS (
  SELECT stratum, CASE WHEN place >= from_place THEN (remaining + place - from_place) / (strata_count - from_place) ELSE size END AS budget
  FROM queue CROSS JOIN cut
), chosen AS (
  SELECT row_id, row_number() OVER (PARTITION BY strata.stratum ORDER BY hash_uniform($seed, row_id), row_id) <= budget AS keep
  FROM shares JOIN strata ON shares.stratum = strata.stratum
)
SELECT input.*, coalesce(keep, false) AS keep FROM input LEFT JOIN chosen ON $id = chosen.row_id
