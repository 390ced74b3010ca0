//! Arguments and reference entry of `influence` and `inverse_hvp`.

use crate::operators::frame::argument::{Argument, Default};
use crate::operators::frame::documentation::{Reference, any_seed, id, vector};

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] = &[
    id(),
    vector("A constant 1 among its values acts as a bias.").once_by_default("vector"),
    Argument::column("label", "label", "The true class: integers from 0, or texts."),
    Argument::optional_column(
        "target",
        "Boolean: TRUE for the validation rows whose loss matters. Without it the training rows are their own target, which at the optimum measures alignment with the weights; a warning says so.",
    ),
    Argument::number("l2", 1e-12, 1e6, Default::Number(0.01), "The weight of half the squared norm of the weights."),
    Argument::word(
        "solver",
        &["cg", "lissa"],
        "'cg' is conjugate gradients. 'lissa' is the stochastic recursion of some recommenders, for comparison: its result is that of a ridge of `damp * scale`, which is large by default.",
    ),
    Argument::integer("depth", 1, 100_000_000, Default::Integer(5000), "For 'lissa': rows visited."),
    Argument::number("damp", 0.0, 1.0, Default::Number(0.01), "For 'lissa': the damping."),
    Argument::number(
        "scale",
        1e-6,
        1e9,
        Default::Number(25.0),
        "For 'lissa': the scale. The recursion diverges, which is an error, where it is too small.",
    ),
    any_seed("For 'lissa': the seed of the choice of rows."),
];

/// The entry of `influence` in the SQL reference.
pub(super) const INFLUENCE: Reference = Reference {
    summary: "Estimates how the mean loss on the target rows would change if a training row were left out.",
    details: "A positive influence means that the loss would rise: the row helps. The rows with the most negative \
              influence are the likeliest to be mislabelled. It is the influence function of multinomial logistic \
              regression without a bias. The regression is fitted to its optimum, `H s = v` is solved once for the \
              mean target gradient `v`, and each row then costs one product, `s . g / rows`. Results do not depend on \
              partitions or threads.",
    columns: &[
        ("id", "The id of the row, for every row that is no target."),
        ("influence", "The change of the mean loss on the target rows."),
    ],
    errors: "NULL labels; NULL and repeated ids; NULL vectors, NaN, and vectors of different lengths; no training row \
             or no target row; a recursion that diverges.",
    cost: "Time is O(passes x rows x classes x dimensions), with some hundred passes. Vectors go to disk where \
             memory does not hold them.",
    source: "Koh and Liang, Understanding black-box predictions via influence functions, 2017.",
    example: r#"> SELECT id, round(influence, 4) AS influence FROM influence(
    (SELECT * FROM (VALUES (1, [1.0, 0.1], 0, false), (2, [0.1, 1.0], 1, false), (3, [0.9, 0.2], 1, false),
      (4, [1.0, 0.0], 0, true), (5, [0.0, 1.0], 1, true)) AS t(id, vector, label, valid)),
    target => valid) ORDER BY id;
+----+-----------+
| id | influence |
+----+-----------+
| 1  | 0.1706    |
| 2  | 0.0145    |
| 3  | -0.115    |
+----+-----------+"#,
    ..Reference::EMPTY
};

/// The entry of `inverse_hvp` in the SQL reference.
pub(super) const INVERSE_HVP: Reference = Reference {
    summary: "Returns the vector behind `influence`, one row per class.",
    details: "The influence of any row, seen or not, is the sum over classes of `(p - y) * (inverse_hvp . x)`, \
              divided by the number of training rows.",
    columns: &[
        ("class", "The class, from 0."),
        ("inverse_hvp", "`H^-1 v` for the mean gradient `v` of the target rows."),
        ("weights", "The fitted weights."),
    ],
    errors: "Those of `influence`.",
    cost: "That of `influence`.",
    source: "Koh and Liang, Understanding black-box predictions via influence functions, 2017.",
    example: r#"> SELECT class, array_length(inverse_hvp) AS length, round(inverse_hvp[1], 4) AS first FROM inverse_hvp(
    (SELECT * FROM (VALUES (1, [1.0, 0.1], 0, false), (2, [0.1, 1.0], 1, false), (3, [1.0, 0.0], 0, true))
      AS t(id, vector, label, valid)), target => valid) ORDER BY class;
+-------+--------+---------+
| class | length | first   |
+-------+--------+---------+
| 0     | 2      | -0.5945 |
| 1     | 2      | 0.5945  |
+-------+--------+---------+"#,
    ..Reference::EMPTY
};
