-- Farthest-point sampling (Eldar et al. 1997, The farthest point strategy for progressive image sampling, section 3) within
-- each group, such as the rows of a class: starts at the first row of an order and keeps the rank, so that any smaller
-- sample is a prefix.
-- param vector column embedding: the vectors
-- param id column in unique: the row key; the job's id column by default
-- param group column group: rows of different groups are not compared
-- param k number 10 in 1..: rows ranked in each group
-- param metric text l2 in l2|cosine: l2 or cosine
-- param order text '': columns that say which row of a group is taken first, such as 'quality DESC'; the first by id otherwise
-- adds rank: place in the sample of its group, from 1; NULL for a row that goes
-- adds min_distance: distance from the nearest row that was taken before it
-- adds keep: whether the row stays
SELECT *, rank IS NOT NULL AS keep
FROM farthest_first(
  input, vector => $vector, id => $id, partition_by => $group, k => $k, metric => $metric, init => 'first', order_by => $order
)
