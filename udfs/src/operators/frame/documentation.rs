//! The documentation of an operator.

use std::fmt::Write;

use datafusion::logical_expr::{DocSection, Documentation};

use super::argument::{Argument, Default};

/// The section of the reference that lists operators.
pub const SECTION: DocSection = DocSection { include: true, label: "Relation Operators", description: None };

/// The reference entry of an operator. Its arguments are documented by their declarations.
#[derive(Debug, Clone, Copy)]
pub struct Reference {
    /// One sentence that says what the operator does.
    pub summary: &'static str,
    /// What else a user must know, as paragraphs.
    pub details: &'static str,
    /// Description of the first relation.
    pub input: &'static str,
    /// Output columns in addition to those of the input.
    pub columns: &'static [(&'static str, &'static str)],
    /// Errors beyond arguments of wrong types.
    pub errors: &'static str,
    /// Time and memory.
    pub cost: &'static str,
    /// Publication or source of the method.
    pub source: &'static str,
    /// A query and its result, verified by a test.
    pub example: &'static str,
}

impl Reference {
    /// An entry with empty fields, except for the usual description of the input.
    pub const EMPTY: Self = Self {
        summary: "",
        details: "",
        input: "The rows: `(SELECT ...)` or the name of a table.",
        columns: &[],
        errors: "",
        cost: "",
        source: "",
        example: "",
    };

    /// Builds the documentation of the operator `name`.
    pub fn documentation(&self, name: &str, arguments: &[Argument]) -> Documentation {
        let mut text = self.summary.to_owned();
        let mut add = |part: std::fmt::Arguments<'_>| {
            // Writing to a string cannot fail.
            let _ = text.write_fmt(part);
        };
        if !self.details.is_empty() {
            add(format_args!("\n\n{}", self.details));
        }
        if !self.columns.is_empty() {
            add(format_args!("\n\nOutput columns:\n"));
            for (column, what) in self.columns {
                add(format_args!("\n- `{}`: {what}", column.replace(", ", "`, `")));
            }
        }
        for (title, what) in [("Errors", self.errors), ("Cost", self.cost), ("Source", self.source)] {
            if !what.is_empty() {
                add(format_args!("\n\n{title}: {what}"));
            }
        }
        let required = arguments.iter().filter(|argument| argument.default == Default::Required);
        let required: String = required.map(|argument| format!(", {} => ...", argument.name)).collect();
        let more = if arguments.iter().any(|argument| argument.default != Default::Required) { ", ..." } else { "" };
        let built = Documentation::builder(SECTION, text, format!("{name}(relation{required}{more})"))
            .with_sql_example(format!("```sql\n{}\n```", self.example))
            .with_argument("relation", self.input);
        let built =
            arguments.iter().fold(built, |built, argument| built.with_argument(argument.name, argument.reference()));
        built.build()
    }
}

/// The argument that names the row key.
pub const fn id() -> Argument {
    Argument::column("id", "id", "The key of the row. NULL and repeated keys are errors.")
}

/// The argument for the survivor order.
pub const fn survivors() -> Argument {
    Argument::order_by(
        "Who survives: a list of columns such as `'quality DESC, date'`; the id decides ties. NULL and NaN come last in \
         either direction, unless `NULLS FIRST` says otherwise.",
    )
}

/// The argument that names the vector column.
pub const fn vector(more: &'static str) -> Argument {
    let about = if more.is_empty() {
        "The vector: a list of 16, 32 or 64-bit floats, all of one length, read as 32-bit floats."
    } else {
        more
    };
    Argument::column("vector", "embedding", about).once_called("vec")
}

/// The argument for the metric.
pub const fn metric() -> Argument {
    Argument::word("metric", &["cosine", "l2"], "The distance: 1 - cosine, or the Euclidean distance.")
}

/// The argument that groups rows.
pub const fn groups() -> Argument {
    Argument::optional_column(
        "partition_by",
        "Groups that are worked on separately. Without it, all rows are one group.",
    )
}

/// The argument for a seed that fits a signed 64-bit integer.
pub const fn seed(about: &'static str) -> Argument {
    Argument::integer("seed", 0, i64::MAX as u64, Default::Computed("`limpid.seed`, 42"), about)
}

/// The argument for a seed of any 64 bits.
pub const fn any_seed(about: &'static str) -> Argument {
    Argument::integer("seed", 0, u64::MAX, Default::Computed("`limpid.seed`, 42"), about)
}
