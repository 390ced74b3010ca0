-- Distilling the knowledge in data pruning (2024): a random share, the probabilities of a teacher that saw all rows, and the weight of the
-- teacher: the student minimises (1 - alpha) * cross-entropy + alpha * tau^2 * divergence from the teacher. alpha should grow as the
-- share shrinks. The teacher is the mean of several networks; its margin on the label tells which kept rows may be mislabelled.
-- param id column in unique: the row key; the job's id column by default
-- param vector column embedding: the embedding, a list of floats
-- param label column label in classes: the class, an integer from 0 or text
-- param hidden number 64 in 0..: units of the teacher's hidden layer, 0 for none
-- param epochs number 30 in 1..: epochs of training
-- param runs number 5 in 1..: networks with a seed each
-- param fraction number 0.3 in 0..1: share of the rows to keep
-- param alpha number 0.9 in 0..1: weight of the teacher
-- param seed number 42: seed of the teacher and of the draw
-- param log relation fit_softmax(input, id => $id, vector => $vector, label => $label, hidden => $hidden, epochs => $epochs, runs => $runs, seed => $seed, log => 'last'): a training log of your own, with id, label, probs: a path, a table or a query; by default that of a probe
-- adds teacher_probs: probabilities of the classes by the teacher
-- adds teacher_margin: its margin on the label
-- adds alpha: weight of the teacher
-- adds keep: whether the row stays
WITH teacher AS (
  SELECT * FROM materialize((
    SELECT id AS scored, vec_avg(probs) AS teacher_probs, min(label) AS class
    FROM $log
    GROUP BY id
  ))
), answers AS (
  SELECT input.$id AS row_key, teacher.teacher_probs, teacher.class FROM teacher RIGHT JOIN input ON input.$id = teacher.scored
)
SELECT input.*, chosen.teacher_probs, margin(chosen.teacher_probs, chosen.class) AS teacher_margin, CAST($alpha AS DOUBLE) AS alpha, chosen.keep
FROM recipe('random', answers, id => row_key, fraction => $fraction, seed => $seed) AS chosen
JOIN input ON input.$id = chosen.row_key
