//! A recipe as a method of selection.

use super::error::{Result, SelectionError};
use super::rows::TEXT_VECTOR;
use crate::recipes::{self, Call, Parameter};

/// A recipe that keeps a share or a number of rows, with all its arguments but that one.
#[derive(Debug, Clone)]
pub struct Method {
    /// Name of the recipe.
    pub name: String,
    /// Its arguments.
    pub args: Vec<(String, String)>,
    /// Column of the row key.
    pub id: String,
    /// The parameter that says how much is kept.
    size: &'static str,
    /// Whether another seed keeps other rows for no other cost.
    pub draws: bool,
}

/// What a recipe may be given beside its own arguments.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    /// Column of scores.
    pub score: Option<&'a str>,
    /// Column of labels.
    pub label: Option<&'a str>,
    /// A training log: a path or a query.
    pub log: Option<&'a str>,
    /// Whether texts are embedded for it.
    pub embeds: bool,
}

impl Method {
    /// The recipe `name`, which selects rows, with what it takes of what is `given`.
    ///
    /// # Errors
    /// There is no such recipe, it has no budget, or it takes no vectors or log where one is given.
    pub fn for_selection(name: &str, args: &[(String, String)], id: &str, given: Given<'_>) -> Result<Self> {
        let (parameters, size) =
            sized(name, |name| format!("so it keeps what it keeps: run it with `limpid recipes run {name}`"))?;
        let has = |wanted: &str| has(&parameters, wanted);
        let vector = given.embeds.then_some(TEXT_VECTOR);
        if vector.is_some() && !has("vector") {
            return Err(SelectionError::invalid(format!("--text: the recipe `{name}` has no parameter `vector`")));
        }
        if given.log.is_some() && !has("log") {
            return Err(SelectionError::invalid(format!("--log: the recipe `{name}` has no parameter `log`")));
        }
        let mut all = args.to_vec();
        let flags = [("score", given.score), ("label", given.label), ("log", given.log), ("vector", vector)];
        for (parameter, value) in flags {
            if let (true, Some(value)) = (has(parameter), value) {
                all.insert(0, (parameter.to_owned(), value.to_owned()));
            }
        }
        Ok(Self { name: name.to_owned(), args: all, id: id.to_owned(), size, draws: draws(&parameters) })
    }

    /// The recipe `name`, which is compared with others over rows with vectors and labels; arguments that it does not take are
    /// those of others.
    ///
    /// # Errors
    /// There is no such recipe, or it has no budget.
    pub fn for_evaluation(
        name: &str,
        args: &[(String, String)],
        id: &str,
        (vector, label): (&str, &str),
    ) -> Result<Self> {
        let (parameters, size) = sized(name, |_| "so it has no budgets to compare".to_owned())?;
        let columns = [("vector", vector), ("label", label)];
        let columns = columns.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let args = columns.chain(args.iter().cloned()).filter(|(name, _)| has(&parameters, name)).collect();
        Ok(Self { name: name.to_owned(), args, id: id.to_owned(), size, draws: draws(&parameters) })
    }

    /// The query that keeps `fraction` of `rows`; `checked` where the input is to be checked first.
    ///
    /// # Errors
    /// An argument is wrong.
    pub fn sql(&self, fraction: f64, rows: u64, checked: bool, more: &[(&str, &str)]) -> Result<String> {
        let size = match self.size {
            "budget" => (fraction * rows as f64).round().to_string(),
            _ => fraction.to_string(),
        };
        let own = self.args.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let args: Vec<_> = own.chain([(self.size, size.as_str())]).chain(more.iter().copied()).collect();
        let (name, id) = (&self.name, &self.id);
        let call = Call { name, args: &args, id, text: Some("text"), input: "SELECT * FROM input", checked, number: 0 };
        call.sql().map_err(SelectionError::invalid)
    }
}

/// The parameters of a recipe, and the one that says how much is kept; `but` says what a recipe without one cannot do.
fn sized(name: &str, but: impl Fn(&str) -> String) -> Result<(Vec<Parameter>, &'static str)> {
    let recipe = recipes::load(name).map_err(SelectionError::invalid)?;
    let parameters = recipes::parameters(&recipe).map_err(SelectionError::invalid)?;
    match recipes::size_parameter(&parameters) {
        Some(size) => Ok((parameters, size)),
        None => Err(SelectionError::invalid(format!(
            "the recipe `{name}` has neither the parameter `fraction` nor `budget`, {}",
            but(name)
        ))),
    }
}

fn has(parameters: &[Parameter], wanted: &str) -> bool {
    parameters.iter().any(|parameter| parameter.name == wanted)
}

fn draws(parameters: &[Parameter]) -> bool {
    has(parameters, "seed") && !has(parameters, "vector")
}
