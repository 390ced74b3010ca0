-- Greedy k-center (Sener and Savarese 2018, Active learning for convolutional neural networks: a core-set approach,
-- algorithm 1; Gonzalez 1985): a random row, then always the row farthest from those chosen. No row is farther from a
-- chosen one than twice what is possible with so many rows.
-- param vector column embedding: the vectors
-- param id column in unique: the row key; the job's id column by default
-- param budget number 100 in 1..: rows to keep
-- param metric text l2 in l2|cosine: l2 or cosine
-- param seed number 42: seed of the first row
-- adds keep: whether the row stays
WITH chosen AS (
  SELECT row_key FROM farthest_first(
    (SELECT $id AS row_key, $vector AS vector FROM input), vector => vector, id => row_key, k => $budget, metric => $metric, init => 'random', seed => $seed
  ) WHERE rank IS NOT NULL
)
SELECT input.*, chosen.row_key IS NOT NULL AS keep FROM chosen RIGHT JOIN input ON input.$id = chosen.row_key
