//! The reference of the relation operators.

use datafusion::logical_expr::{DocSection, Documentation};

use super::{
    connected_components, exact_dedup, fit_softmax, graph_filter, influence, materialize, minhash_dedup,
    multilinear_importance, spectral_clusters, vector_docs,
};

/// An operator as the reference shows it.
#[derive(Debug, Clone)]
pub struct OperatorDoc {
    /// The SQL name.
    pub name: &'static str,
    /// The same form as a function's.
    pub documentation: Documentation,
}

pub(super) const SECTION: DocSection = DocSection { include: true, label: "Relation Operators", description: None };

pub(super) const INPUT: &str = "The rows: `(SELECT ...)` or a table's name.";
pub(super) const ID: &str = "Column of the row key; `id` by default. NULL and repeated keys are errors.";
pub(super) const ORDER: &str = "Who survives: a list of columns such as `'quality DESC, date'`; the id decides ties. NULL and NaN come last in either \
direction, unless `NULLS FIRST` says otherwise. By default the id alone.";

const UNIT: &str = "What shingles are made of, and so what `similarity` sees; `docs/units.md` has the rules.\n\
\n  | unit | for | made of | case | marks and accents | symbols | spaces | canonically equivalent texts |\
\n  | --- | --- | --- | --- | --- | --- | --- | --- |\
\n  | `'word'` (default) | prose of every script | runs of letters, marks, numbers and `_`; one letter with its marks where a \
script puts no spaces between words | no | yes | no | no | equal |\
\n  | `'token'` | code, mathematics | those words, and every other visible symbol by itself | yes | yes | yes | no | equal |\
\n  | `'python_word'` | results of earlier versions and of tools in Python | matches of `\\w+` in the lower-cased text | no \
| composed ones only | no | no | differ |\
\n  | `'char'` | any text as it is | Unicode scalar values | yes | yes | yes | yes | differ |";

