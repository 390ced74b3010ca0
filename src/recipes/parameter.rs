//! The head of a recipe: what it takes and what it answers with.

use super::{literal, quote};

/// What an argument turns into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Column,
    Number,
    Text,
    Relation,
}

/// What values a parameter may have.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Allowed {
    Any,
    /// From the first number to the second, both included.
    Range(f64, f64),
    Words(Vec<String>),
    /// A column that names each row: no value comes twice, none is NULL.
    Unique,
    /// A column of numbers; NULL and NaN are told as a warning.
    Numbers,
    /// A column of Booleans.
    Flags,
    /// A column of two values at least.
    Classes,
}

impl Allowed {
    fn parse(text: &str, kind: Kind) -> Result<Self, String> {
        if kind == Kind::Column {
            return match text {
                "unique" => Ok(Self::Unique),
                "numbers" => Ok(Self::Numbers),
                "flags" => Ok(Self::Flags),
                "classes" => Ok(Self::Classes),
                _ => Err(format!("a column is in unique, numbers, flags or classes, not in `{text}`")),
            };
        }
        let Some((low, high)) = text.split_once("..") else {
            return Ok(Self::Words(text.split('|').map(str::to_owned).collect()));
        };
        let number = |text: &str| text.parse::<f64>().map_err(|_| format!("`{text}` is no number"));
        Ok(Self::Range(number(low)?, if high.is_empty() { f64::INFINITY } else { number(high)? }))
    }

    /// What is wrong with a value, in words.
    fn problem(&self, value: &str) -> Option<String> {
        match self {
            Self::Words(words) if !words.iter().any(|word| word == value) => {
                Some(format!("must be one of {}, not `{value}`", words.join(", ")))
            }
            Self::Range(low, high) if !value.trim().parse::<f64>().is_ok_and(|v| (*low..=*high).contains(&v)) => {
                let most = if high.is_finite() { format!(" and at most {high}") } else { String::new() };
                Some(format!("must be a number of at least {low}{most}, not `{value}`"))
            }
            _ => None,
        }
    }
}

/// A parameter of a recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// As the recipe writes it, without the `$`.
    pub name: String,
    pub(super) kind: Kind,
    pub(super) allowed: Allowed,
    /// Its value where none is given.
    pub default: Option<String>,
    /// What it is.
    pub about: String,
}

impl Parameter {
    /// The word for what it takes.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Column => "column",
            Kind::Number => "number",
            Kind::Text => "text",
            Kind::Relation => "relation",
        }
    }

    /// What its column must be, as a word; empty for any.
    pub(super) fn of_column(&self) -> &'static str {
        match self.allowed {
            Allowed::Unique => "unique",
            Allowed::Numbers => "numbers",
            Allowed::Flags => "flags",
            Allowed::Classes => "classes",
            _ => "",
        }
    }

    /// The other parameter without which this one means nothing: it is described as `with OTHER, ...`.
    pub(super) fn needs(&self) -> Option<&str> {
        self.about.strip_prefix("with ")?.split_once(',').map(|(other, _)| other)
    }

    /// The SQL of a value.
    pub(super) fn render(&self, value: &str) -> Result<String, String> {
        if value.is_empty() && self.default.as_deref() == Some("") && self.kind != Kind::Text {
            return Ok("NULL".to_owned());
        }
        if let Some(problem) = self.allowed.problem(value) {
            return Err(format!("argument `{}` {problem}", self.name));
        }
        match self.kind {
            Kind::Column => Ok(quote(value)),
            Kind::Text => Ok(literal(value)),
            // A path or a table.
            Kind::Relation if value.contains(['/', '.', '*']) => Ok(literal(value)),
            Kind::Relation => Ok(quote(value)),
            Kind::Number if value.trim().parse::<f64>().is_ok_and(f64::is_finite) => Ok(value.trim().to_owned()),
            Kind::Number => Err(format!("argument `{}` must be a number, not `{value}`", self.name)),
        }
    }
}

/// A column of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// What it is.
    pub about: String,
    /// Whether it stands beside the columns of the input, whose column of that name it replaces.
    pub added: bool,
}

/// The lines of the head that start with `word`, without it.
fn lines<'a>(recipe: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    let comments = recipe.lines().filter_map(|line| line.trim().strip_prefix("--").map(str::trim));
    comments.filter_map(move |line| line.strip_prefix(word)?.strip_prefix(' '))
}

/// Whether a line of the comment declares something.
pub(super) fn declares(line: &str) -> bool {
    ["param ", "adds ", "gives "].iter().any(|word| line.starts_with(word))
}

/// The `-- adds` and `-- gives` lines.
pub fn outputs(recipe: &str) -> Vec<Output> {
    let output = |line: &str, added: bool| {
        let (name, about) = line.split_once(':').unwrap_or((line, ""));
        Output { name: name.trim().to_owned(), about: about.trim().to_owned(), added }
    };
    let added = lines(recipe, "adds").map(|line| output(line, true));
    added.chain(lines(recipe, "gives").map(|line| output(line, false))).collect()
}

/// The `-- param` lines.
pub fn parameters(recipe: &str) -> Result<Vec<Parameter>, String> {
    lines(recipe, "param").map(parameter).collect()
}

fn parameter(line: &str) -> Result<Parameter, String> {
    let (declaration, about) = line.split_once(':').unwrap_or((line, ""));
    let mut words = declaration.split_whitespace();
    let name = words.next().unwrap_or_default().to_owned();
    let kind = match words.next() {
        Some("column") => Kind::Column,
        Some("number") => Kind::Number,
        Some("text") => Kind::Text,
        Some("relation") => Kind::Relation,
        other => {
            let other = other.unwrap_or("");
            return Err(format!("parameter `{name}` must be column, number, text or relation, not `{other}`"));
        }
    };
    let words: Vec<&str> = words.collect();
    let (default, allowed) = match words.as_slice() {
        [default @ .., "in", allowed] => (default.join(" "), Allowed::parse(allowed, kind)?),
        default => (default.join(" "), Allowed::Any),
    };
    let default = match default.as_str() {
        "" => None,
        "''" => Some(String::new()),
        _ => Some(default),
    };
    Ok(Parameter { name, kind, allowed, default, about: about.trim().to_owned() })
}
