//! The modules of the crates: what each defines, and which names it brings in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::Visit;
use syn::{Item, UseTree};

use super::source;

/// One module, in a file of its own or inside another's.
#[derive(Default)]
pub(super) struct Module {
    /// Its file.
    pub file: String,
    /// What it defines itself.
    pub items: BTreeSet<String>,
    /// The modules in it.
    pub children: BTreeMap<String, usize>,
    /// Names that `use` brings in, with their paths.
    pub uses: BTreeMap<String, Vec<String>>,
    /// Modules of which `use` brings in everything.
    pub globs: Vec<Vec<String>>,
    /// The module that it is in.
    pub parent: Option<usize>,
    /// Paths that its code names: all of `use`, and those of more than one name elsewhere.
    pub paths: BTreeSet<Vec<String>>,
}

/// The modules of all crates, without those of tests.
#[derive(Default)]
pub(super) struct Modules {
    pub all: Vec<Module>,
    /// The first module of each crate, by the crate's name.
    pub crates: BTreeMap<String, usize>,
}

impl Modules {
    pub(super) fn read() -> Self {
        let mut found = Self::default();
        for (name, folder) in source::crates() {
            let file = Path::new(&folder).join("src/lib.rs");
            if super::root().join(&file).is_file() {
                let index = found.file(&file, None);
                found.crates.insert(name, index);
            }
        }
        found
    }

    fn file(&mut self, file: &Path, parent: Option<usize>) -> usize {
        let name = file.to_str().unwrap().replace('\\', "/");
        let items = source::parse(&name).items;
        self.module(&name, &items, parent)
    }

    fn module(&mut self, file: &str, items: &[Item], parent: Option<usize>) -> usize {
        let index = self.all.len();
        self.all.push(Module { file: file.to_owned(), parent, ..Default::default() });
        for item in items.iter().filter(|item| !source::is_test(source::attributes(item))) {
            match item {
                Item::Mod(module) => {
                    let name = module.ident.to_string();
                    let child = match &module.content {
                        Some((_, items)) => self.module(file, items, Some(index)),
                        None => self.file(&source::child(Path::new(file), &name), Some(index)),
                    };
                    self.all[index].children.insert(name, child);
                }
                item => {
                    self.all[index].items.extend(defined(item));
                    Names(&mut self.all[index]).visit_item(item);
                }
            }
        }
        index
    }
}

/// The name that an item defines.
fn defined(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        _ => return None,
    };
    Some(ident.to_string())
}

/// Gathers the paths that an item names.
struct Names<'a>(&'a mut Module);

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !source::is_test(source::attributes(item)) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&item.tree, &mut vec![]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let path_of: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if path_of.len() > 1 {
            self.0.paths.insert(path_of);
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }
}

impl Names<'_> {
    fn tree(&mut self, tree: &UseTree, before: &mut Vec<String>) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.tree(&path.tree, before);
                before.pop();
            }
            UseTree::Name(name) => self.bring(&name.ident.to_string(), &name.ident.to_string(), before),
            UseTree::Rename(name) => self.bring(&name.ident.to_string(), &name.rename.to_string(), before),
            UseTree::Glob(_) => {
                self.0.globs.push(before.clone());
                self.0.paths.insert(before.clone());
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree, before)),
        }
    }

    fn bring(&mut self, name: &str, alias: &str, before: &[String]) {
        let mut path = before.to_vec();
        let alias = if name == "self" { before.last().map_or(alias, String::as_str) } else { alias }.to_owned();
        if name != "self" {
            path.push(name.to_owned());
        }
        self.0.paths.insert(path.clone());
        self.0.uses.insert(alias, path);
    }

    /// Paths in the arguments of a macro, which are not parsed.
    fn tokens(&mut self, tokens: proc_macro2::TokenStream) {
        use proc_macro2::TokenTree::{Group, Ident, Punct};
        let mut path: Vec<String> = vec![];
        let mut colons = 0;
        for token in tokens {
            match token {
                Ident(ident) => {
                    if colons != 2 {
                        self.end(&mut path);
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                Punct(mark) if mark.as_char() == ':' && !path.is_empty() => colons += 1,
                other => {
                    self.end(&mut path);
                    colons = 0;
                    if let Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Vec<String>) {
        if path.len() > 1 {
            self.0.paths.insert(std::mem::take(path));
        }
        path.clear();
    }
}