/// Every relation operator.
pub fn operators() -> Vec<OperatorDoc> {
    let mut all = vec![
        OperatorDoc {
            name: exact_dedup::plan::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Marks rows whose text is equal, byte for byte, to that of an earlier row. Keeps every row and adds `keep`, \
                 `duplicate_of` (id of the kept row), `similarity` (1 for a removed row) and `cluster_id` (smallest id among \
                 equal rows). NULL texts are nobody's duplicate. O(bytes) time; rows and texts spill.",
                "exact_dedup(relation, text => column, id => column, order_by => 'columns')",
            )
            .with_sql_example(
                r#"```sql
> SELECT id, keep, duplicate_of, cluster_id FROM exact_dedup((SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, 'a')) AS t(id, text))) ORDER BY id;
+----+-------+--------------+------------+
| id | keep  | duplicate_of | cluster_id |
+----+-------+--------------+------------+
| 1  | true  |              | 1          |
| 2  | true  |              | 2          |
| 3  | false | 1            | 1          |
+----+-------+--------------+------------+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("text", "Column compared; `text` by default.")
            .with_argument("id", ID)
            .with_argument("order_by", ORDER)
            .build(),
        },
        OperatorDoc {
            name: minhash_dedup::plan::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Marks rows whose text shares most of its shingles with an earlier kept row. MinHash and LSH banding propose \
                 pairs, the exact Jaccard similarity of the shingle sets decides: a row is removed if and only if an earlier \
                 kept row has at least `threshold`. Keeps every row and adds `keep`, `duplicate_of` (the first such row in \
                 survivor order), `similarity` (exact) and `cluster_id` (smallest id of the connected component of all verified \
                 pairs). `similarity` is what `unit` measures: 1 means the same words, and not that case, symbols or spaces are the \
                 same; `exact_dedup` compares bytes. A text of fewer units than `ngram` is compared as a whole; a text without \
                 any, such as an emoji by itself where the unit is words, equals only the same bytes; NULL is nobody's duplicate. Metrics: distinct_texts, candidate_pairs, verified_pairs, skipped_pairs, \
                 largest_bucket, spills.",
                "minhash_dedup(relation, text => column, id => column, threshold => 0.7, ngram => 5, unit => 'word', ...)",
            )
            .with_sql_example(
                r#"```sql
> SELECT id, keep, duplicate_of, similarity, cluster_id FROM minhash_dedup((SELECT * FROM (VALUES (1, 'the cat sat on the mat today'), (2, 'The cat sat on the mat, today!'), (3, 'the cat sat on the mat')) AS t(id, text)), threshold => 0.7, ngram => 2) ORDER BY id;
+----+-------+--------------+--------------------+------------+
| id | keep  | duplicate_of | similarity         | cluster_id |
+----+-------+--------------+--------------------+------------+
| 1  | true  |              |                    | 1          |
| 2  | false | 1            | 1.0                | 1          |
| 3  | false | 1            | 0.8333333333333334 | 1          |
+----+-------+--------------+--------------------+------------+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("text", "Column compared; `text` by default.")
            .with_argument("id", ID)
            .with_argument("order_by", ORDER)
            .with_argument("threshold", "Least similarity of a duplicate, 0.01 to 1; 0.7 by default.")
            .with_argument(
                "recall",
                "Least probability that a pair at the threshold is proposed; bands and rows follow from it. 0.99 by \
                 default (`limpid.recall`).",
            )
            .with_argument(
                "ngram",
                "Units in a shingle: by default 5 words, 10 tokens or 24 characters, which are about the same length of text.",
            )
            .with_argument("unit", UNIT)
            .with_argument(
                "linkage",
                "'direct': a row goes only for a kept row verified similar to it. 'transitive': one survivor a connected \
                 component, as other tools do; the stated similarity may then be below the threshold.",
            )
            .with_argument(
                "bucket_limit",
                "A row is compared with at most this many earlier rows of an LSH bucket; what that leaves out is counted and \
                 warned of. 1000 by default (`limpid.bucket_limit`).",
            )
            .with_argument("seed", "Seed of the permutations; 42 by default (`limpid.seed`).")
            .with_argument(
                "preset",
                "'fineweb', 'bigcode', 'slimpajama' or 'rpv2': normalisation, shingles, permutations, bands and threshold of \
                 that tool, signatures equal bit for bit; its candidates are verified like any other. Takes the place of \
                 `recall`, `ngram`, `unit` and `seed`; `threshold` may be given beside it. See `docs/presets.md`.",
            )
            .build(),
        },
        OperatorDoc {
            name: connected_components::plan::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Names the connected component of every edge: keeps every row and adds `component`, the smallest id that can \
                 be reached from its ends. Edges spill; memory is O(distinct ids).",
                "connected_components(relation, source => column, target => column)",
            )
            .with_sql_example(
                r#"```sql
> SELECT * FROM connected_components((SELECT * FROM (VALUES (5, 3), (3, 4), (8, 9)) AS t(source, target))) ORDER BY source;
+--------+--------+-----------+
| source | target | component |
+--------+--------+-----------+
| 3      | 4      | 3         |
| 5      | 3      | 3         |
| 8      | 9      | 8         |
+--------+--------+-----------+
```"#,
            )
            .with_argument("relation", "The edges: `(SELECT ...)` or a table's name.")
            .with_argument("source", "Column of one end; `source` by default.")
            .with_argument("target", "Column of the other end, of the same type; `target` by default.")
            .build(),
        },
        OperatorDoc {
            name: materialize::plan::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Yields the rows of the relation as they are. A CTE is otherwise computed wherever it is named; what stands in \
                 `materialize` is computed once a query, kept (in memory, spilling beyond) and read as often as it is named. Relations \
                 that hold an operator or an encoder and are needed in several places alike are shared without it; it \
                 helps where one place needs other columns or rows than another. On a cluster every stage computes its own.",
                "materialize(relation)",
            )
            .with_sql_example(
                r#"```sql
> WITH kept AS (SELECT * FROM materialize((SELECT * FROM exact_dedup((SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, 'a')) AS t(id, text))) WHERE keep)))
  SELECT id, text, rows_kept FROM kept CROSS JOIN (SELECT count(*) AS rows_kept FROM kept) ORDER BY id;
