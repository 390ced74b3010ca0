//! Parsers and argument lists, given any bytes: whatever comes in, nothing may panic.
//!
//! Each [`Target`] takes bytes and starts from seeds: files of the repository, and inputs in `fuzz/corpus/NAME` that once went
//! wrong or reach something rare. Two programs run the targets: `cargo test -p limpid-fuzz` changes seeds at random on any
//! toolchain, and `fuzz/run TARGET SECONDS` lets libFuzzer look for new paths.

mod engine;
mod files;
mod jobs;
mod models;
mod sql;
mod texts;

use std::io::Result;
use std::path::{Path, PathBuf};

/// Something that reads what users write.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Reads the bytes; only a panic is a mistake.
    pub run: fn(&[u8]),
    /// Files of the repository to start from: a folder, and how their names end.
    pub from: &'static [(&'static str, &'static str)],
    /// Inputs to start from.
    pub inputs: &'static [&'static str],
}

/// Every target. A new parser or argument list is one line here.
pub const TARGETS: &[Target] = &[
    Target { name: "job_yaml", run: jobs::job_yaml, from: &[("examples", ".yaml")], inputs: &[] },
    Target { name: "recipe", run: jobs::recipe, from: &[("queries/recipes", ".sql")], inputs: &[] },
    Target { name: "recipe_arguments", run: jobs::recipe_arguments, from: &[], inputs: jobs::RECIPE_ARGUMENTS },
    Target { name: "sql", run: sql::statements, from: &[("queries/slt", ".slt")], inputs: &[] },
    Target { name: "operator_arguments", run: sql::operator_arguments, from: &[], inputs: sql::OPERATOR_ARGUMENTS },
    Target { name: "function_arguments", run: sql::function_arguments, from: &[], inputs: sql::FUNCTION_ARGUMENTS },
    Target { name: "csv", run: files::csv, from: &[("queries/slt/reading/files", ".csv")], inputs: files::CSV },
    Target { name: "json", run: files::json, from: &[("queries/slt/reading/files", ".jsonl")], inputs: files::JSON },
    Target { name: "text", run: files::text, from: &[("examples", ".jsonl")], inputs: files::TEXT },
    Target { name: "regex", run: texts::regex, from: &[], inputs: texts::REGEX },
    Target { name: "json_path", run: texts::json_path, from: &[], inputs: texts::JSON_PATH },
    Target { name: "units", run: texts::units, from: &[("examples", ".jsonl")], inputs: texts::TEXTS },
    Target { name: "text_functions", run: texts::functions, from: &[("examples", ".jsonl")], inputs: texts::TEXTS },
    Target { name: "model_toml", run: models::settings, from: &[], inputs: models::SETTINGS },
    Target { name: "tokenizer", run: models::tokenizer, from: &[], inputs: models::TOKENIZERS },
    Target { name: "onnx", run: models::graph, from: &[], inputs: models::GRAPHS },
];

/// The target of a name.
///
/// # Errors
/// There is none; the message lists those that there are.
pub fn target(name: &str) -> std::result::Result<Target, String> {
    TARGETS.iter().copied().find(|target| target.name == name).ok_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        format!("there is no target `{name}`; there are {}", names.join(", "))
    })
}

/// What a target starts from.
///
/// # Errors
/// A file cannot be read.
pub fn seeds(target: &Target) -> Result<Vec<Vec<u8>>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = vec![];
    for (folder, end) in target.from {
        walk(&root.join(folder), end, &mut files)?;
    }
    let corpus = root.join("fuzz/corpus").join(target.name);
    if corpus.is_dir() {
        walk(&corpus, "", &mut files)?;
    }
    files.sort();
    let files = files.into_iter().map(std::fs::read);
    files.chain(target.inputs.iter().map(|input| Ok(input.as_bytes().to_vec()))).collect()
}

fn walk(folder: &Path, end: &str, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, end, files)?;
        } else if path.to_string_lossy().ends_with(end) {
            files.push(path);
        }
    }
    Ok(())
}
