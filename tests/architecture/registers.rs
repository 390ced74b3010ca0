//! What stands in a folder stands in the list that registers it.

use std::collections::{BTreeMap, BTreeSet};

use syn::Item;

use super::{read, source};

const FUNCTIONS: &str = "udfs/src/functions/";
const LIST: &str = "udfs/src/register.rs";

/// Functions that stand for those of DataFusion with their names, so that they need those to be made.
const REPLACEMENTS: &[&str] = &["StringToArray"];

/// The types in the folder of functions that implement one of DataFusion's traits of functions, with their files.
fn functions() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for file in source::files().into_iter().filter(|file| file.starts_with(FUNCTIONS)) {
        for item in source::parse(&file).items {
            let Item::Impl(item) = item else { continue };
            let Some(kind) = item.trait_.as_ref().and_then(|(_, path, _)| path.segments.last()) else { continue };
            let is_function =
                ["ScalarUDFImpl", "AggregateUDFImpl", "WindowUDFImpl"].iter().any(|name| kind.ident == name);
            if let (true, syn::Type::Path(name)) = (is_function, &*item.self_ty) {
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
    let functions = functions();
    assert!(functions.len() > 50, "{functions:?}");
    for (name, file) in functions {
        assert!(
            words.contains(name.as_str()) || REPLACEMENTS.contains(&name.as_str()),
            "{file} is not registered: add {name} to the list of its kind in {LIST}"
        );
    }
}