+----+------+-----------+
| id | text | rows_kept |
+----+------+-----------+
| 1  | a    | 2         |
| 2  | b    | 2         |
+----+------+-----------+
```"#,
            )
            .with_argument("relation", INPUT)
            .build(),
        },
        OperatorDoc {
            name: fit_softmax::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Trains a small classifier on vectors that stay as they are, and answers with the dynamics of its training: one \
                 row for every row, run and epoch, with `id`, `label`, `run` from 0, `step` (the epoch, from 1), `probs`, `logits` \
                 (without the bias), `h_sq` (the squared norm of the input of the last layer) and `w_norm` (the Frobenius norm of \
                 its weights). `el2n`, `grand`, `margin`, `forgetting_events` and `weight_delta` read it. Without a hidden layer \
                 it is multinomial logistic regression. Stochastic gradient descent with momentum, in an order that depends on \
                 the seed, the run, the epoch and the ids: partitions and threads change nothing. O(runs * epochs * rows * \
                 weights); vectors go to disk where memory does not hold them, and runs are spread over threads. Rows without a \
                 label, or outside `train`, are predicted but not learned from. Labels are integers from 0, or texts, which are numbered in the \
                 order of their bytes. NULL ids and vectors, NaN, vectors of different \
                 length and ids that come twice are errors.",
                "fit_softmax(relation, vector => column, label => column, runs => 1, epochs => 10)",
            )
            .with_sql_example(
                r#"```sql
> SELECT id, step, round(el2n(probs, label), 4) AS el2n FROM fit_softmax(
    (SELECT * FROM (VALUES (1, [1.0, 0.0], 0), (2, [0.0, 1.0], 1), (3, [0.9, 0.1], 1)) AS t(id, vector, label)),
    epochs => 2, log => 'last') ORDER BY id;
