-- Variance of gradients: keep the rows whose input gradient changes most over training, scaled in each class (Agarwal, D'souza
-- and Hooker 2022). The input has a row for every id and checkpoint; the answer a row for every id.
-- param id column: the row key; the job's id column by default
-- param label column label: the class
-- param gradient column gradient: gradient of the true class's logit by the input, a list of floats
-- param fraction number 0.5 in 0..1: share of the rows to keep
-- param seed number 42: seed of ties
-- gives score: variance of the gradients, scaled in the class
-- gives keep: whether the row stays
SELECT * FROM recipe('score_top', (
  SELECT $id, $label, zscore(vog) OVER (PARTITION BY $label) AS score
  FROM (SELECT $id, $label, array_avg(vec_spread($gradient)) AS vog FROM input GROUP BY $id, $label)
), id => $id, fraction => $fraction, seed => $seed)
