//! Files of Rust, parsed.

use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Meta};

use super::root;

/// The crates of the workspace: the name in Rust, and the folder.
pub(super) fn crates() -> Vec<(String, String)> {
    let workspace = super::read("Cargo.toml");
    let members = workspace.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    let members = members.split('"').skip(1).step_by(2);
    std::iter::once("").chain(members).map(|folder| (name(folder), folder.to_owned())).collect()
}

fn name(folder: &str) -> String {
    let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let package = manifest.split("[package]").nth(1).unwrap();
    package.lines().find_map(|line| line.strip_prefix("name = ")).unwrap().trim_matches('"').replace('-', "_")
}

/// Every `.rs` file of the repository, those of tests and benches too, in order.
pub(super) fn files() -> Vec<String> {
    let mut found = vec![];
    for (_, folder) in crates() {
        for part in ["src", "tests", "benches", "examples", "fuzz_targets"] {
            let folder = Path::new(&folder).join(part);
            if root().join(&folder).is_dir() {
                walk(&folder, &mut found);
            }
        }
    }
    found.sort();
    found
}

fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in root().join(folder).read_dir().unwrap() {
        let path = folder.join(entry.unwrap().file_name());
        if root().join(&path).is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path.to_str().unwrap().replace('\\', "/"));
        }
    }
}

pub(super) fn parse(path: &str) -> syn::File {
    syn::parse_file(&super::read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Whether an item is there in tests only.
pub(super) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.segments.last().is_some_and(|segment| segment.ident == "test"),
        Meta::List(list) if list.path.is_ident("cfg") => needs_test(list.tokens.clone()),
        _ => false,
    })
}

/// Whether a condition holds in tests only: `test`, or `all(..)` with one of these.
fn needs_test(condition: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = condition.into_iter().collect();
    match tokens.as_slice() {
        [TokenTree::Ident(word)] => word == "test",
        [TokenTree::Ident(word), TokenTree::Group(group)] if word == "all" => {
            let parts: Vec<TokenTree> = group.stream().into_iter().collect();
            let parts = parts.split(|token| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ','));
            parts.into_iter().any(|part| needs_test(part.iter().cloned().collect()))
        }
        _ => false,
    }
}

/// The attributes of an item.
pub(super) fn attributes(item: &syn::Item) -> &[Attribute] {
    use syn::Item::{
        Const, Enum, ExternCrate, Fn, ForeignMod, Impl, Macro, Mod, Static, Struct, Trait, TraitAlias, Type, Union, Use,
    };
    match item {
        Const(item) => &item.attrs,
        Enum(item) => &item.attrs,
        ExternCrate(item) => &item.attrs,
        Fn(item) => &item.attrs,
        ForeignMod(item) => &item.attrs,
        Impl(item) => &item.attrs,
        Macro(item) => &item.attrs,
        Mod(item) => &item.attrs,
        Static(item) => &item.attrs,
        Struct(item) => &item.attrs,
        Trait(item) => &item.attrs,
        TraitAlias(item) => &item.attrs,
        Type(item) => &item.attrs,
        Union(item) => &item.attrs,
        Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Where the file of the module `name` is that `parent` declares.
pub(super) fn child(parent: &Path, name: &str) -> PathBuf {
    let folder = match parent.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod" | "lib" | "main") | None => parent.parent().unwrap().to_owned(),
        Some(stem) => parent.parent().unwrap().join(stem),
    };
    let file = folder.join(format!("{name}.rs"));
    if root().join(&file).is_file() { file } else { folder.join(name).join("mod.rs") }
}
