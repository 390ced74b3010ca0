-- The pool of Automate-CoT (2023): generated chains that arrive at the known answer, a random one a question, and of these a random pool.
-- param id column in unique: the row key; the job's id column by default
-- param question column question: chains of one question compete
-- param generated column generated: the generated chain
-- param gold column gold: the known answer
-- param budget number 100 in 0..: chains in the pool
-- param seed number 42: seed of the draws
-- adds right_answer: whether the chain arrives at the known answer
-- adds keep: whether the row stays
WITH checked AS (
  SELECT *, answer_match($generated, $gold) AS right_answer FROM input
), one_each AS (
  SELECT *, row_number() OVER (PARTITION BY $question, right_answer ORDER BY hash_uniform($seed, $id), $id) AS __chain FROM checked
), drawn AS (
  SELECT *, row_number() OVER (PARTITION BY coalesce(right_answer AND __chain = 1, false) ORDER BY hash_uniform($seed, $id), $id) AS __place
  FROM one_each
)
SELECT * EXCEPT (__chain, __place), coalesce(right_answer AND __chain = 1 AND __place <= $budget, false) AS keep FROM drawn
