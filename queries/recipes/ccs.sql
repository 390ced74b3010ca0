-- Coverage-centric coreset selection: drop the share beta with the lowest area under the margin, cut the rest into strata of
-- equal width, and draw from all strata alike (Zheng et al. 2023). beta grows with pruning: about 0 at half, 0.1 to 0.3 below.
-- param id column: the row key; the job's id column by default
-- param vector column vector: the embedding, a list of floats
-- param label column label: the class, an integer from 0
-- param hidden number 64: units of the probe's hidden layer, 0 for none
-- param epochs number 30: epochs of training
-- param runs number 10: networks with a seed each
-- param fraction number 0.1: share of the rows to keep
-- param seed number 42: seed of the probe and of ties
-- param beta number 0.1: share of the rows, the likeliest mislabelled, that goes first
-- param strata number 50: strata
WITH scores AS (
  -- The mean in decimals is exact: the same whatever the order of the rows.
  SELECT id AS row_id, CAST(avg(CAST(margin(probs, label) AS DECIMAL(38, 18))) AS DOUBLE) AS score
  FROM fit_softmax(input, id => $id, vector => $vector, label => $label, hidden => $hidden, epochs => $epochs, runs => $runs, seed => $seed)
  GROUP BY id
), trimmed AS (
  SELECT *, row_number() OVER (ORDER BY score, hash_uniform($seed, row_id), row_id) > $beta * count(*) OVER () AS fit FROM scores
), strata AS (
  SELECT *, width_bucket(score, min(score) OVER (), max(score) OVER (), $strata) AS stratum FROM trimmed WHERE fit
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
SELECT input.*, score, coalesce(keep, false) AS keep
FROM input JOIN scores ON $id = scores.row_id LEFT JOIN chosen ON $id = chosen.row_id
