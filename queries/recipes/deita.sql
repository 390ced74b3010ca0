-- Quality and diversity together, as DEITA selects (Liu et al. 2024, What makes good data for alignment, section 3): rows in the order
-- of their quality, each taken unless a row that was taken is too similar, until the budget is met. Fewer stay where too many are similar.
-- param id column in unique: the row key; the job's id column by default
-- param vector column embedding: the vectors
-- param score column score in numbers: the quality; rows without a value, or with NaN, come last
-- param order text highest in highest|lowest: whether the highest or the lowest are the best
-- param threshold number 0.9: a row goes where its cosine to a better one that was taken is at least this
-- param fraction number 0.5 in 0..1: share of the rows to keep
-- param seed number 42: seed of ties
-- adds duplicate_of: for a row that is too similar, the better row
-- adds similarity: its cosine to that row
-- adds keep: whether the row stays
WITH worth AS (
  SELECT $id AS row_key, $vector AS vector, hash_uniform($seed, $id) AS priority,
    CASE $order WHEN 'highest' THEN 1.0 WHEN 'lowest' THEN -1.0 END * CASE WHEN NOT isnan(CAST($score AS DOUBLE)) THEN $score END AS worth FROM input
), deduplicated AS (
  SELECT * FROM semantic_dedup(worth, vector => vector, id => row_key, threshold => $threshold, order_by => 'worth DESC, priority', seed => $seed)
), placed AS (
  SELECT row_key, duplicate_of, similarity, keep AS taken, row_number() OVER (ORDER BY keep DESC, worth DESC NULLS LAST, priority, row_key) AS place
  FROM deduplicated
), decided AS (
  SELECT row_key, duplicate_of, similarity, taken AND place <= round($fraction * total) AS keep
  FROM (SELECT count(*) AS total FROM input) CROSS JOIN placed
)
SELECT input.*, decided.duplicate_of, decided.similarity, decided.keep FROM decided JOIN input ON input.$id = decided.row_key
