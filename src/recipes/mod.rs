//! Recipes: queries with typed parameters, by name (they come with limpid) or by the path of a `.sql` file. They read the relation
//! `input`.
//!
//! A recipe declares its parameters in comment lines, `-- param NAME KIND [DEFAULT] [in ALLOWED]: what it is`, and writes them as
//! `$NAME`. The default `''` is the empty text, of a column none. What is allowed is a range, `0..1` or `1..`, or words,
//! `highest|lowest`. A description `with OTHER, ...` says that the parameter needs OTHER.
//! Kinds: `column` (becomes a quoted identifier), `number` and `text` (become literals), so an argument can never change
//! the shape of the query.

pub mod docs;

use std::fs;
use std::path::Path;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// The texts of recipes by name.
macro_rules! texts {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("../../queries/recipes/", $name, ".sql")))),*] };
}

/// The recipes that come with limpid.
const BUILT_IN: &[(&str, &str)] = texts![
    "adapt_infinity",
    "adapt_infinity_pool",
    "answer_check",
    "aum",
    "automate_cot_estimator",
    "automate_cot_pool",
    "ccs",
    "concise_reasoning",
    "d4",
    "data_diet_el2n",
    "data_diet_grand",
    "data_mixture",
    "dealrec",
    "density_pruning",
    "distilled_pruning",
    "divprune",
    "donod",
    "dualvla_frames",
    "exact_dedup",
    "farthest_points",
    "feature_mapping",
    "forgetting",
    "k_center",
    "label_mapping",
    "leaf_spans",
    "minhash_dedup",
    "nirvana_calibration",
    "outlandish_keywords",
    "paser",
    "pvi",
    "q_tuning",
    "rag_importance",
    "random",
    "rs2",
    "score_strata",
    "score_top",
    "search_and_pruning",
    "self_distillation",
    "semdedup",
    "ssl_prototypes",
    "tracin_self",
    "vog",
];

/// What an argument turns into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Column,
    Number,
    Text,
}

/// What values a parameter may have.
#[derive(Debug, Clone, PartialEq)]
enum Allowed {
    Any,
    /// From the first number to the second, both included.
    Range(f64, f64),
    Words(Vec<String>),
}

