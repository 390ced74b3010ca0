-- LeaF (2025), tokens that confuse a student: where the gradient of the teacher's loss is small beside that of the student's. Each run
-- of such tokens gives one counterfactual text without it. Answers with a row for every run: the id, the number of the run, its
-- first token and length, and the text. Norms are scaled to [0, 1] in each row; tokens of white space are never marked.
-- param id column in unique: the row key; the job's id column by default
-- param tokens column tokens: the tokens, a list of texts
-- param student column student: norm of the loss gradient by each token for the student
-- param teacher column teacher: the same for the teacher
-- param quantile number 0.1 in 0..1: share of the tokens at most marked; a difference above one half is never
-- gives id: the row
-- gives run: number of the run of marked tokens
-- gives first_token: its first token, from 1
-- gives tokens: its length
-- gives text: the text without it
WITH words AS (
  SELECT $id AS row_id, unnest($tokens) AS token, unnest($student) AS s, unnest($teacher) AS t,
    unnest(range(1, CAST(cardinality($tokens) AS BIGINT) + 1)) AS place
  FROM input
), scaled AS (
  SELECT *, minmax_scale(t) OVER (PARTITION BY row_id) - minmax_scale(s) OVER (PARTITION BY row_id) AS raw FROM words
), differences AS (
  SELECT *, minmax_scale(raw) OVER (PARTITION BY row_id) AS delta FROM scaled
), ordered AS (
  SELECT *, row_number() OVER (PARTITION BY row_id ORDER BY delta, place) - 1 AS rank, count(*) OVER (PARTITION BY row_id) AS length
  FROM differences
), limits AS (
  SELECT row_id AS limit_id, least(min(delta) FILTER (WHERE rank = floor($quantile * length)), 0.5) AS most FROM ordered GROUP BY row_id
), marked AS (
  SELECT row_id, place, token, coalesce(delta <= most AND trim(token) <> '', false) AS marked
  FROM ordered JOIN limits ON row_id = limit_id
), starts AS (
  SELECT *, marked AND NOT coalesce(lag(marked) OVER (PARTITION BY row_id ORDER BY place), false) AS starts FROM marked
), numbered AS (
  SELECT *, sum(CASE WHEN starts THEN 1 ELSE 0 END) OVER (PARTITION BY row_id ORDER BY place) AS run FROM starts
), runs AS (
  SELECT row_id AS run_id, run AS run_number, min(place) AS first_token, count(*) AS tokens FROM numbered WHERE marked GROUP BY row_id, run
)
SELECT run_id AS id, run_number AS run, first_token, tokens,
  coalesce(string_agg(token, '' ORDER BY place) FILTER (WHERE place < first_token OR place >= first_token + tokens), '') AS text
FROM runs JOIN numbered ON run_id = row_id GROUP BY run_id, run_number, first_token, tokens
