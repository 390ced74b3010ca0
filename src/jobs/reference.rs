//! The reference of the job file, generated from the types that parse it: a JSON schema for editors, and a page for people.

use serde_json::{Map, Value, json};

use super::describe::{Describe, Kind};
use super::model::JobFile;
use super::source::format_words;

/// Formats a sink may have.
pub const SINK_FORMATS: [&str; 10] =
    ["parquet", "jsonl", "jsonl.gz", "jsonl.zst", "csv", "csv.gz", "csv.zst", "tsv", "tsv.gz", "tsv.zst"];

/// Values of `keep`.
pub const KEEP: [&str; 3] = ["all", "last", "none"];

/// The types of a job file, the file itself first.
fn kinds() -> Vec<Kind> {
    let mut kinds = Vec::new();
    JobFile::kinds(&mut kinds);
    kinds
}

/// The JSON schema of a job file, as editors want it.
pub fn schema() -> Value {
    let definitions = kinds().iter().map(|kind| (kind.name.to_owned(), definition(kind))).collect::<Map<_, _>>();
    let mut schema = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "limpid job" });
    schema["$ref"] = JobFile::schema()["$ref"].clone();
    schema["$defs"] = definitions.into();
    schema
}

/// The schema as text.
pub fn schema_text() -> String {
    format!("{:#}\n", schema())
}

fn definition(kind: &Kind) -> Value {
    let mut properties = Map::new();
    for key in &kind.keys {
        let mut schema = key.schema.clone();
        schema["description"] = key.about.clone().into();
        properties.insert(key.name.to_owned(), schema);
    }
    let required: Vec<_> = kind.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut definition = json!({
        "type": "object", "description": kind.about, "properties": properties, "required": required, "additionalProperties": false,
    });
    // A step is exactly one of its three kinds; serde cannot say so, and the job checks it where it is resolved.
    if kind.name == "Step" {
        definition["oneOf"] = json!([{ "required": ["sql"] }, { "required": ["rules"] }, { "required": ["recipe"] }]);
    }
    definition
}

/// One of `words`, or a text with a variable.
fn words(words: &[&str]) -> Value {
    json!({ "anyOf": [{ "enum": words }, { "type": "string", "pattern": "\\$\\{" }, { "type": "null" }] })
}

/// The values of `keep`.
pub(super) fn keep() -> Value {
    words(&KEEP)
}

/// The formats of a source.
pub(super) fn source_format() -> Value {
    words(&format_words())
}

/// The formats of a sink.
pub(super) fn sink_format() -> Value {
    words(&SINK_FORMATS)
}

/// True, false, or a text with a variable.
pub(super) fn boolean() -> Value {
    json!({ "anyOf": [{ "enum": [true, false, "true", "false"] }, { "type": "string", "pattern": "\\$\\{" }, { "type": "null" }] })
}

/// The names of recipes, or a path.
pub(super) fn recipe() -> Value {
    let names: Vec<_> = crate::recipes::names().collect();
    json!({ "anyOf": [{ "enum": names }, { "type": "string", "pattern": "\\$\\{|\\.sql$" }, { "type": "null" }] })
}

/// The page `docs/job-file.md`.
pub fn page() -> String {
    let kinds = kinds();
    let about = kinds.first().map_or("", |kind| &kind.about);
    let mut page = format!(
        "# The job file\n\n\
         <!-- Generated from the code: UPDATE_DOCS=1 cargo test --release --test it job_file -->\n\n\
         {about}\n\n\
         `limpid init job.yaml` writes a commented job file. `limpid init --schema > job.schema.json` writes a JSON schema, with which \
         editors complete keys, show what they are and mark mistakes: with the YAML language server, the line \
         `# yaml-language-server: $schema=job.schema.json` at the top of the job file is all they need. A key that is not listed here is an \
         error that names its line. [Jobs](jobs.md) tells what a run does.\n"
    );
    for kind in &kinds {
        if let Some(path) = place(kind.name) {
            page.push_str(&format!("\n## {path}\n\n{}\n", kind.about));
        }
        page.push_str("\n| key | required | value | what it is |\n|---|---|---|---|\n");
        for key in &kind.keys {
            let (required, value) = (if key.required { "yes" } else { "" }, value_of(&key.schema));
            page.push_str(&format!("| `{}` | {required} | {value} | {} |\n", key.name, key.about));
        }
    }
    page
}

/// Where a type stands in the file.
fn place(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "Source" => "Sources",
        "Step" => "Steps",
        "Check" => "Checks",
        "Sink" => "Sink",
        _ => return None,
    })
}

/// What stands behind a key, in words.
fn value_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        let place = place(name).unwrap_or_default().to_lowercase();
        return format!("[{}](#{place})", name.to_lowercase());
    }
    if let Some(values) = schema.get("additionalProperties") {
        return format!("a mapping: name to {}", value_of(values));
    }
    if let Some(items) = schema.get("items") {
        return format!("a list of {}", value_of(items));
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<_> = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return if words.len() > 12 { "text".to_owned() } else { words.join(", ") };
    }
    let choices = schema["anyOf"].as_array().into_iter().flatten();
    // That a variable may stand anywhere is said once, at the top.
    let choices = choices.filter(|choice| choice["type"] != "null" && choice.get("pattern").is_none());
    let choices: Vec<_> = choices.map(value_of).collect();
    if choices.is_empty() { "text".to_owned() } else { choices.join(", or ") }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use limpid_connectors::sinks::encode::WriteKind;

    use super::*;

    #[test]
    fn the_schema_says_what_the_types_do() {
        for format in SINK_FORMATS {
            assert!(format.parse::<WriteKind>().is_ok(), "{format}");
        }
        let job = "name: a\nsources: { s: { paths: x } }\nsteps: [{ name: b, sql: SELECT 1 }]\n";
        JobFile::parse(job, Path::new("job.yaml")).unwrap();
        let kinds = kinds();
        assert_eq!(
            kinds.iter().map(|kind| kind.name).collect::<Vec<_>>(),
            ["JobFile", "Source", "Step", "Check", "Sink"]
        );
        for key in kinds.iter().flat_map(|kind| &kind.keys) {
            assert!(!key.about.is_empty(), "{} says what it is", key.name);
        }
        let required: Vec<_> = kinds[0].keys.iter().filter(|key| key.required).map(|key| key.name).collect();
        assert_eq!(required, ["name", "sources", "steps"]);
        for key in required {
            let without = job.lines().filter(|line| !line.starts_with(key)).collect::<Vec<_>>().join("\n");
            assert!(JobFile::parse(&without, Path::new("job.yaml")).unwrap_err().to_string().contains(key), "{key}");
        }
        // The error of an unknown key lists what the schema has.
        let error = JobFile::parse(&format!("{job}nmae: b\n"), Path::new("job.yaml")).unwrap_err().to_string();
        for key in &kinds[0].keys {
            assert!(error.contains(key.name), "{}: {error}", key.name);
        }
    }
}
