-- Greedy k-center (Sener and Savarese 2018, Active learning for convolutional neural networks: a core-set approach,
-- algorithm 1; Gonzalez 1985): a random row, then always the row farthest from those chosen. No row is farther from a
-- chosen one than twice what is possible with k rows.
-- param vec column embedding: the vectors
-- param id column: the row key; the job's id column by default
-- param k number 100 in 1..: rows kept
-- param metric text l2 in l2|cosine: l2 or cosine
-- param seed number 42: seed of the first row
SELECT * EXCEPT (rank), rank IS NOT NULL AS keep
FROM farthest_first(input, vec => $vec, id => $id, k => $k, metric => $metric, init => 'random', seed => $seed)
