//! Recipes: queries with typed parameters, by name (they come with limpid) or by the path of a `.sql` file.
//!
//! A recipe declares its parameters in comment lines, `-- param NAME KIND [DEFAULT]: what it is`, and writes them as `$NAME`.
//! Kinds: `column` (becomes a quoted identifier), `number` and `text` (become literals), so an argument can never change
//! the shape of the query.

use std::fs;
use std::path::Path;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::yaml::{Entries, Text};

/// The recipes that come with limpid.
const BUILT_IN: [(&str, &str); 24] = [
    ("answer_check", include_str!("../../queries/recipes/answer_check.sql")),
    ("aum", include_str!("../../queries/recipes/aum.sql")),
    ("ccs", include_str!("../../queries/recipes/ccs.sql")),
    ("data_diet_el2n", include_str!("../../queries/recipes/data_diet_el2n.sql")),
    ("data_diet_grand", include_str!("../../queries/recipes/data_diet_grand.sql")),
    ("dealrec", include_str!("../../queries/recipes/dealrec.sql")),
    ("donod", include_str!("../../queries/recipes/donod.sql")),
    ("exact_dedup", include_str!("../../queries/recipes/exact_dedup.sql")),
    ("forgetting", include_str!("../../queries/recipes/forgetting.sql")),
    ("minhash_dedup", include_str!("../../queries/recipes/minhash_dedup.sql")),
    ("pvi", include_str!("../../queries/recipes/pvi.sql")),
    ("rs2", include_str!("../../queries/recipes/rs2.sql")),
    ("tracin_self", include_str!("../../queries/recipes/tracin_self.sql")),
    ("vog", include_str!("../../queries/recipes/vog.sql")),
    ("ssl_prototypes", include_str!("../../queries/recipes/ssl_prototypes.sql")),
    ("semdedup", include_str!("../../queries/recipes/semdedup.sql")),
    ("density_pruning", include_str!("../../queries/recipes/density_pruning.sql")),
    ("divprune", include_str!("../../queries/recipes/divprune.sql")),
    ("k_center", include_str!("../../queries/recipes/k_center.sql")),
    ("farthest_points", include_str!("../../queries/recipes/farthest_points.sql")),
    ("search_and_pruning", include_str!("../../queries/recipes/search_and_pruning.sql")),
    ("label_mapping", include_str!("../../queries/recipes/label_mapping.sql")),
    ("feature_mapping", include_str!("../../queries/recipes/feature_mapping.sql")),
    ("d4", include_str!("../../queries/recipes/d4.sql")),
];

/// What an argument turns into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Column,
    Number,
    Text,
}

/// A parameter of a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parameter {
    name: String,
    kind: Kind,
    default: Option<String>,
}

/// The query of recipe `name` with `args`; the parameters `id` and `text` default to the job's columns.
/// An error says what the recipe accepts.
pub fn expand(name: &str, args: &Entries<Text>, id: &str, text: Option<&str>) -> Result<String, String> {
    let recipe = load(name)?;
    let parameters = parameters(&recipe).map_err(|error| format!("recipe `{name}`: {error}"))?;
    for (argument, _) in args.iter() {
        if !parameters.iter().any(|parameter| parameter.name == *argument) {
            let known = parameters.iter().map(|parameter| parameter.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(format!("recipe `{name}` has no argument `{argument}`; it has {known}"));
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
        let given = args.get(wanted).map(|text| text.value.clone());
        let value = given.or_else(|| parameter.default.clone()).or(own);
        let value = value.ok_or_else(|| format!("recipe `{name}` needs the argument `{wanted}`"))?;
        parameter.render(&value).map_err(|error| format!("recipe `{name}`: {error}"))
    };
    substitute(&recipe, value)
}

fn load(name: &str) -> Result<String, String> {
    if Path::new(name).extension().is_some_and(|extension| extension == "sql") {
        return fs::read_to_string(name).map_err(|error| format!("cannot read the recipe {name}: {error}"));
    }
    let found = BUILT_IN.iter().find(|(known, _)| *known == name);
    found.map(|(_, sql)| (*sql).to_owned()).ok_or_else(|| {
        let known = BUILT_IN.map(|(known, _)| known).join(", ");
        format!("there is no recipe `{name}`; there are {known}, and any file that ends in .sql")
    })
}

/// The `-- param` lines.
fn parameters(recipe: &str) -> Result<Vec<Parameter>, String> {
    let lines = recipe.lines().filter_map(|line| line.trim().strip_prefix("--")?.trim().strip_prefix("param "));
    lines
        .map(|line| {
            let mut words = line.split(':').next().unwrap_or_default().split_whitespace();
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
            let default = words.collect::<Vec<_>>().join(" ");
            Ok(Parameter { name, kind, default: (!default.is_empty()).then_some(default) })
        })
        .collect()
}

impl Parameter {
    fn render(&self, value: &str) -> Result<String, String> {
        match self.kind {
            Kind::Column => Ok(quote(value)),
            Kind::Text => Ok(format!("'{}'", value.replace('\'', "''"))),
            Kind::Number if value.trim().parse::<f64>().is_ok_and(f64::is_finite) => Ok(value.trim().to_owned()),
            Kind::Number => Err(format!("argument `{}` must be a number, not `{value}`", self.name)),
        }
    }
}

/// `name` as a quoted SQL identifier.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
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

    fn args(pairs: &[(&str, &str)]) -> Entries<Text> {
        Entries(pairs.iter().map(|(k, v)| ((*k).to_owned(), Text { value: (*v).to_owned(), line: 1 })).collect())
    }

    #[test]
    fn arguments_become_literals_of_their_kind() {
        let sql =
            expand("minhash_dedup", &args(&[("threshold", "0.8"), ("unit", "o'r")]), "path", Some("body")).unwrap();
        assert!(
            sql.contains(
                "text => \"body\", id => \"path\", threshold => 0.8, recall => 0.99, ngram => 5, unit => 'o''r'"
            ),
            "{sql}"
        );
        assert!(!sql.contains('$') && !sql.contains("--"), "{sql}");
    }

    #[test]
    fn mistakes_say_what_there_is() {
        let error = |name: &str, pairs: &[(&str, &str)]| expand(name, &args(pairs), "id", None).unwrap_err();
        assert!(error("minhash", &[]).contains("minhash_dedup, pvi"));
        assert!(error("exact_dedup", &[("treshold", "1")]).contains("no argument `treshold`; it has text, id"));
        assert!(error("exact_dedup", &[]).contains("needs the argument `text`"));
        assert!(error("minhash_dedup", &[("text", "t"), ("threshold", "0.7 OR 1")]).contains("must be a number"));
    }

    #[test]
    fn every_recipe_declares_what_it_uses() {
        for (name, _) in BUILT_IN {
            expand(name, &args(&[]), "id", Some("text")).unwrap();
        }
    }
}
