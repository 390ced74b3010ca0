//! Arguments and reference entry of `minhash_dedup`.

use crate::operators::frame::argument::{Argument, Default, Kind};
use crate::operators::frame::documentation::{Reference, id, seed, survivors};

const UNIT: &str = "What shingles are made of, and so what `similarity` sees; `docs/units.md` has the rules.\n\
\n  | unit | for | made of | case | marks and accents | symbols | spaces | canonically equivalent texts |\
\n  | --- | --- | --- | --- | --- | --- | --- | --- |\
\n  | `'word'` (default) | prose of every script | runs of letters, marks, numbers and `_`; one letter with its marks where a \
script puts no spaces between words | no | yes | no | no | equal |\
\n  | `'token'` | code, mathematics | those words, and every other visible symbol by itself | yes | yes | yes | no | equal |\
\n  | `'python_word'` | results of earlier versions and of tools in Python | matches of `\\w+` in the lower-cased text | no \
| composed ones only | no | no | differ |\
\n  | `'char'` | any text as it is | Unicode scalar values | yes | yes | yes | yes | differ |";

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] = &[
    Argument::column("text", "text", "The text to compare."),
    id(),
    survivors(),
    Argument::number("threshold", 0.01, 1.0, Default::Computed("0.7, or that of the preset"), "The least similarity of a duplicate."),
    Argument::number("recall", 0.01, 0.999_999, Default::Computed("`limpid.recall`, 0.99"), "The least probability that a pair at the threshold is proposed. The number of bands and rows follows from it."),
    Argument::integer("ngram", 1, 1000, Default::Computed("5 words, 10 tokens or 24 characters"), "Units in a shingle."),
    Argument { kind: Kind::Word(&["word", "token", "python_word", "char"]), ..Argument::word("unit", &["word"], UNIT) },
    Argument::word("linkage", &["direct", "transitive"], "'direct' removes a row only for a kept row that is similar enough. 'transitive' keeps one row per connected component, as other tools do; the similarity shown can then be below the threshold."),
    Argument::integer("bucket_limit", 1, u32::MAX as u64, Default::Computed("`limpid.bucket_limit`, 1000"), "How many earlier rows of an LSH bucket a row is compared with. Pairs beyond that are counted and reported in a warning."),
    seed("The seed of the permutations."),
    Argument::word("preset", &["fineweb", "bigcode", "slimpajama", "rpv2"], "Normalisation, shingles, permutations, bands and threshold of that tool, with signatures that are equal bit for bit. Candidates are verified like any others. It replaces `recall`, `ngram`, `unit` and `seed`; `threshold` can be given too. See `docs/presets.md`.").or(Default::Absent),
];

/// The entry in the SQL reference.
pub(super) const REFERENCE: Reference = Reference {
    summary: "Marks rows whose text shares most of its shingles with an earlier kept row.",
    details: "MinHash and LSH banding propose pairs; the exact Jaccard similarity of the shingle sets decides. A row \
              is removed if and only if an earlier kept row has a similarity of at least `threshold`. Every row is \
              kept in the result.\n\n\
              `similarity` is what `unit` measures: 1 means the same shingles, not the same case, symbols or spaces. \
              `exact_dedup` compares bytes. A text with fewer units than `ngram` is compared as a whole. A text \
              without any unit, such as a single emoji where the unit is words, equals only the same bytes. A NULL \
              text duplicates nothing.\n\n\
              Metrics: `distinct_texts`, `candidate_pairs`, `verified_pairs`, `skipped_pairs`, `largest_bucket` and \
              the counters of spilling.",
    columns: &[
        ("keep", "Whether the row survives."),
        ("duplicate_of", "For a removed row, the id of the first kept row in survivor order that is similar enough."),
        ("similarity", "The exact similarity of the two rows."),
        ("cluster_id", "The smallest id of the connected component of all verified pairs."),
    ],
    errors: "NULL and repeated ids; a threshold and recall that need more than 4096 hashes per text.",
    cost: "Time is linear in the bytes of text, plus one comparison per candidate pair. Rows, shingle sets and \
             sketches spill to disk; 4 bytes per distinct text stay in memory.",
    source: "Broder, On the resemblance and containment of documents, 1997; Leskovec, Rajaraman and Ullman, Mining of \
             Massive Datasets, chapter 3.",
    example: r#"> SELECT id, keep, duplicate_of, similarity, cluster_id FROM minhash_dedup((SELECT * FROM (VALUES (1, 'the cat sat on the mat today'), (2, 'The cat sat on the mat, today!'), (3, 'the cat sat on the mat')) AS t(id, text)), threshold => 0.7, ngram => 2) ORDER BY id;
+----+-------+--------------+--------------------+------------+
| id | keep  | duplicate_of | similarity         | cluster_id |
+----+-------+--------------+--------------------+------------+
| 1  | true  |              |                    | 1          |
| 2  | false | 1            | 1.0                | 1          |
| 3  | false | 1            | 0.8333333333333334 | 1          |
+----+-------+--------------+--------------------+------------+"#,
    ..Reference::EMPTY
};
