//! What an argument is: one declaration serves parsing, errors and the reference.

use std::fmt;

/// A named argument of an operator.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    /// The name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What holds where it is not given.
    pub default: Default,
    /// What it is, for the reference.
    pub about: &'static str,
    /// An earlier name, which still works and is warned of.
    pub earlier: Option<&'static str>,
}

/// What an argument takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A column of the input.
    Column,
    /// A column of the input, or a whole number that stands for all rows.
    ColumnOrInteger,
    /// A relation.
    Relation,
    /// A whole number between two others.
    Integer(u64, u64),
    /// A number between two others.
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

/// What holds where an argument is not given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Default {
    /// It must be given.
    Required,
    /// It stays away.
    Absent,
    /// The column of that name.
    Column(&'static str),
    /// A whole number.
    Integer(u64),
    /// A number.
    Number(f64),
    /// TRUE or FALSE.
    Flag(bool),
    /// A word or text.
    Word(&'static str),
    /// A value that depends on others, in words.
    Computed(&'static str),
}

impl Argument {
    const fn new(name: &'static str, kind: Kind, default: Default, about: &'static str) -> Self {
        Self { name, kind, default, about, earlier: None }
    }

    /// A column; without the argument the one called `default`.
    pub const fn column(name: &'static str, default: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Column, Default::Column(default), about)
    }

    /// A column that need not be there.
    pub const fn optional_column(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Column, Default::Absent, about)
    }

    /// A relation that must be given.
    pub const fn relation(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Relation, Default::Required, about)
    }

    /// A relation; `default` says what is taken without it.
    pub const fn optional_relation(name: &'static str, default: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Relation, Default::Computed(default), about)
    }

    /// A whole number from `least` to `most`.
    pub const fn integer(name: &'static str, least: u64, most: u64, default: Default, about: &'static str) -> Self {
        Self::new(name, Kind::Integer(least, most), default, about)
    }

    /// A number from `least` to `most`.
    pub const fn number(name: &'static str, least: f64, most: f64, default: Default, about: &'static str) -> Self {
        Self::new(name, Kind::Number(least, most), default, about)
    }

    /// FALSE unless it is given.
    pub const fn flag(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Flag, Default::Flag(false), about)
    }

    /// A text.
    pub const fn text(name: &'static str, default: Default, about: &'static str) -> Self {
        Self::new(name, Kind::Text, default, about)
    }

    /// One of `words`, the first unless it is given.
    pub const fn word(name: &'static str, words: &'static [&'static str], about: &'static str) -> Self {
        Self::new(name, Kind::Word(words), Default::Word(words[0]), about)
    }

    /// The order of rows.
    pub const fn order_by(about: &'static str) -> Self {
        Self::new("order_by", Kind::Order, Default::Computed("the id alone"), about)
    }

    /// The same with another default.
    pub const fn or(self, default: Default) -> Self {
        Self { default, ..self }
    }

    /// The same with an earlier name.
    pub const fn once_called(self, earlier: &'static str) -> Self {
        Self { earlier: Some(earlier), ..self }
    }

    /// The line of the reference, after the name.
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
