-- Self-data distillation (2024): the original model rewrites each answer; the rewrite takes the answer's place only where it arrives at
-- the same result. Adds the answer to train on, and whether it is the rewrite.
-- param original column original: the human answer
-- param rewritten column rewritten: the model's rewrite
-- param gold column gold: the known result
-- adds distilled: the answer to train on
-- adds is_rewrite: whether it is the rewrite
SELECT *, CASE WHEN coalesce(answer_match($rewritten, $gold), false) THEN $rewritten ELSE $original END AS distilled,
  coalesce(answer_match($rewritten, $gold), false) AS is_rewrite
FROM input
