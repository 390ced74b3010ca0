-- Exact duplicates: of rows with the same text the first one stays.
-- param text column: the text compared; the job's text column by default
-- param id column: the row key; the job's id column by default
-- param order_by text '': columns that decide which copy stays, such as 'quality DESC'; the first by id otherwise
-- adds keep: whether the row stays
-- adds duplicate_of: the row that stays in its place
-- adds similarity: to that row
-- adds cluster_id: the smallest id among rows that are duplicates of each other
SELECT * FROM exact_dedup(input, text => $text, id => $id, order_by => $order_by)
