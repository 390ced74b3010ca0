//! Errors of calls whose arguments match no signature of the function. DataFusion lists every signature that it tried, in
//! terms of its type system, and reports some of these as internal errors.

/// The error in one sentence; `None` for other errors.
pub fn plain(text: &str) -> Option<String> {
    if let Some((_, own)) = text.split_once("user-defined coercion failed with: ") {
        // The function's own message is better.
        let own = own.split(". No function matches").next().unwrap_or(own);
        let own = own.split(" No function matches").next().unwrap_or(own);
        return Some(without_layers(own.trim_end_matches(['.', ' '])));
    }
    let (_, rest) = text.split_once("Function '").or_else(|| text.split_once("function '"))?;
    let (name, rest) = rest.split_once("' ")?;
    if let Some(errors) = rest.strip_prefix("failed to match any signature, errors: ") {
        return Some(all_forms(name, errors));
    }
    let first = rest.split("No function matches").next().unwrap_or(rest).trim();
    one_form(first).map(|form| form.told(name))
}

/// The text without the sentences that ask users to report a bug to DataFusion.
pub fn without_blame(text: &str) -> String {
    const START: &str = "This issue was likely caused by a bug in DataFusion";
    const END: &str = "/datafusion/issues";
    let mut rest = text;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once(START) {
        kept.push_str(before.trim_end());
        rest = after.split_once(END).map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    kept.trim_end().to_owned()
}

/// What one form of a function asked for.
#[derive(Debug, PartialEq)]
enum Form {
    Type { wanted: String, given: String },
    Count { wanted: String, given: String },
}

impl Form {
    fn told(&self, name: &str) -> String {
        match self {
            Self::Type { wanted, given } => format!("{name} takes {wanted}, not {given}"),
            Self::Count { wanted, given } => count(name, wanted, given),
        }
    }
}

fn count(name: &str, wanted: &str, given: &str) -> String {
    format!("{name} takes {wanted} {}, not {given}", if wanted == "1" { "argument" } else { "arguments" })
}

/// `requires String, but received Int64 (DataType: Int64).` or `expects 2 arguments but received 3`.
fn one_form(text: &str) -> Option<Form> {
    if let Some(rest) = text.strip_prefix("requires ").or_else(|| text.strip_prefix("expects NativeType::")) {
        let (wanted, given) = rest.split_once(", but received ").or_else(|| rest.split_once(" but received "))?;
        let given = given.trim_start_matches("NativeType::").split([' ', ',', '.']).next()?;
        return Some(Form::Type { wanted: wanted.to_owned(), given: given.to_owned() });
    }
    let rest = text.strip_prefix("expects ").or_else(|| text.strip_prefix("expected "))?;
    let counted = rest.split_once(" arguments but received ").or_else(|| rest.split_once(" argument but received "));
    if let Some((wanted, given)) = counted {
        let wanted = if wanted == "zero" { "0" } else { wanted };
        let given = given.split([' ', ',', '.']).next()?;
        return Some(Form::Count { wanted: wanted.to_owned(), given: given.to_owned() });
    }
    let (wanted, given) = rest.split_once(" but received ")?;
    let given = given.split([' ', ',', '.']).next()?;
    (!wanted.contains(' ')).then(|| Form::Type { wanted: wanted.to_owned(), given: given.to_owned() })
}

fn all_forms(name: &str, errors: &str) -> String {
    let own = format!("Function '{name}' ");
    let errors = &errors.replace("The function '", "Function '");
    let forms: Vec<Form> =
        errors.split(own.as_str()).filter_map(|error| one_form(error.trim_end_matches([',', ' ']))).collect();
    let (mut types, mut counts, mut given) = (vec![], vec![], None);
    for form in forms {
        match form {
            Form::Type { wanted, given: found } => {
                given = Some(found);
                if !types.contains(&wanted) {
                    types.push(wanted);
                }
            }
            Form::Count { wanted, given: found } => {
                if types.is_empty() && given.is_none() {
                    given = Some(found);
                }
                if !counts.contains(&wanted) {
                    counts.push(wanted);
                }
            }
        }
    }
    match given {
        Some(given) if !types.is_empty() => format!("{name} does not take {given} here; it takes {}", types.join(", ")),
        Some(given) => count(name, &counts.join(" or "), &given),
        None => {
            format!("{name} does not take these arguments: {}", errors.replace(own.as_str(), "").trim_end_matches('.'))
        }
    }
}

fn without_layers(text: &str) -> String {
    let mut text = text;
    for layer in ["Error during planning: ", "Execution error: ", "Internal error: "] {
        text = text.strip_prefix(layer).unwrap_or(text);
    }
    plain(text).unwrap_or_else(|| text.to_owned())
}

/// `Unsupported ast node in sqltorel: Collate { expr: ... }` without the tree.
pub fn without_syntax_trees(text: &str) -> String {
    for opening in ["Unsupported ast node in sqltorel: ", "Unsupported ast node "] {
        if let Some((_, tree)) = text.split_once(opening) {
            let kind: String = tree.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
            return format!("an expression of the kind {kind}");
        }
    }
    if text.contains("OuterReferenceColumn") {
        return "a column of the outer query in this place of a subquery".to_owned();
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_become_a_sentence() {
        for (said, told) in [
            (
                "Function 'sum' failed to match any signature, errors: Function 'sum' requires Decimal, but received String (DataType: Utf8).,Function 'sum' requires UInt64, but received String (DataType: Utf8)..",
                "sum does not take String here; it takes Decimal, UInt64",
            ),
            (
                "Function 'minhash' failed to match any signature, errors: Function 'minhash' expects 2 arguments but received 3,Function 'minhash' requires String, but received Int64 (DataType: Int64).,Function 'minhash' expects 4 arguments but received 3.",
                "minhash does not take Int64 here; it takes String",
            ),
            (
                "Function 'f' failed to match any signature, errors: Function 'f' expects 2 arguments but received 3,Function 'f' expects 4 arguments but received 3.",
                "f takes 2 or 4 arguments, not 3",
            ),
            (
                "Function 'abs' expects NativeType::Numeric but received NativeType::String. No function matches the given name and argument types 'abs(Utf8)'. You might need to add explicit type casts.",
                "abs takes Numeric, not String",
            ),
            (
                "Function 'word_shingles' requires String, but received Int64 (DataType: Int64).. No function matches the given name",
                "word_shingles takes String, not Int64",
            ),
            (
                "Function 'cosine_similarity' user-defined coercion failed with: Error during planning: cosine_similarity: a vector is a list of floats, not Utf8. No function matches the given name and argument types",
                "cosine_similarity: a vector is a list of floats, not Utf8",
            ),
            (
                "Function 'lag' failed to match any signature, errors: The function 'lag' expected zero argument but received 4,The function 'lag' expected 2 arguments but received 4.",
                "lag takes 0 or 2 arguments, not 4",
            ),
            ("Function 'abs' expects 1 arguments but received 2 No function matches", "abs takes 1 argument, not 2"),
        ] {
            assert_eq!(plain(said).as_deref(), Some(told));
        }
        assert_eq!(plain("there is no column function"), None);
        let blamed = "a is no Map.\nThis issue was likely caused by a bug in DataFusion's code. Please help us to resolve this by filing a bug \
                      report in our issue tracker: https://github.com/apache/datafusion/issues No function matches";
        assert_eq!(without_blame(blamed), "a is no Map. No function matches");
    }
}
