-- Keep generated answers that arrive at the known one: pruning of reasoning chains (Automate-CoT 2023), of rewritten reasoning
-- (concise reasoning 2025) and of self-distilled answers (2024).
-- param generated column generated: the generated text
-- param gold column gold: the known answer
-- adds keep: whether the answer arrives at the known one, false where either is NULL
SELECT *, coalesce(answer_match($generated, $gold), false) AS keep FROM input
