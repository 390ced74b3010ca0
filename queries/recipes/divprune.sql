-- DivPrune (Alvar et al. 2025, section 3): in each group, such as the visual tokens of an image, the k rows whose least
-- distance from each other is largest, picked greedily; the first is the one farthest from its nearest neighbour.
-- param vector column embedding: the vectors
-- param id column in unique: the row key; the job's id column by default
-- param group column group: rows of different groups are not compared
-- param k number 10 in 1..: rows kept in each group
-- adds keep: whether the row stays
WITH chosen AS (
  SELECT row_key FROM farthest_first((SELECT $id AS row_key, $vector AS vector, $group AS part FROM input),
    vector => vector, id => row_key, partition_by => part, k => $k, metric => 'cosine', init => 'nn_max') WHERE rank IS NOT NULL
)
SELECT input.*, chosen.row_key IS NOT NULL AS keep FROM chosen RIGHT JOIN input ON input.$id = chosen.row_key
