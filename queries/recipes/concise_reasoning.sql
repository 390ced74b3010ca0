-- Checks on rewritten reasoning (difficulty-aware prompting, 2025): a shorter chain stays where it still arrives at the known answer and
-- is not longer than most chains of its difficulty.
-- param id column in unique: the row key; the job's id column by default
-- param rewritten column rewritten: the rewritten chain
-- param gold column gold: the known answer
-- param difficulty column difficulty: rows of one difficulty are compared
-- param tokens column tokens: length of the rewritten chain
-- param longest number 0.95 in 0..1: share of the right chains of a difficulty that is not too long
-- adds right_answer: whether the chain arrives at the known answer
-- adds keep: whether the row stays
WITH checked AS (
  SELECT *, answer_match($rewritten, $gold) AS right_answer FROM input
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY $difficulty, right_answer ORDER BY $tokens, $id) AS __place,
    count(*) OVER (PARTITION BY $difficulty, right_answer) AS __chains FROM checked
)
SELECT * EXCEPT (__place, __chains), coalesce(right_answer AND NOT isnan(CAST($tokens AS DOUBLE)) AND __place <= ceil($longest * __chains), false) AS keep FROM ranked
