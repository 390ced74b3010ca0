-- Near duplicates: candidates by MinHash and locality-sensitive hashing (Broder 1997; Leskovec, Rajaraman, Ullman,
-- Mining of Massive Datasets, chapter 3), each verified by the exact Jaccard similarity of its shingles.
-- param text column: the text compared; the job's text column by default
-- param id column: the row key; the job's id column by default
-- param order_by text '': columns that decide which copy stays, such as 'quality DESC'; the first by id otherwise
-- param threshold number 0.7: least Jaccard similarity of a duplicate
-- param recall number 0.99: least probability with which a pair at the threshold is found
-- param ngram number 5: units in a shingle
-- param unit text word in word|token|python_word|char: what a shingle is made of: word (prose), token (code), python_word or char
-- adds keep: whether the row stays
-- adds duplicate_of: the row that stays in its place
-- adds similarity: to that row
-- adds cluster_id: the smallest id among rows that are duplicates of each other
SELECT * FROM minhash_dedup(
  input, text => $text, id => $id, order_by => $order_by, threshold => $threshold, recall => $recall, ngram => $ngram, unit => $unit
)
