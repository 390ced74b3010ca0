//! Arguments and reference entry of `allocate_budget`.

use crate::operators::frame::argument::{Argument, Default, Kind};
use crate::operators::frame::documentation::Reference;

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] = &[
    Argument {
        kind: Kind::ColumnOrInteger,
        ..Argument::integer(
            "budget",
            0,
            i64::MAX as u64,
            Default::Required,
            "Rows to divide: a number, or a column with the same number in all rows.",
        )
    },
    Argument::column("group", "group", "The key of the group."),
    Argument::column("size", "size", "The rows that the group has."),
    Argument::optional_column("weight", "Weights, at least 0. Without it, 'proportional' takes the size."),
    Argument {
        kind: Kind::Word(&["equal", "proportional", "projection"]),
        ..Argument::word(
            "method",
            &["proportional"],
            "'equal' shares as evenly as the sizes allow, smallest groups first. 'proportional' shares in proportion to the weights; what a full group leaves goes to the others in proportion, and groups of weight 0 share evenly what those with weight cannot take. 'projection' is the allocation nearest to the proportional one in squares: the same step from each target.",
        )
    },
    Argument::integer(
        "floor",
        0,
        i64::MAX as u64,
        Default::Integer(0),
        "Rows that each group keeps at least, as far as it has them.",
    ),
    Argument::number(
        "floor_ratio",
        0.0,
        1.0,
        Default::Number(0.0),
        "The same as a part of an even share. The larger of the two counts.",
    ),
    Argument::word("rounding", &["largest_remainder", "floor"], "'floor' rounds down and does not spend the rest."),
];

/// The entry in the SQL reference.
pub(super) const REFERENCE: Reference = Reference {
    summary: "Divides a number of rows among groups.",
    details: "The input has one row per group. Shares become whole by largest remainders and add up to the budget \
              exactly; ties go to the smaller group.",
    columns: &[
        ("allocated", "The rows of the group, at most its size."),
        (
            "budget_met",
            "FALSE where all groups together have fewer rows than the budget; every group then gets its size.",
        ),
    ],
    errors: "NULL, negative and repeated values where a number or a key is needed; floors that exceed the budget.",
    cost: "O(groups log groups) time and O(groups) memory.",
    source: "'equal': coverage-centric selection (Zheng et al., 2023). 'projection': density-based pruning (Abbas et \
             al., 2024).",
    example: r#"> SELECT * FROM allocate_budget((SELECT * FROM (VALUES ('a', 2, 1.0), ('b', 10, 1.0), ('c', 10, 2.0)) AS t(g, n, w)),
>   budget => 12, group => g, size => n, weight => w) ORDER BY g;
+---+----+-----+-----------+------------+
| g | n  | w   | allocated | budget_met |
+---+----+-----+-----------+------------+
| a | 2  | 1.0 | 2         | true       |
| b | 10 | 1.0 | 3         | true       |
| c | 10 | 2.0 | 7         | true       |
+---+----+-----+-----------+------------+"#,
    ..Reference::EMPTY
};
