//! Recipes: queries with typed parameters, by name (they come with limpid) or by the path of a `.sql` file. They read the relation
//! `input`.
//!
//! A recipe declares its parameters in comment lines, `-- param NAME KIND [DEFAULT] [in ALLOWED]: what it is`, and writes them as
//! `$NAME`. The default `''` is the empty text, and elsewhere nothing, NULL. What is allowed is a range, `0..1` or `1..`, words,
//! `highest|lowest`, or what a column must be, `unique`, `numbers`, `flags` or `classes`. A description `with OTHER, ...` says that the
//! parameter needs OTHER.
//! Kinds: `column` (becomes a quoted identifier), `number` and `text` (become literals), and `relation` (a table, a path or a query; its default
//! is SQL), so an argument can never change the shape of the query.
//!
//! `-- adds NAME: what` declares a column that the answer has beside those of the input, `-- gives NAME: what` one of an answer with rows
//! of its own. Expanding a recipe puts [`input`] before it and [`checks`] behind it.

pub mod checks;
pub mod docs;
pub mod input;
mod parameter;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use datafusion::sql::sqlparser::ast::Query;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use limpid_udfs::operators::frame::written::warn_of_earlier;

use checks::Used;
use input::Needs;
use parameter::Kind;
pub use parameter::{Output, Parameter, outputs, parameters};

/// The SQL name of the function that calls a recipe.
pub const NAME: &str = "recipe";

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
    "deita",
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

/// A recipe with its arguments, and what it reads.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Its name, or the path of a `.sql` file.
    pub name: &'a str,
    /// Arguments by name.
    pub args: &'a [(&'a str, &'a str)],
    /// The value of the parameter `id` where none is given.
    pub id: &'a str,
    /// The value of the parameter `text` where none is given.
    pub text: Option<&'a str>,
    /// The query that is its input.
    pub input: &'a str,
    /// Whether keys, labels and scores of the input are checked; not where that was done before.
    pub checked: bool,
    /// Which recipe of the statement it is, from 1 on; 0 where it is the only one.
    pub number: usize,
}

/// The query of recipe `name` with `args` over the relation `input`; the parameters `id` and `text` default to the job's columns.
/// An error says what the recipe accepts.
pub fn expand(name: &str, args: &[(&str, &str)], id: &str, text: Option<&str>) -> Result<String, String> {
    Call { name, args, id, text, input: "SELECT * FROM input", checked: true, number: 0 }.sql()
}

/// Names of parameters that were changed: the earlier one, which still works and is warned of, and that of today.
const EARLIER: &[(&str, &str)] = &[("vec", "vector")];

/// The name of today for an argument of a recipe with these parameters.
fn renamed<'a>(recipe: &str, argument: &'a str, parameters: &[Parameter]) -> &'a str {
    let has = |wanted: &str| parameters.iter().any(|parameter| parameter.name == wanted);
    match EARLIER.iter().find(|(earlier, today)| *earlier == argument && !has(earlier) && has(today)) {
        Some((earlier, today)) => {
            warn_of_earlier(&format!("recipe `{recipe}`"), earlier, today);
            today
        }
        None => argument,
    }
}

impl Call<'_> {
    /// The query.
    ///
    /// # Errors
    /// There is no such recipe; an argument is unknown, missing or not allowed.
    pub fn sql(&self) -> Result<String, String> {
        let name = self.name;
        let recipe = load(name)?;
        let parameters = parameters(&recipe).map_err(|error| format!("recipe `{name}`: {error}"))?;
        let args: Vec<_> = self.args.iter().map(|(arg, value)| (renamed(name, arg, &parameters), *value)).collect();
        let call = Call { args: &args, ..*self };
        call.fill_in(&recipe, &parameters)
    }

    /// The text of the recipe with these parameters, filled in.
    fn fill_in(&self, recipe: &str, parameters: &[Parameter]) -> Result<String, String> {
        let name = self.name;
        self.check(parameters)?;
        let used = RefCell::new(BTreeSet::new());
        let code = self.fill(recipe, parameters, &used)?;
        let used = used.into_inner();
        let columns = parameters.iter().filter(|parameter| parameter.kind == Kind::Column);
        let columns = columns.filter(|parameter| used.contains(&parameter.name));
        let named: Vec<(&Parameter, String)> =
            columns.filter_map(|parameter| Some((parameter, self.value(parameter)?))).collect();
        let named = named.iter().filter(|(_, column)| !column.is_empty());
        let columns: Vec<Used> =
            named.map(|(parameter, column)| Used { parameter, column, sql: quote(column) }).collect();
        let needs = Needs {
            recipe: name.to_owned(),
            columns: columns
                .iter()
                .map(|used| {
                    (used.parameter.name.clone(), used.column.to_owned(), used.parameter.of_column().to_owned())
                })
                .collect(),
            adds: outputs(recipe).into_iter().filter(|output| output.added).map(|output| output.name).collect(),
            number: self.number,
        };
        let needs = serde_json::to_string(&needs).map_err(|error| error.to_string())?;
        let input = format!("SELECT * FROM {}(({}), {})", input::NAME, self.input, literal(&needs));
        let checks = if self.checked { checks::query(name, &columns) } else { None };
        assemble(&code, &input, checks).map_err(|error| format!("recipe `{name}`: {error}"))
    }

    /// Whether the arguments are those of the recipe.
    fn check(&self, parameters: &[Parameter]) -> Result<(), String> {
        let name = self.name;
        for (argument, _) in self.args {
            if !parameters.iter().any(|parameter| parameter.name == *argument) {
                let known = parameters.iter().map(|parameter| parameter.name.as_str()).collect::<Vec<_>>().join(", ");
                return Err(format!("recipe `{name}` has no argument `{argument}`; it has {known}"));
            }
        }
        let given = |wanted: &str| self.args.iter().any(|(name, value)| *name == wanted && !value.is_empty());
        for parameter in parameters.iter().filter(|parameter| given(&parameter.name)) {
            if let Some(other) = parameter.needs().filter(|other| !given(other)) {
                return Err(format!("recipe `{name}`: the argument `{}` needs `{other}`", parameter.name));
            }
        }
        Ok(())
    }

    /// The value of a parameter: the one given, its default, or the job's column.
    fn value(&self, parameter: &Parameter) -> Option<String> {
        let given = self.args.iter().rfind(|(name, _)| *name == parameter.name).map(|(_, value)| (*value).to_owned());
        let own = match parameter.name.as_str() {
            "id" => Some(self.id.to_owned()),
            "text" => self.text.map(str::to_owned),
            _ => None,
        };
        given.or_else(|| parameter.default.clone()).or(own)
    }

    /// The query without its comments, each `$name` replaced; `used` are the parameters that stand in it.
    fn fill(&self, recipe: &str, parameters: &[Parameter], used: &RefCell<BTreeSet<String>>) -> Result<String, String> {
        let name = self.name;
        let value = |wanted: &str| {
            let parameter = parameters.iter().find(|parameter| parameter.name == wanted);
            let parameter =
                parameter.ok_or_else(|| format!("recipe `{name}` uses ${wanted} without a `-- param` line"))?;
            used.borrow_mut().insert(wanted.to_owned());
            let given = self.args.iter().any(|(name, value)| *name == wanted && !value.is_empty());
            if let (Kind::Relation, false, Some(default)) = (parameter.kind, given, &parameter.default) {
                return self.fill(default, parameters, used);
            }
            let value =
                self.value(parameter).ok_or_else(|| format!("recipe `{name}` needs the argument `{wanted}`"))?;
            if let (Kind::Relation, Some(query)) = (parameter.kind, query(&value)) {
                return Ok(format!("({query})"));
            }
            parameter.render(&value).map_err(|error| format!("recipe `{name}`: {error}"))
        };
        substitute(recipe, value)
    }
}

