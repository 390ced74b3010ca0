//! What must not come back: nodes of their own, matches on display text, chains of downcasts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use syn::visit::Visit;
use syn::{Expr, ImplItemFn, Item, ItemFn};

use super::{graph, known, source};

/// A function that asks for more types than this by downcasting has a list of types in it.
const MAX_DOWNCASTS: usize = 2;

/// What texts are asked.
const QUESTIONS: [&str; 9] =
    ["contains", "starts_with", "ends_with", "find", "rfind", "strip_prefix", "strip_suffix", "split_once", "eq"];

/// What the visitor finds in one file.
#[derive(Default)]
struct Found {
    execution_plans: BTreeSet<String>,
    display_text: BTreeMap<String, usize>,
    downcasts: BTreeMap<String, BTreeSet<String>>,
    /// The function that is being read.
    function: Vec<String>,
    /// Names in it that are the display text of something.
    texts: BTreeSet<String>,
}

/// What is found in each production file. They are read once.
static FOUND: LazyLock<Vec<(&str, Found)>> = LazyLock::new(|| {
    let read = |file: &'static String| {
        let mut found = Found::default();
        found.visit_file(&source::parse(file));
        (file.as_str(), found)
    };
    graph::files().keys().map(read).collect()
});

impl Found {
    fn function(&self) -> String {
        self.function.last().cloned().unwrap_or_default()
    }

    /// Whether an expression is the text in which something is shown.
    fn is_shown(&self, expr: &Expr) -> bool {
        match expr {
            Expr::MethodCall(call) if call.method == "to_string" => !matches!(*call.receiver, Expr::Lit(_)),
            Expr::MethodCall(call) => {
                ["as_str", "trim", "to_lowercase", "to_ascii_lowercase", "as_ref"]
                    .iter()
                    .any(|name| call.method == name)
                    && self.is_shown(&call.receiver)
            }
            Expr::Macro(call) => call.mac.path.is_ident("format") && call.mac.tokens.to_string().contains("?}"),
            Expr::Reference(expr) => self.is_shown(&expr.expr),
            Expr::Paren(expr) => self.is_shown(&expr.expr),
            Expr::Path(path) => path.path.get_ident().is_some_and(|name| self.texts.contains(&name.to_string())),
            _ => false,
        }
    }

    fn asked(&mut self) {
        *self.display_text.entry(self.function()).or_default() += 1;
    }

