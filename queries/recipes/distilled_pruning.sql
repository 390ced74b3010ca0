-- Distilling the knowledge in data pruning (2024): a random share, the probabilities of a teacher that saw all rows, and the weight of the
-- teacher: the student minimises (1 - alpha) * cross-entropy + alpha * tau^2 * divergence from the teacher. alpha should grow as the
-- share shrinks. The teacher is the mean of several networks; its margin on the label tells which kept rows may be mislabelled.
-- param id column: the row key; the job's id column by default
-- param vector column vector: the embedding, a list of floats
-- param label column label: the class, an integer from 0
-- param hidden number 64 in 0..: units of the teacher's hidden layer, 0 for none
-- param epochs number 30 in 1..: epochs of training
-- param runs number 5 in 1..: networks with a seed each
-- param fraction number 0.3 in 0..1: share of the rows to keep
-- param alpha number 0.9 in 0..1: weight of the teacher
-- param seed number 42: seed of the teacher and of the draw
WITH teacher AS (
  SELECT * FROM materialize((
    SELECT id AS row_id, vec_avg(probs) AS teacher_probs, min(label) AS class
    FROM fit_softmax(input, id => $id, vector => $vector, label => $label, hidden => $hidden, epochs => $epochs, runs => $runs, seed => $seed, log => 'last')
    GROUP BY id
  ))
)
SELECT input.*, teacher_probs, margin(teacher_probs, class) AS teacher_margin, CAST($alpha AS DOUBLE) AS alpha, chosen.keep
FROM recipe('random', teacher, id => row_id, fraction => $fraction, seed => $seed) AS chosen
JOIN input ON $id = chosen.row_id