impl Allowed {
    fn parse(text: &str) -> Result<Self, String> {
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
    kind: Kind,
    allowed: Allowed,
    /// Its value where none is given.
    pub default: Option<String>,
    /// What it is.
    pub about: String,
}

/// The query of recipe `name` with `args`; the parameters `id` and `text` default to the job's columns.
/// An error says what the recipe accepts.
pub fn expand(name: &str, args: &[(&str, &str)], id: &str, text: Option<&str>) -> Result<String, String> {
    let recipe = load(name)?;
    let parameters = parameters(&recipe).map_err(|error| format!("recipe `{name}`: {error}"))?;
    for (argument, _) in args {
        if !parameters.iter().any(|parameter| parameter.name == *argument) {
            let known = parameters.iter().map(|parameter| parameter.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(format!("recipe `{name}` has no argument `{argument}`; it has {known}"));
        }
    }
    // A parameter described as `with OTHER, ...` is nothing without OTHER.
    for parameter in parameters.iter().filter(|parameter| args.iter().any(|(name, _)| *name == parameter.name)) {
        let needed =
            parameter.about.strip_prefix("with ").and_then(|about| about.split_once(',')).map(|(other, _)| other);
        if let Some(other) = needed.filter(|other| !args.iter().any(|(name, _)| name == other)) {
            return Err(format!("recipe `{name}`: the argument `{}` needs `{other}`", parameter.name));
        }
    }
    let value = |wanted: &str| {
        let parameter = parameters.iter().find(|parameter| parameter.name == wanted);
        let parameter = parameter.ok_or_else(|| format!("recipe `{name}` uses ${wanted} without a `-- param` line"))?;
        let own = match wanted {
            "id" => Some(id.to_owned()),
            "text" => text.map(str::to_owned),
            _ => None,
        };
        let given = args.iter().rfind(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned());
        let value = given.or_else(|| parameter.default.clone()).or(own);
        let value = value.ok_or_else(|| format!("recipe `{name}` needs the argument `{wanted}`"))?;
        parameter.render(&value).map_err(|error| format!("recipe `{name}`: {error}"))
    };
    substitute(&recipe, value)
}

/// What the parameters of recipe `name` are, with `args` and defaults; those that name a column are marked.
pub fn values(name: &str, args: &[(&str, &str)], id: &str, text: Option<&str>) -> Vec<(String, String, bool)> {
    let declared = load(name).and_then(|recipe| parameters(&recipe)).unwrap_or_default();
    let value = |parameter: Parameter| {
        let given = args.iter().rfind(|(name, _)| *name == parameter.name).map(|(_, value)| (*value).to_owned());
        let own = match parameter.name.as_str() {
            "id" => Some(id.to_owned()),
            "text" => text.map(str::to_owned),
            _ => None,
        };
        let value = given.or(parameter.default).or(own)?;
        let is_column = parameter.kind == Kind::Column && !value.is_empty();
        Some((parameter.name, value, is_column))
    };
    declared.into_iter().filter_map(value).collect()
}

/// Names of the recipes that come with limpid, in the order of the alphabet.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// The text of a recipe.
pub fn load(name: &str) -> Result<String, String> {
    if Path::new(name).extension().is_some_and(|extension| extension == "sql") {
        return fs::read_to_string(name).map_err(|error| format!("cannot read the recipe {name}: {error}"));
    }
    let found = BUILT_IN.iter().find(|(known, _)| *known == name);
    found.map(|(_, sql)| (*sql).to_owned()).ok_or_else(|| {
        let known = names().collect::<Vec<_>>().join(", ");
        format!("there is no recipe `{name}`; there are {known}, and any file that ends in .sql")
    })
}

/// What a recipe is, from the comment at its head.
pub fn description(recipe: &str) -> String {
    let head = recipe.lines().map_while(|line| line.trim().strip_prefix("--").map(str::trim));
    head.take_while(|line| !line.starts_with("param ")).collect::<Vec<_>>().join(" ")
}

/// The `-- param` lines.
pub fn parameters(recipe: &str) -> Result<Vec<Parameter>, String> {
    let lines = recipe.lines().filter_map(|line| line.trim().strip_prefix("--")?.trim().strip_prefix("param "));
    lines
        .map(|line| {
            let (declaration, about) = line.split_once(':').unwrap_or((line, ""));
            let mut words = declaration.split_whitespace();
            let name = words.next().unwrap_or_default().to_owned();
            let kind = match words.next() {
                Some("column") => Kind::Column,
                Some("number") => Kind::Number,
                Some("text") => Kind::Text,
                other => {
                    return Err(format!(
                        "parameter `{name}` must be column, number or text, not `{}`",
                        other.unwrap_or("")
                    ));
                }
            };
            let words: Vec<&str> = words.collect();
            let (default, allowed) = match words.as_slice() {
                [default @ .., "in", allowed] => (default.join(" "), Allowed::parse(allowed)?),
                default => (default.join(" "), Allowed::Any),
            };
            Ok(Parameter {
                name,
                kind,
                allowed,
                default: match default.as_str() {
                    "" => None,
                    "''" => Some(String::new()),
                    _ => Some(default),
                },
                about: about.trim().to_owned(),
            })
        })
        .collect()
}

impl Parameter {
    /// The word for what it takes.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Column => "column",
            Kind::Number => "number",
            Kind::Text => "text",
        }
    }

    fn render(&self, value: &str) -> Result<String, String> {
        if let Some(problem) = self.allowed.problem(value) {
            return Err(format!("argument `{}` {problem}", self.name));
        }
        match self.kind {
            // The default '' of a column is no column.
            Kind::Column if value.is_empty() => Ok("NULL".to_owned()),
            Kind::Column => Ok(quote(value)),
            Kind::Text => Ok(literal(value)),
            Kind::Number if value.trim().parse::<f64>().is_ok_and(f64::is_finite) => Ok(value.trim().to_owned()),
            Kind::Number => Err(format!("argument `{}` must be a number, not `{value}`", self.name)),
        }
    }
}

