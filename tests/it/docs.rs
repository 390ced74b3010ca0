//! The reference is the code's own, and its examples are true.

use std::path::Path;

use arrow::util::pretty::pretty_format_batches_with_schema;
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use limpid::docs::{entries, reference};
use limpid::session::{EngineOptions, context, statement};

use super::slt;

#[test]
fn docs_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/functions.md");
    let expected = reference(&entries());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/functions.md is not what the code says: run UPDATE_DOCS=1 cargo test --release --test it docs"
    );
}

#[test]
fn docs_are_complete() {
    for entry in entries() {
        let name = &entry.name;
        let documentation = entry.documentation.unwrap_or_else(|| panic!("{name} has no documentation"));
        assert!(documentation.syntax_example.starts_with(&format!("{name}(")), "syntax of {name}");
        assert!(documentation.sql_example.is_some(), "{name} has no example");
        assert!(documentation.arguments.is_some_and(|arguments| !arguments.is_empty()), "{name} names no argument");
        for related in documentation.related_udfs.iter().flatten() {
            assert!(entries().iter().any(|entry| entry.name == *related), "{name} refers to {related}");
        }
    }
}

#[test]
fn docs_entries_have_an_slt() {
    let mut texts = String::new();
    let mut files = vec![];
    slt::collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("queries/slt"), &mut files).unwrap();
    for file in files {
        texts += &std::fs::read_to_string(file).unwrap().to_lowercase();
    }
    let is_called = |name: &str| {
        let call = format!("{name}(");
        texts.match_indices(&call).any(|(at, _)| !texts[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let missing: Vec<String> = entries().into_iter().map(|entry| entry.name).filter(|name| !is_called(name)).collect();
    assert!(
        missing.is_empty(),
        "no file of queries/slt calls {}: write queries/slt/functions/NAME.slt or queries/slt/operators/NAME.slt, and let \
         UPDATE_SLT=1 cargo test --release -p limpid --test it slt fill in the answers",
        missing.join(", ")
    );
}

#[test]
fn docs_recipes_are_those_of_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries/recipes");
    let names: Vec<&str> = limpid::recipes::names().collect();
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let name = file.strip_suffix(".sql").unwrap_or_else(|| panic!("queries/recipes/{file} is no .sql file"));
        assert!(names.contains(&name), "recipe {file} is not listed: add \"{name}\" to BUILT_IN in src/recipes/mod.rs");
    }
}

#[tokio::test]
async fn docs_examples_are_true() {
    let mut wrong = String::new();
    for entry in entries() {
        let example = entry.documentation.and_then(|documentation| documentation.sql_example).unwrap_or_default();
        let ctx = context(&EngineOptions::default()).unwrap();
        let statements = statements(&example);
        assert!(!statements.is_empty(), "the example of {} has no statement after '> '", entry.name);
        for (sql, expected) in statements {
            let found = run(&ctx, &sql).await.unwrap_or_else(|error| error.to_string());
            if found != expected {
                wrong += &format!("{}: {sql}\n{found}\n-- but the documentation has\n{expected}\n", entry.name);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

pub(super) async fn run(ctx: &SessionContext, sql: &str) -> Result<String> {
    let frame = statement::sql(ctx, sql).await?;
    let schema = std::sync::Arc::clone(frame.schema().inner());
    Ok(pretty_format_batches_with_schema(schema, &frame.collect().await?)?.to_string())
}

/// The statements of an example, each with the result below it; none where it does not start with one.
pub(super) fn statements(example: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = vec![];
    let mut open = false;
    for line in example.lines().filter(|line| !line.starts_with("```")) {
        match (line.strip_prefix("> "), found.last_mut()) {
            (Some(start), _) if !open => {
                found.push((start.to_owned(), String::new()));
                open = !start.ends_with(';');
            }
            (rest, Some((sql, _))) if open => {
                *sql = format!("{sql}\n{}", rest.unwrap_or(line));
                open = !line.ends_with(';');
            }
            (_, Some((_, result))) => {
                if !result.is_empty() {
                    result.push('\n');
                }
                result.push_str(line);
            }
            _ => return vec![],
        }
    }
    found
}
