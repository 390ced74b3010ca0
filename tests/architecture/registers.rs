//! What stands in a folder stands in the list that registers it.

use std::collections::{BTreeMap, BTreeSet};

use syn::Item;

use super::{read, source};

const FUNCTIONS: &str = "udfs/src/functions/";
const LIST: &str = "udfs/src/register.rs";

/// Functions that stand for those of DataFusion with their names, so that they need those to be made.
const REPLACEMENTS: &[&str] = &["StringToArray"];

/// The types below a folder that implement one of these traits, with their files.
fn implementors(folder: &str, traits: &[&str]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for file in source::files().into_iter().filter(|file| file.starts_with(folder) && !file.ends_with("tests.rs")) {
        for item in source::parse(&file).items {
            let Item::Impl(item) = item else { continue };
            let Some(kind) = item.trait_.as_ref().and_then(|(_, path, _)| path.segments.last()) else { continue };
            let is_wanted = traits.iter().any(|name| kind.ident == name);
            if let (true, syn::Type::Path(name)) = (is_wanted, &*item.self_ty) {
                found.insert(name.path.segments.last().unwrap().ident.to_string(), file.clone());
            }
        }
    }
    found
}

#[test]
fn each_function_is_registered() {
    let list = read(LIST);
    let code = list.lines().filter(|line| !line.starts_with("use "));
    let words: BTreeSet<&str> = code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric())).collect();
    let functions = implementors(FUNCTIONS, &["ScalarUDFImpl", "AggregateUDFImpl", "WindowUDFImpl"]);
    assert!(functions.len() > 50, "{functions:?}");
    for (name, file) in functions {
        assert!(
            words.contains(name.as_str()) || REPLACEMENTS.contains(&name.as_str()),
            "{file} is not registered: add {name} to the list of its kind in {LIST}"
        );
    }
}

const OPERATORS: &str = "udfs/src/operators/";
const OPERATOR_LIST: &str = "udfs/src/operators/mod.rs";

#[test]
fn each_operator_is_in_the_list() {
    let list = read(OPERATOR_LIST);
    let operators = implementors(OPERATORS, &["RelationOperator", "SqlOperator"]);
    assert!(operators.len() > 18, "{operators:?}");
    for (name, file) in operators {
        assert!(
            list.contains(&format!("::{name}>()")),
            "{file} is not in the list: add `Entry::operator::<...::{name}>(),` to OPERATORS in {OPERATOR_LIST}"
        );
    }
}

/// Files of tests in which operators are compared with their reference implementations.
const TWINS: [&str; 8] =
    ["operators", "scores", "concepts", "vectors", "embed", "materialize", "properties", "everywhere"];

#[test]
fn each_operator_has_a_reference_implementation() {
    let texts: String = TWINS.iter().map(|name| read(&format!("tests/it/{name}.rs"))).collect();
    let names = implementors(OPERATORS, &["SqlOperator"]);
    assert!(names.len() > 18, "{names:?}");
    for (name, file) in names {
        let sql = sql_name(&name);
        assert!(
            texts.contains(&format!("{sql}(")),
            "{file}: no test compares {sql} with a reference implementation; write one into tests/it/operators.rs"
        );
    }
}

/// `ExactDedup` as SQL calls it.
fn sql_name(name: &str) -> String {
    let mut sql = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !sql.is_empty() {
            sql.push('_');
        }
        sql.push(letter.to_ascii_lowercase());
    }
    sql
}

const FORMATS: &str = "connectors/src/sources/";
const FORMAT_LIST: &str = "connectors/src/sources/formats.rs";

#[test]
fn each_format_is_in_the_list() {
    let list = read(FORMAT_LIST);
    let formats = implementors(FORMATS, &["SourceFormat"]);
    assert!(formats.len() > 3, "{formats:?}");
    for (name, file) in formats {
        assert!(
            list.contains(&format!("::{name}")),
            "{file} is not in the list: add {name} to FORMATS in {FORMAT_LIST}"
        );
    }
}
