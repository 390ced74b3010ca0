//! The SQL reference, generated from the documentation that every function and operator carries.

use std::fmt::Write;

use datafusion::logical_expr::Documentation;

/// One function or operator of the reference.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name in SQL.
    pub name: String,
    /// What it carries about itself; `None` where its author forgot, which a test forbids.
    pub documentation: Option<Documentation>,
}

/// Everything that limpid adds to SQL, in the order of the reference.
pub fn entries() -> Vec<Entry> {
    let entry = |name: &str, documentation: Option<&Documentation>| Entry {
        name: name.to_owned(),
        documentation: documentation.cloned(),
    };
    let scalars =
        limpid_udfs::register::scalar_functions().into_iter().chain(limpid_lakes::functions::scalar_functions());
    let scalars = scalars.map(|udf| entry(udf.name(), udf.documentation()));
    let aggregates = limpid_udfs::register::aggregate_functions().into_iter();
    let aggregates = aggregates.map(|udaf| entry(udaf.name(), udaf.documentation()));
    let windows = limpid_udfs::register::window_functions().into_iter();
    let windows = windows.map(|udwf| entry(udwf.name(), udwf.documentation()));
    let lakes = limpid_lakes::sql::docs::functions();
    let recipes = crate::recipes::docs::functions();
    let operators = limpid_udfs::register::operators().into_iter().chain(recipes).chain(lakes);
    let operators =
        operators.map(|operator| Entry { name: operator.name.to_owned(), documentation: Some(operator.documentation) });
    let readers = limpid_connectors::sources::functions::documentation().into_iter();
    let readers =
        readers.map(|(name, documentation)| Entry { name: name.to_owned(), documentation: Some(documentation) });
    operators.chain(readers).chain(scalars).chain(aggregates).chain(windows).collect()
}

/// The reference as Markdown: the sections of the documentation in the order in which the entries name them first.
pub fn reference(entries: &[Entry]) -> String {
    let documented: Vec<(&str, &Documentation)> =
        entries.iter().filter_map(|entry| Some((entry.name.as_str(), entry.documentation.as_ref()?))).collect();
    let mut sections: Vec<&str> = Vec::new();
    for (_, documentation) in &documented {
        if !sections.contains(&documentation.doc_section.label) {
            sections.push(documentation.doc_section.label);
        }
    }
    let of = |section: &str| -> Vec<(&str, &Documentation)> {
        documented.iter().filter(|(_, documentation)| documentation.doc_section.label == section).copied().collect()
    };
    let mut out = String::from(
        "# SQL reference\n\n\
         <!-- Generated from the code: UPDATE_DOCS=1 cargo test --release --test it docs -->\n\n\
         What limpid adds to the SQL of [Apache DataFusion](https://datafusion.apache.org/user-guide/sql/index.html).\n\
         Every example is run by the tests.\n",
    );
    for section in &sections {
        let names: Vec<String> = of(section).iter().map(|(name, _)| format!("[{name}](#{name})")).collect();
        text(&mut out, format_args!("\n- {section}: {}", names.join(", ")));
    }
    out.push('\n');
    for section in &sections {
        text(&mut out, format_args!("\n## {section}\n"));
        for (name, documentation) in of(section) {
            entry(&mut out, name, documentation);
        }
    }
    out
}

fn entry(out: &mut String, name: &str, documentation: &Documentation) {
    let Documentation { description, syntax_example, sql_example, arguments, alternative_syntax, related_udfs, .. } =
        documentation;
    text(out, format_args!("\n### {name}\n\n{}\n", description.trim()));
    text(out, format_args!("\n```sql\n{syntax_example}\n"));
    for syntax in alternative_syntax.iter().flatten() {
        text(out, format_args!("{syntax}\n"));
    }
    out.push_str("```\n");
    if let Some(arguments) = arguments {
        out.push('\n');
        for (argument, meaning) in arguments {
            // What a declared argument takes stands in parentheses.
            let colon = if meaning.starts_with('(') { "" } else { ":" };
            text(out, format_args!("- `{argument}`{colon} {meaning}\n"));
        }
    }
    if let Some(example) = sql_example {
        text(out, format_args!("\n{}\n", example.trim()));
    }
    if let Some(related) = related_udfs {
        let links: Vec<String> = related.iter().map(|name| format!("[{name}](#{name})")).collect();
        text(out, format_args!("\nSee also {}.\n", links.join(", ")));
    }
}

fn text(out: &mut String, part: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(part);
}
