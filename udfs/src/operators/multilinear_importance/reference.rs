//! Arguments and reference entry of `multilinear_importance`.

use crate::operators::frame::argument::{Argument, Default};
use crate::operators::frame::documentation::Reference;

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] = &[
    Argument::column("query", "query_id", "Names the query."),
    Argument::column("rank", "rank", "An integer: the place of the result."),
    Argument::column("source", "source_id", "Names what the result comes from."),
    Argument::column("utility", "utility", "A number, such as 1 for a right answer."),
    Argument::optional_column("group", "Names the group of the source, such as its domain."),
    Argument::integer("k", 1, 1000, Default::Integer(10), "Results per query that count."),
    Argument::number(
        "learning_rate",
        1e-9,
        1e9,
        Default::Number(500.0),
        "The learning rate, of the mean over queries.",
    ),
    Argument::integer("steps", 1, 100_000, Default::Integer(50), "Steps of ascent."),
];

/// The entry in the SQL reference.
pub(super) const REFERENCE: Reference = Reference {
    summary: "Learns what each source of a retrieval corpus is worth, from a log of retrieved results and their \
              utility.",
    details: "Every source is present with a probability of its own. The utility of a query is the sum of the \
              utilities of its first `k` results that are present, divided by `k`. Projected gradient ascent on the \
              expected utility, computed by an exact dynamic program, moves each probability from 0.5 towards 0 or 1. \
              Prune below a threshold that is chosen on other queries. With `group` all sources of a group share one \
              importance. Results do not depend on partitions or threads.",
    columns: &[
        ("source", "The source, under the name of its column."),
        ("group", "Its group, if one is named, under the name of its column."),
        ("importance", "From 0 to 1."),
    ],
    errors: "NULL; a utility that is not finite; a rank that comes twice in a query; a source in two groups.",
    cost: "Time is O(steps x results x k). 24 bytes per result are held in memory.",
    source: "Lyu et al., Improving retrieval-augmented large language models via data importance learning, 2023.",
    example: r#"> SELECT source_id, importance FROM multilinear_importance(
    (SELECT * FROM (VALUES (1, 1, 'spam.example', 0.0), (1, 2, 'good.example', 1.0), (2, 1, 'spam.example', 0.0),
      (2, 2, 'good.example', 1.0)) AS t(query_id, rank, source_id, utility)),
    k => 1, learning_rate => 1, steps => 20) ORDER BY source_id;
+--------------+------------+
| source_id    | importance |
+--------------+------------+
| good.example | 1.0        |
| spam.example | 0.0        |
+--------------+------------+"#,
    ..Reference::EMPTY
};
