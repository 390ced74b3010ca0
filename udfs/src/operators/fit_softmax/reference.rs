//! Arguments and reference entry of `fit_softmax`.

use crate::operators::frame::argument::{Argument, Default};
use crate::operators::frame::documentation::{Reference, any_seed, id, vector};

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] = &[
    id(),
    vector("Values of about 1 suit the learning rate.").once_by_default("vector"),
    Argument::column("label", "label", "The true class: integers from 0, or texts."),
    Argument::optional_column("train", "Boolean: which rows are learned from. Without it, all of them."),
    Argument::integer("hidden", 0, 16_384, Default::Integer(0), "Units of a hidden ReLU layer; 0 for none."),
    Argument::integer("epochs", 1, 100_000, Default::Integer(10), "Passes over the rows."),
    Argument::integer("runs", 1, 10_000, Default::Integer(1), "Networks, each with a seed of its own."),
    Argument::integer("batch", 1, 1_000_000, Default::Integer(64), "Rows per step."),
    Argument::number("learning_rate", 1e-9, 1e6, Default::Number(0.1), "The learning rate."),
    Argument::number("momentum", 0.0, 0.9999, Default::Number(0.9), "The momentum."),
    Argument::number(
        "l2",
        0.0,
        1e6,
        Default::Number(0.0),
        "The weight of half the squared norm of the weights; biases are free.",
    ),
    any_seed("The seed of everything that is random."),
    Argument::word("log", &["every", "last"], "Whether every epoch is logged, or only the last."),
];

/// The entry in the SQL reference.
pub(super) const REFERENCE: Reference = Reference {
    summary: "Trains a small classifier on fixed vectors and returns a log of what it predicted while it learned.",
    details: "The result has one row per input row, run and epoch. `el2n`, `grand`, `margin`, `forgetting_events` and \
              `weight_delta` read it. Without a hidden layer the classifier is multinomial logistic regression. \
              Training is stochastic gradient descent with momentum, in an order that depends on the seed, the run, \
              the epoch and the ids, so partitions and threads change nothing. Rows without a label, or outside \
              `train`, are predicted but not learned from.",
    columns: &[
        ("id", "The id of the row."),
        ("label", "Its true class. Text labels are numbered in the order of their bytes."),
        ("run", "The network, from 0."),
        ("step", "The epoch, from 1."),
        ("probs", "The predicted probability of each class."),
        ("logits", "The logits, without the bias."),
        ("h_sq", "The squared norm of the input of the last layer."),
        ("w_norm", "The Frobenius norm of the weights of the last layer."),
    ],
    errors: "NULL and repeated ids; NULL vectors, NaN, and vectors of different lengths; no label to learn from.",
    cost: "Time is O(runs x epochs x rows x weights), spread over threads by run. Vectors go to disk where memory \
             does not hold them.",
    example: r#"> SELECT id, step, round(el2n(probs, label), 4) AS el2n FROM fit_softmax(
    (SELECT * FROM (VALUES (1, [1.0, 0.0], 0), (2, [0.0, 1.0], 1), (3, [0.9, 0.1], 1)) AS t(id, vector, label)),
    epochs => 2, log => 'last') ORDER BY id;
+----+------+--------+
| id | step | el2n   |
+----+------+--------+
| 1  | 2    | 0.7367 |
| 2  | 2    | 0.6368 |
| 3  | 2    | 0.6734 |
+----+------+--------+"#,
    ..Reference::EMPTY
};
