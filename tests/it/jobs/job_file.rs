//! The reference of the job file is the code's own, and every job of the repository is as the schema says.

use std::fs;
use std::path::{Path, PathBuf};

use limpid::jobs::reference;
use regex::Regex;
use serde_json::{Value, json};

use super::{Workplace, stdout};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn job_file_reference_is_up_to_date() {
    for (name, expected) in
        [("docs/job-file.md", reference::page()), ("docs/job.schema.json", reference::schema_text())]
    {
        let path = root().join(name);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &expected).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == expected,
            "{name} is not what the code says: run UPDATE_DOCS=1 cargo test --release --test it job_file"
        );
    }
    let place = Workplace::new(1);
    assert_eq!(stdout(&place.limpid(&["init", "--schema"])), reference::schema_text());
}

#[test]
fn job_file_examples_are_as_the_schema_says() {
    let mut jobs = vec![root().join("src/cli/init.yaml")];
    let examples = fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    jobs.extend(examples.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")));
    assert!(jobs.len() >= 5, "{jobs:?}");
    for path in jobs {
        assert_eq!(problem(&job(&path)), None, "{}", path.display());
    }
}

#[test]
fn job_file_mistakes_are_mistakes_to_the_schema() {
    let good = job(&root().join("examples/tiny.yaml"));
    assert_eq!(problem(&good), None);
    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut job = good.clone();
        change(&mut job);
        problem(&job).expect("the schema takes a wrong job")
    };
    assert!(wrong(&|job| job["nmae"] = json!("x")).contains("nmae"));
    assert!(wrong(&|job| job["steps"][0]["rulez"] = json!({})).contains("rulez"));
    assert!(wrong(&|job| job["steps"][0]["sql"] = json!("SELECT 1")).contains("oneOf"));
    assert!(wrong(&|job| job["keep"] = json!("some")).contains("keep"));
    assert!(wrong(&|job| job["sink"]["format"] = json!("xml")).contains("format"));
    assert!(wrong(&|job| job["sources"]["sentences"] = json!({ "format": "json" })).contains("paths"));
    assert!(wrong(&|job| job["checks"] = json!("SELECT 1")).contains("checks"));
    assert!(wrong(&|job| drop(job.as_object_mut().unwrap().remove("name"))).contains("name"));
}

fn job(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// What is wrong with `job`, by the schema.
fn problem(job: &Value) -> Option<String> {
    let schema = reference::schema();
    check(&schema, &schema, job, "job").err()
}

/// The part of JSON Schema that the schema uses; another keyword is a panic, so that none is passed over.
fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let all = |schemas: &Value| -> Vec<Result<(), String>> {
        schemas.as_array().unwrap().iter().map(|schema| check(root, schema, value, at)).collect()
    };
    for (keyword, rule) in schema.as_object().unwrap() {
        let holds = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" => true,
            "$ref" => {
                let pointer = rule.as_str().unwrap().trim_start_matches('#');
                check(root, root.pointer(pointer).unwrap(), value, at)?;
                true
            }
            "type" => {
                let kinds = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
                kinds.iter().any(|kind| match kind.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    other => panic!("the type {other}"),
                })
            }
            "enum" => rule.as_array().unwrap().contains(value),
            "pattern" => value.as_str().is_none_or(|text| Regex::new(rule.as_str().unwrap()).unwrap().is_match(text)),
            "anyOf" => all(rule).iter().any(Result::is_ok),
            "oneOf" => all(rule).iter().filter(|result| result.is_ok()).count() == 1,
            "required" => {
                let missing = rule.as_array().unwrap().iter().find(|key| value.get(key.as_str().unwrap()).is_none());
                match missing.filter(|_| value.is_object()) {
                    Some(key) => return Err(format!("{at}: {key} is missing")),
                    None => true,
                }
            }
            "properties" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    rule.get(key).map_or(Ok(()), |schema| check(root, schema, value, &format!("{at}.{key}")))?;
                }
                true
            }
            "additionalProperties" => {
                let known = |key: &str| schema["properties"].get(key).is_some();
                for (key, value) in value.as_object().into_iter().flatten().filter(|(key, _)| !known(key)) {
                    match rule {
                        Value::Bool(allowed) if !allowed => return Err(format!("{at}.{key}: unknown key")),
                        rule => check(root, rule, value, &format!("{at}.{key}"))?,
                    }
                }
                true
            }
            "items" => {
                value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .try_for_each(|item| check(root, rule, item, &format!("{at}[]")))?;
                true
            }
            other => panic!("the schema uses `{other}`, which this test does not know"),
        };
        if !holds {
            return Err(format!("{at}: {value} breaks {keyword}"));
        }
    }
    Ok(())
}
