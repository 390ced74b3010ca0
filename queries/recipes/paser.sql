-- PASER (2025), instructions that heal a pruned model: clusters of instructions get budgets by how much pruning changed the model's
-- predictions on them, whole rows only, the rest of the budget unspent; inside a cluster the most change for the least cost comes first;
-- rows whose concepts conflict with what was accepted go. (The paper factorises the eigenvectors; spectral_clusters groups them.)
-- param id column in unique: the row key; the job's id column by default
-- param vector column embedding: embedding of the instruction
-- param before column before: class probabilities of the original model
-- param after column after: class probabilities of the pruned model
-- param tokens column tokens: tokens of instruction and answer
-- param concepts column concepts: a list of texts
-- param k number 10 in 1..: clusters
-- param landmarks number 200: rows that affinities are computed to
-- param budget number 1000 in 0..: rows to keep at most
-- param seed number 42: seed of the landmarks
-- adds cluster_id: the cluster
-- adds score: change of the predictions by the logarithm of the cost
-- adds keep: whether the row stays
-- adds reason: why a row conflicts with one that was accepted
WITH clusters AS (
  SELECT id AS row_id, cluster_id FROM spectral_clusters(input, id => $id, vector => $vector, k => $k, landmarks => $landmarks, seed => $seed)
), changed AS (
  SELECT $id AS row_id, js_divergence($before, $after) AS jsd, CASE WHEN NOT isnan(CAST($tokens AS DOUBLE)) THEN greatest(CAST($tokens AS DOUBLE), 2.0) END AS cost, $concepts AS words FROM input
), scored AS (
  -- The cost is the square of the length, its logarithm twice that of the length.
  SELECT row_id, jsd, words, jsd / (2 * ln(cost)) AS ies FROM changed
), budgets AS (
  SELECT cluster_id, allocated FROM allocate_budget(
    (SELECT cluster_id, count(*) AS size, CAST(avg(CAST(jsd AS DECIMAL(38, 18))) AS DOUBLE) AS cds
      FROM clusters JOIN scored ON clusters.row_id = scored.row_id GROUP BY cluster_id),
    budget => $budget, "group" => cluster_id, size => size, weight => cds, method => 'proportional', rounding => 'floor')
), consistent AS (
  SELECT id AS row_id, keep AS fits, reason FROM graph_filter(scored, id => row_id, score => ies, concepts => words)
), ranked AS (
  SELECT c.row_id, c.cluster_id, s.ies, g.fits, g.reason, allocated,
    row_number() OVER (PARTITION BY c.cluster_id, g.fits ORDER BY s.ies DESC NULLS LAST, c.row_id) AS place
  FROM clusters AS c JOIN scored AS s ON c.row_id = s.row_id JOIN consistent AS g ON c.row_id = g.row_id JOIN budgets AS b ON c.cluster_id = b.cluster_id
)
SELECT input.*, r.cluster_id, r.ies AS score, r.fits AND r.place <= r.allocated AS keep, r.reason
FROM ranked AS r JOIN input ON input.$id = r.row_id
