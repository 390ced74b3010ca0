-- RS2, repeated random sampling: in every epoch another random share of the rows, without repeats until all have been seen
-- (Okanovic et al. 2023). The baseline that every other selection must beat.
-- param id column: the row key; the job's id column by default
-- param fraction number 0.1: share of the rows in an epoch
-- param epoch number 0: the epoch, from 0
-- param seed number 42: seed
SELECT * EXCEPT (place), floor(place / greatest(round($fraction * count(*) OVER ()), 1)) = $epoch % floor(1 / $fraction) AS keep
FROM (
  SELECT *, row_number() OVER (ORDER BY hash_uniform($seed, floor($epoch / floor(1 / $fraction)), $id), $id) - 1 AS place FROM input
)