+----+------+--------+
| id | step | el2n   |
+----+------+--------+
| 1  | 2    | 0.7367 |
| 2  | 2    | 0.6368 |
| 3  | 2    | 0.6734 |
+----+------+--------+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("id", "Column of the row key; `id` by default.")
            .with_argument("vector", "Column of lists of floats, `vector` by default; values of about 1 suit the learning rate.")
            .with_argument("label", "Column of the true class: integers from 0, or texts; `label` by default.")
            .with_argument("train", "Boolean column: which rows are learned from; all by default.")
            .with_argument("hidden", "Units of a hidden ReLU layer; 0, the default, for none.")
            .with_argument("runs", "Networks, each with a seed of its own; 1 by default.")
            .with_argument("epochs", "Passes over the rows; 10 by default.")
            .with_argument("batch", "Rows of a step; 64 by default.")
            .with_argument("learning_rate", "0.1 by default.")
            .with_argument("momentum", "0.9 by default.")
            .with_argument("l2", "Weight of half the squared norm of the weights, 0 by default; biases are free.")
            .with_argument("seed", "Seed of all that is random; 42 by default (`limpid.seed`).")
            .with_argument("log", "`'every'` epoch (the default) or only the `'last'`.")
            .build(),
        },
        OperatorDoc {
            name: influence::INFLUENCE,
            documentation: Documentation::builder(
                SECTION,
                "What leaving a training row out would do to the mean loss on the target rows: the influence function of \
                 multinomial logistic regression without a bias (Koh and Liang, Understanding black-box predictions via \
                 influence functions, 2017). Positive: the loss would rise, the row helps; the most negative rows are the likeliest \
                 to be mislabelled. The regression is fitted to its optimum, `H s = v` is solved once for the mean target gradient \
                 `v`, and each row costs one product, `s . g / rows`. Answers with `id` and `influence` of the rows that are not \
                 targets. Without `target` the training rows are their own target, of which the log warns: at the optimum that \
                 measures alignment with the weights. O(passes * rows * classes * dimensions), some hundred passes; vectors go to \
                 disk where memory does not hold them. Results do not depend on partitions or threads.",
                "influence(relation, vector => column, label => column, target => column, l2 => 0.01)",
            )
            .with_sql_example(
                r#"```sql
> SELECT id, round(influence, 4) AS influence FROM influence(
    (SELECT * FROM (VALUES (1, [1.0, 0.1], 0, false), (2, [0.1, 1.0], 1, false), (3, [0.9, 0.2], 1, false),
      (4, [1.0, 0.0], 0, true), (5, [0.0, 1.0], 1, true)) AS t(id, vector, label, valid)),
    target => valid) ORDER BY id;
+----+-----------+
| id | influence |
+----+-----------+
| 1  | 0.1706    |
| 2  | 0.0145    |
| 3  | -0.115    |
+----+-----------+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("id", "Column of the row key; `id` by default.")
            .with_argument("vector", "Column of lists of floats; `vector` by default. A constant 1 among them acts as a bias.")
            .with_argument("label", "Column of the true class: integers from 0, or texts; `label` by default. NULL is an error.")
            .with_argument("target", "Boolean column: true for the validation rows whose loss matters.")
            .with_argument("l2", "Weight of half the squared norm of the weights; 0.01 by default, above 0.")
            .with_argument(
                "solver",
                "`'cg'`, conjugate gradients, by default. `'lissa'` is the stochastic recursion of some recommenders, for \
                 comparison: its result is that of a ridge of `damp * scale`, which is large by default.",
            )
            .with_argument("depth", "LiSSA: rows visited; 5000 by default.")
            .with_argument("damp", "LiSSA: 0.01 by default.")
            .with_argument("scale", "LiSSA: 25 by default; too small a scale diverges, which is an error.")
            .with_argument("seed", "LiSSA: seed of the choice of rows; 42 by default (`limpid.seed`).")
            .build(),
        },
        OperatorDoc {
            name: influence::INVERSE_HVP,
            documentation: Documentation::builder(
                SECTION,
                "The vector behind `influence`: for every `class` a row of `inverse_hvp`, which is `H^-1 v` for the mean gradient \
                 `v` of the target rows, and of the fitted `weights`. The influence of any row, seen or not, is then the sum over \
                 classes of `(p - y) * (inverse_hvp . x)`, divided by the number of training rows. The arguments are those of \
                 `influence`.",
                "inverse_hvp(relation, vector => column, label => column, target => column, l2 => 0.01)",
            )
            .with_sql_example(
                r#"```sql
> SELECT class, array_length(inverse_hvp) AS length, round(inverse_hvp[1], 4) AS first FROM inverse_hvp(
    (SELECT * FROM (VALUES (1, [1.0, 0.1], 0, false), (2, [0.1, 1.0], 1, false), (3, [1.0, 0.0], 0, true))
      AS t(id, vector, label, valid)), target => valid) ORDER BY class;
+-------+--------+---------+
| class | length | first   |
+-------+--------+---------+
| 0     | 2      | -0.5945 |
| 1     | 2      | 0.5945  |
+-------+--------+---------+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("target", "As all other arguments, that of `influence`.")
            .build(),
        },
        OperatorDoc {
            name: graph_filter::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Walks rows from the highest score down and keeps those whose concepts agree with what was kept (the conflict \
                 filter of PASER, 2025). A row goes if two of its concepts are both known and not linked; one that stays makes its \
                 concepts known and links each with each. Equal scores are taken in the order of ids, rows without a score last; \
                 NULL concepts are none. Answers with `id`, `keep` and `reason`. O(rows log rows + pairs of concepts); ids, \
                 concepts and links are held in memory. A NaN score, NULL among concepts and ids that come twice are errors.",
                "graph_filter(relation, id => column, score => column, concepts => column)",
            )
            .with_sql_example(
                r#"```sql
> SELECT * FROM graph_filter((SELECT * FROM (VALUES (1, 0.9, ['rust', 'sql']), (2, 0.8, ['tea', 'milk']),
    (3, 0.7, ['sql', 'tea']), (4, 0.6, ['sql', 'rust', 'gas'])) AS t(id, score, concepts))) ORDER BY id;
+----+-------+------------------------------------------+
| id | keep  | reason                                   |
+----+-------+------------------------------------------+
| 1  | true  |                                          |
| 2  | true  |                                          |
| 3  | false | 'sql' and 'tea' are known and not linked |
| 4  | true  |                                          |
+----+-------+------------------------------------------+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("id", "Column of the row key; `id` by default.")
            .with_argument("score", "Number column; `score` by default.")
            .with_argument("concepts", "Column of lists of texts; `concepts` by default.")
            .build(),
        },
        OperatorDoc {
            name: spectral_clusters::NAME,
            documentation: Documentation::builder(
                SECTION,
                "Clusters of rows that hang together, of any shape: k-means on the leading eigenvectors of the normalised Gaussian \
                 affinity between vectors (Ng, Jordan and Weiss 2001), which the Nystrom method approximates from the affinities to \
                 `landmarks` rows (Fowlkes et al. 2004); with as many landmarks as rows it is exact. Answers with `id` and \
                 `cluster_id`, numbered from 0 in the order of ids; there may be fewer than `k`. Instruction clusters of PASER (2025), \
                 which factorises the same eigenvectors instead. O(rows * landmarks * (dimensions + landmarks) + landmarks^3); \
                 `k` numbers a row are held in memory, vectors spill. The result does not depend on partitions or threads. NULL \
                 vectors, values that are not finite and ids that come twice are errors.",
                "spectral_clusters(relation, id => column, vector => column, k => 10, landmarks => 200, sigma => 0)",
            )
            .with_sql_example(
                r#"```sql
> SELECT * FROM spectral_clusters((SELECT * FROM (VALUES (1, [0.0, 0.1]), (2, [9.0, 9.1]), (3, [0.1, 0.0]),
    (4, [9.1, 9.0])) AS t(id, vector)), k => 2, sigma => 1) ORDER BY id;
+----+------------+
| id | cluster_id |
+----+------------+
| 1  | 0          |
| 2  | 1          |
| 3  | 0          |
| 4  | 1          |
+----+------------+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("id", ID)
            .with_argument("vector", "Column of vectors: lists of floats of one length; `vector` by default.")
            .with_argument("k", "Clusters, 1 to 1000.")
            .with_argument("landmarks", "Rows to which affinities are computed, 1 to 5000, drawn by the hash of their ids; 200 by default.")
            .with_argument("sigma", "Width of the affinity exp(-d^2 / (2 sigma^2)); 0, the default, takes the median distance between landmarks.")
            .with_argument("seed", "Seed of the draw; 42 by default (`limpid.seed`).")
            .build(),
        },
        OperatorDoc {
            name: multilinear_importance::NAME,
            documentation: Documentation::builder(
                SECTION,
                "What each source of a retrieval corpus is worth, from a log of retrieved results and of how useful each was (Lyu \
                 et al., Improving retrieval-augmented large language models via data importance learning, 2023). Every source is \
                 there with a probability of its own; the utility of a query is the sum of the utilities of its first `k` results \
                 that are there, divided by `k`. Projected gradient ascent on its expectation, by an exact dynamic program, moves \
                 each probability from 0.5 towards 0 or 1. Answers with a row a source: the source, its group where one is named, \
                 and `importance` from 0 to 1; prune below a threshold chosen on other queries. With `group` all sources of a \
                 group share one importance. O(steps * results * k); 24 bytes a result are held in memory. Results do not depend \
                 on partitions or threads. NULL, a utility that is not finite, a rank that comes twice in a query and a source in \
                 two groups are errors.",
                "multilinear_importance(relation, query => column, rank => column, source => column, utility => column)",
            )
            .with_sql_example(
                r#"```sql
> SELECT source_id, importance FROM multilinear_importance(
    (SELECT * FROM (VALUES (1, 1, 'spam.example', 0.0), (1, 2, 'good.example', 1.0), (2, 1, 'spam.example', 0.0),
      (2, 2, 'good.example', 1.0)) AS t(query_id, rank, source_id, utility)),
    k => 1, learning_rate => 1, steps => 20) ORDER BY source_id;
+--------------+------------+
| source_id    | importance |
+--------------+------------+
| good.example | 1.0        |
| spam.example | 0.0        |
+--------------+------------+
```"#,
            )
            .with_argument("relation", INPUT)
            .with_argument("query", "Column that names the query; `query_id` by default.")
            .with_argument("rank", "Integer column, the place of the result; `rank` by default.")
            .with_argument("source", "Column that names what the result comes from; `source_id` by default.")
            .with_argument("utility", "Number column, 1 for a right answer, say; `utility` by default.")
            .with_argument("group", "Column that names the group of the source, such as its domain.")
            .with_argument("k", "Results of a query that count; 10 by default.")
            .with_argument("learning_rate", "Of the mean over queries; 500 by default.")
            .with_argument("steps", "Steps of ascent; 50 by default.")
            .build(),
        },
    ];
    all.extend(vector_docs::operators());
    all.push(super::embed::documentation::documentation());
    all
}