/// The query that a text is, if it is one.
fn query(text: &str) -> Option<Query> {
    let start = text.trim_start().to_ascii_lowercase();
    if !["select ", "with ", "("].iter().any(|word| start.starts_with(word)) {
        return None;
    }
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(text.trim()).ok()?;
    let query = parser.parse_query().ok()?;
    (parser.peek_token().token == Token::EOF).then_some(*query)
}

/// The recipe's query between its input and its checks.
fn assemble(code: &str, input: &str, checks: Option<String>) -> Result<String, String> {
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(code).map_err(|error| error.to_string())?;
    let mut query = parser.parse_query().map_err(|error| error.to_string())?;
    if parser.peek_token().token != Token::EOF {
        return Err(format!("it is no single query: after it stands `{}`", parser.peek_token()));
    }
    let mut tables = vec![format!("input AS ({input})")];
    tables.extend(query.with.take().into_iter().flat_map(|with| with.cte_tables).map(|table| table.to_string()));
    let answer = match checks {
        None => query.to_string(),
        Some(checks) => {
            tables.push(format!("__answer AS ({query})"));
            format!("SELECT __answer.* FROM ({checks}) AS __checks CROSS JOIN __answer")
        }
    };
    Ok(format!("WITH {} {answer}", tables.join(", ")))
}

/// What the parameters of recipe `name` are, with `args` and defaults; those that name a column are marked.
pub fn values(name: &str, args: &[(&str, &str)], id: &str, text: Option<&str>) -> Vec<(String, String, bool)> {
    let declared = load(name).and_then(|recipe| parameters(&recipe)).unwrap_or_default();
    let call = Call { name, args, id, text, input: "", checked: false, number: 0 };
    let value = |parameter: Parameter| {
        let value = call.value(&parameter)?;
        let is_column = parameter.kind == Kind::Column && !value.is_empty();
        Some((parameter.name, value, is_column))
    };
    declared.into_iter().filter_map(value).collect()
}

/// The parameter that says how much a recipe keeps: `fraction`, a share of the rows, or `budget`, their number.
pub fn size_parameter(parameters: &[Parameter]) -> Option<&'static str> {
    ["fraction", "budget"].into_iter().find(|name| parameters.iter().any(|parameter| parameter.name == *name))
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
    head.take_while(|line| !parameter::declares(line)).collect::<Vec<_>>().join(" ")
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
    use super::parameter::Allowed;
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
            for parameter in parameters(text).unwrap() {
                let name = parameter.name.as_str();
                let wrong = |name: &str, value: &str| {
                    let needed = parameter.needs().map(|other| (other, "x"));
                    let args: Vec<_> = [(name, value)].into_iter().chain(needed).collect();
                    expand(recipe, &args, "id", Some("text")).unwrap_err()
                };
                match &parameter.allowed {
                    Allowed::Words(_) => {
                        assert!(wrong(name, "desc").contains(&format!("argument `{name}` must be one of")), "{recipe}");
                    }
                    Allowed::Range(..) => {
                        for value in ["-0.1", "NaN", "half"] {
                            assert!(wrong(name, value).contains(&format!("argument `{name}` must be")), "{recipe}");
                        }
                    }
                    _ => {}
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
            let outputs = outputs(recipe);
            assert!(!outputs.is_empty(), "{name} says what it answers with");
            for output in outputs {
                assert!(!output.about.is_empty(), "{name} says what {} is", output.name);
            }
        }
        assert!(names().is_sorted());
    }
}
