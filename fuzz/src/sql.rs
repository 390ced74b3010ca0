//! SQL, and the arguments of everything that limpid adds to it.

use std::sync::LazyLock;

use limpid::docs::entries;

use crate::engine;

pub(crate) const OPERATOR_ARGUMENTS: &[&str] = &[
    "exact_dedup t, text => text, id => id, order_by => 'score DESC'",
    "minhash_dedup t, threshold => 0.7, ngram => 2, unit => 'char', recall => 0.9, seed => 7",
    "semantic_dedup (SELECT id, embedding FROM t), threshold => 0.9",
    "kmeans t, k => 2, seed => 1",
    "nearest_neighbors t, k => 2",
    "farthest_first t, budget => 2",
    "concept_clusters t, k => 2, text => text",
    "connected_components (SELECT id AS a, id AS b FROM t), a => a, b => b",
    "allocate_budget (SELECT label, count(*) AS n FROM t GROUP BY 1), budget => 3",
    "max_prior_similarity t, order_by => 'score'",
    "fit_softmax t, label => label",
    "recipe 'ccs', t, fraction => 0.5",
    "read_csv '', delimiter => ';', header => true, types => {'a': 'BIGINT'}",
    "read_json '', format => 'lines', columns => 'a BIGINT', on_error => 'null'",
];

pub(crate) const FUNCTION_ARGUMENTS: &[&str] = &[
    "normalize_text text, 'lower,nfkc'",
    "word_shingles text, 3, 'token'",
    "minhash ['a', 'b'], 16, 1",
    "lsh_bands minhash(['a'], 16), 4",
    "cosine_similarity embedding, [1.0, 2.0]",
    "random_projection embedding, 4, 7",
    "width_bucket score, 0, 1, 5",
    "softmax [1.0, NULL, 'NaN']",
    "list_topk_mask [3, 1, 2], 2",
    "sample_key id, score, 7",
    "vec_avg embedding",
    "zscore score) OVER (PARTITION BY label",
    "topsis_stats embedding",
    "answer_match text, '4.0'",
    "span_runs [true, false], 2",
];

/// Names of what is called with arguments.
static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| entries().into_iter().map(|entry| entry.name).collect());

/// Statements, planned only: they could write files.
pub(crate) fn statements(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    for statement in text.split("\n\n").filter(|statement| names_no_folder(statement)) {
        // Tests of statements begin with what they expect, and end with the answer.
        let body = statement.split("\n----").next().unwrap_or_default();
        let body =
            body.split_once('\n').filter(|(first, _)| first.starts_with("query ") || first.starts_with("statement "));
        engine::plan(body.map_or(statement, |(_, sql)| sql));
    }
}

/// `name arguments`: an operator or reader over the table `t`.
pub(crate) fn operator_arguments(bytes: &[u8]) {
    if let Some((name, arguments)) = call(bytes) {
        engine::run(&format!("SELECT * FROM {name}({arguments})"));
    }
}

/// `name arguments`: a function over the rows of `t`.
pub(crate) fn function_arguments(bytes: &[u8]) {
    if let Some((name, arguments)) = call(bytes) {
        engine::run(&format!("SELECT {name}({arguments}) FROM t"));
    }
}

/// A name that limpid adds, and the text of arguments.
fn call(bytes: &[u8]) -> Option<(&str, &str)> {
    let (name, arguments) = str::from_utf8(bytes).ok()?.split_once(' ')?;
    (NAMES.iter().any(|known| known == name) && names_no_folder(arguments)).then_some((name, arguments))
}

/// Whether a text can name no folder but the current one, so that no input reads the machine.
fn names_no_folder(text: &str) -> bool {
    !text.contains(['/', '\\', '~']) && !text.contains("..") && !text.contains("**")
}
