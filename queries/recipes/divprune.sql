-- DivPrune (Alvar et al. 2025, section 3): in each group, such as the visual tokens of an image, the k rows whose least
-- distance from each other is largest, picked greedily; the first is the one farthest from its nearest neighbour.
-- param vec column embedding: the vectors
-- param id column: the row key; the job's id column by default
-- param group column group: rows of different groups are not compared
-- param k number 10 in 1..: rows kept in each group
SELECT * EXCEPT (rank), rank IS NOT NULL AS keep
FROM farthest_first(input, vec => $vec, id => $id, partition_by => $group, k => $k, metric => 'cosine', init => 'nn_max')
