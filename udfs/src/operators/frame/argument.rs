//! Declarations of arguments, which serve parsing, errors and the reference.

use std::fmt;

/// A named argument of an operator.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    /// The name.
    pub name: &'static str,
    /// The kind of value it takes.
    pub kind: Kind,
    /// The value that is used if the argument is not given.
    pub default: Default,
    /// The description in the reference.
    pub about: &'static str,
    /// An earlier name, which still works but causes a warning.
    pub earlier: Option<&'static str>,
    /// The column that was the default in an earlier release. It is still taken, with a warning, if the input has no default column.
    pub earlier_default: Option<&'static str>,
}

/// The kinds of values that arguments take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A column of the input.
    Column,
    /// A column of the input, or an integer that applies to all rows.
    ColumnOrInteger,
    /// A relation.
    Relation,
    /// An integer between two bounds, inclusive.
    Integer(u64, u64),
    /// A number between two bounds, inclusive.
    Number(f64, f64),
    /// TRUE or FALSE.
    Flag,
    /// Any text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Columns with their directions, as in `'quality DESC, id'`.
    Order,
}

/// What applies if an argument is not given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Default {
    /// The argument is required.
    Required,
    /// The argument has no value.
    Absent,
    /// The column of this name.
    Column(&'static str),
    /// An integer.
    Integer(u64),
    /// A number.
    Number(f64),
    /// TRUE or FALSE.
    Flag(bool),
    /// A word or text.
    Word(&'static str),
    /// A value that depends on other arguments, described in words.
    Computed(&'static str),
}

impl Argument {
    const fn new(name: &'static str, kind: Kind, default: Default, about: &'static str) -> Self {
        Self { name, kind, default, about, earlier: None, earlier_default: None }
    }

    /// A column argument; the default is the column called `default`.
    pub const fn column(name: &'static str, default: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Column, Default::Column(default), about)
    }

    /// An optional column argument.
    pub const fn optional_column(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Column, Default::Absent, about)
    }

    /// A required relation argument.
    pub const fn relation(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Relation, Default::Required, about)
    }

    /// An optional relation argument; `default` describes what is used without it.
    pub const fn optional_relation(name: &'static str, default: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Relation, Default::Computed(default), about)
    }

    /// An integer argument from `least` to `most`.
    pub const fn integer(name: &'static str, least: u64, most: u64, default: Default, about: &'static str) -> Self {
        Self::new(name, Kind::Integer(least, most), default, about)
    }

    /// A number argument from `least` to `most`.
    pub const fn number(name: &'static str, least: f64, most: f64, default: Default, about: &'static str) -> Self {
        Self::new(name, Kind::Number(least, most), default, about)
    }

    /// A Boolean argument, FALSE by default.
    pub const fn flag(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Flag, Default::Flag(false), about)
    }

    /// A text argument.
    pub const fn text(name: &'static str, default: Default, about: &'static str) -> Self {
        Self::new(name, Kind::Text, default, about)
    }

    /// An argument that is one of `words`; the first one is the default.
    pub const fn word(name: &'static str, words: &'static [&'static str], about: &'static str) -> Self {
        Self::new(name, Kind::Word(words), Default::Word(words[0]), about)
    }

    /// The argument that orders rows.
    pub const fn order_by(about: &'static str) -> Self {
        Self::new("order_by", Kind::Order, Default::Computed("the id alone"), about)
    }

    /// Replaces the default.
    pub const fn or(self, default: Default) -> Self {
        Self { default, ..self }
    }

    /// Declares an earlier name.
    pub const fn once_called(self, earlier: &'static str) -> Self {
        Self { earlier: Some(earlier), ..self }
    }

    /// The same argument, with the column that was its default in an earlier release.
    pub const fn once_by_default(self, earlier: &'static str) -> Self {
        Self { earlier_default: Some(earlier), ..self }
    }

    /// The description in the reference, without the name.
    pub fn reference(&self) -> String {
        let default = match self.default {
            Default::Absent => ", optional".to_owned(),
            Default::Required => ", required".to_owned(),
            Default::Computed(words) => format!(", default: {words}"),
            Default::Column(name) => format!(", default `{name}`"),
            Default::Integer(number) => format!(", default {number}"),
            Default::Number(number) => format!(", default {number}"),
            Default::Flag(flag) => format!(", default {}", if flag { "TRUE" } else { "FALSE" }),
            Default::Word(word) => format!(", default '{word}'"),
        };
        format!("({}{default}): {}", self.kind, self.about)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column => f.write_str("column"),
            Self::ColumnOrInteger => f.write_str("whole number or column"),
            Self::Relation => f.write_str("relation"),
            Self::Integer(least, most) if *most >= u64::from(u32::MAX) - 1 => write!(f, "whole number from {least}"),
            Self::Integer(least, most) => write!(f, "whole number, {least} to {most}"),
            Self::Number(least, most) => write!(f, "number, {least} to {most}"),
            Self::Flag => f.write_str("TRUE or FALSE"),
            Self::Text => f.write_str("text"),
            Self::Word(words) => write!(f, "'{}'", words.join("', '")),
            Self::Order => f.write_str("text that lists columns"),
        }
    }
}