/// `name` as a quoted SQL identifier.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `text` as a SQL literal.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The query without its comments, each `$name` replaced.
fn substitute(recipe: &str, value: impl Fn(&str) -> Result<String, String>) -> Result<String, String> {
    let dialect = GenericDialect {};
    let code = recipe.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n");
    let tokens = Tokenizer::new(&dialect, &code).tokenize().map_err(|error| error.to_string())?;
    let mut sql = String::with_capacity(code.len());
    for token in tokens {
        match &token {
            Token::Placeholder(name) if name.starts_with('$') => sql.push_str(&value(&name[1..])?),
            other => sql.push_str(&other.to_string()),
        }
    }
    Ok(sql.trim().trim_end_matches(';').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_literals_of_their_kind() {
        let sql = expand("minhash_dedup", &[("threshold", "0.8"), ("order_by", "o'r")], "path", Some("body")).unwrap();
        assert!(
            sql.contains(
                "text => \"body\", id => \"path\", order_by => 'o''r', threshold => 0.8, recall => 0.99, ngram => 5, unit => 'word'"
            ),
            "{sql}"
        );
        assert!(!sql.contains('$') && !sql.contains("--"), "{sql}");
    }

    #[test]
    fn mistakes_say_what_there_is() {
        let error = |name: &str, pairs: &[(&str, &str)]| expand(name, pairs, "id", None).unwrap_err();
        assert!(error("minhash", &[]).contains("minhash_dedup, "));
        assert!(
            error("exact_dedup", &[("treshold", "1")]).contains("no argument `treshold`; it has text, id, order_by")
        );
        assert!(error("exact_dedup", &[]).contains("needs the argument `text`"));
        assert!(error("data_mixture", &[("least", "0")]).contains("the argument `least` needs `reward`"));
        assert!(expand("data_mixture", &[], "id", None).unwrap().contains("NULL >= -1e300"));
        assert!(error("minhash_dedup", &[("text", "t"), ("threshold", "0.7 OR 1")]).contains("must be a number"));
    }

    #[test]
    fn every_recipe_checks_its_words_and_ranges() {
        let mut fractions = 0;
        for (recipe, text) in BUILT_IN {
            let wrong = |name: &str, value: &str| expand(recipe, &[(name, value)], "id", Some("text")).unwrap_err();
            for parameter in parameters(text).unwrap() {
                let name = parameter.name.as_str();
                match &parameter.allowed {
                    Allowed::Words(_) => {
                        assert!(wrong(name, "desc").contains(&format!("argument `{name}` must be one of")), "{recipe}");
                    }
                    Allowed::Range(..) => {
                        for value in ["-0.1", "NaN", "half"] {
                            assert!(wrong(name, value).contains(&format!("argument `{name}` must be")), "{recipe}");
                        }
                    }
                    Allowed::Any => {}
                }
                if name == "fraction" {
                    fractions += 1;
                    assert!(
                        wrong(name, "1.5").contains("argument `fraction` must be a number of at least 0 and at most 1")
                    );
                    for value in ["0", "0.0001", "1"] {
                        expand(recipe, &[(name, value)], "id", Some("text")).unwrap();
                    }
                }
            }
        }
        assert!(fractions >= 15, "{fractions}");
    }

    #[test]
    fn every_recipe_declares_what_it_uses() {
        for (name, recipe) in BUILT_IN {
            expand(name, &[], "id", Some("text")).unwrap();
            assert!(!description(recipe).is_empty(), "{name} says what it is");
            for parameter in parameters(recipe).unwrap() {
                assert!(!parameter.about.is_empty(), "{name} says what {} is", parameter.name);
                assert!(recipe.contains(&format!("${}", parameter.name)), "{name} uses {}", parameter.name);
            }
        }
        assert!(names().is_sorted());
    }
}