    fn in_function(&mut self, name: &syn::Ident, read: impl FnOnce(&mut Self)) {
        let texts = std::mem::take(&mut self.texts);
        self.function.push(name.to_string());
        read(self);
        self.function.pop();
        self.texts = texts;
    }
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item(&mut self, item: &'ast Item) {
        if !source::is_test(source::attributes(item)) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.in_function(&function.sig.ident, |this| syn::visit::visit_item_fn(this, function));
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.in_function(&function.sig.ident, |this| syn::visit::visit_impl_item_fn(this, function));
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let is_plan = item
            .trait_
            .as_ref()
            .is_some_and(|(_, path, _)| path.segments.last().is_some_and(|segment| segment.ident == "ExecutionPlan"));
        if let (true, syn::Type::Path(name)) = (is_plan, &*item.self_ty) {
            self.execution_plans.extend(name.path.segments.last().map(|segment| segment.ident.to_string()));
        }
        syn::visit::visit_item_impl(self, item);
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        let name = match &local.pat {
            syn::Pat::Ident(name) => Some(&name.ident),
            syn::Pat::Type(typed) => match &*typed.pat {
                syn::Pat::Ident(name) => Some(&name.ident),
                _ => None,
            },
            _ => None,
        };
        syn::visit::visit_local(self, local);
        if let (Some(name), Some(init)) = (name, &local.init) {
            if self.is_shown(&init.expr) {
                self.texts.insert(name.to_string());
            } else {
                self.texts.remove(&name.to_string());
            }
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if QUESTIONS.iter().any(|name| call.method == name) && self.is_shown(&call.receiver) {
            self.asked();
        }
        if call.method.to_string().starts_with("downcast") {
            let types = call.turbofish.iter().flat_map(|types| &types.args);
            let types = types.map(|kind| match kind {
                syn::GenericArgument::Type(syn::Type::Path(path)) => {
                    path.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default()
                }
                _ => String::new(),
            });
            let function = self.function();
            self.downcasts.entry(function).or_default().extend(types);
        }
        syn::visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_match(&mut self, expr: &'ast syn::ExprMatch) {
        let is_text = |pattern: &syn::Pat| matches!(pattern, syn::Pat::Lit(_) | syn::Pat::Or(_));
        if self.is_shown(&expr.expr) && expr.arms.iter().any(|arm| is_text(&arm.pat)) {
            self.asked();
        }
        syn::visit::visit_expr_match(self, expr);
    }

    fn visit_expr_binary(&mut self, expr: &'ast syn::ExprBinary) {
        let is_text = |side: &Expr| {
            matches!(side, Expr::Lit(literal) if matches!(literal.lit, syn::Lit::Str(_)))
                || matches!(side, Expr::Path(path) if path.path.get_ident().is_some_and(|name| {
                    name.to_string().chars().all(|c| !c.is_lowercase())
                }))
        };
        let is_question = matches!(expr.op, syn::BinOp::Eq(_) | syn::BinOp::Ne(_));
        let sides = [(&expr.left, &expr.right), (&expr.right, &expr.left)];
        if is_question && sides.iter().any(|(text, other)| self.is_shown(text) && is_text(other)) {
            self.asked();
        }
        syn::visit::visit_expr_binary(self, expr);
    }
}

/// `file what` of all that a rule finds.
fn in_files(of: impl Fn(&Found) -> Vec<String>) -> BTreeSet<String> {
    FOUND.iter().flat_map(|(file, found)| of(found).into_iter().map(move |what| format!("{file} {what}"))).collect()
}

#[test]
fn execution_plans_are_listed_with_a_reason() {
    known::check(
        "execution_plans",
        "A type implements ExecutionPlan. A relation operator needs no node of its own: see CONTRIBUTING.md. Where something else \
         does, list it in tests/architecture/known/execution_plans.txt with the reason.",
        &in_files(|found| found.execution_plans.iter().cloned().collect()),
    );
}

#[test]
fn nothing_matches_on_display_text() {
    known::check(
        "display_text",
        "The text in which something is shown decides. Ask for a variant, a type or a field.",
        &in_files(|found| found.display_text.iter().map(|(function, times)| format!("{function} {times}")).collect()),
    );
}

#[test]
fn no_function_downcasts_over_a_list_of_types() {
    let long = |found: &Found| {
        let functions = found.downcasts.iter().filter(|(_, types)| types.len() > MAX_DOWNCASTS);
        functions
            .map(|(function, types)| {
                format!("{function} {}", types.iter().map(String::as_str).collect::<Vec<_>>().join(" "))
            })
            .collect()
    };
    known::check(
        "downcasts",
        "A function downcasts to more than two types. Put what differs behind a trait that the types implement.",
        &in_files(long),
    );
}

#[test]
fn patterns_are_found() {
    let mut found = Found::default();
    let code = r#"
        impl<T> datafusion::ExecutionPlan for Some<T> {}
        fn asks(e: Error) { let x = e.to_string(); if x.contains("a") || e.to_string() == "b" || format!("{e:?}").starts_with("c") {} }
        fn fine(x: &str) { if x.contains("a") || "a".to_string().contains("b") || format!("{x}/").contains("c") {} }
        fn matches(e: Error) { match e.to_string().as_str() { "a" => 1, _ => 2 } }
        fn asks_types(p: &dyn Any) { p.downcast_ref::<A>(); p.downcast_ref::<b::B>(); p.downcast::<C>(); }
        #[cfg(test)] mod tests { fn asks_too(e: Error) { e.to_string().contains("a"); } }
    "#;
    found.visit_file(&syn::parse_file(code).unwrap());
    assert_eq!(found.execution_plans, BTreeSet::from(["Some".to_owned()]));
    assert_eq!(found.display_text, BTreeMap::from([("asks".to_owned(), 3), ("matches".to_owned(), 1)]));
    let types = ["A", "B", "C"].map(str::to_owned);
    assert_eq!(found.downcasts, BTreeMap::from([("asks_types".to_owned(), BTreeSet::from(types))]));
}
