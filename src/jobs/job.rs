//! A job with its variables, rules and recipes resolved: names checked, every step one SQL query.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::{Path, PathBuf};

use limpid_connectors::sinks::encode::{WriteFormat, WriteKind};
use limpid_connectors::sources::{FORMATS, SourceSpec};

use super::error::{Problems, Result, words};
use super::model::{JobFile, Step};
use super::recipes::{self, Argument};
use super::source;
use super::variables;
use super::yaml::{Entries, Text};
use crate::session::provenance;

/// Table names with a meaning of their own.
const RESERVED: [&str; 3] = ["input", "output", "removed"];

/// A job ready to be planned.
#[derive(Debug, Clone)]
pub struct Job {
    /// The file it came from.
    pub file: PathBuf,
    /// Its name.
    pub name: String,
    /// Its sources in order.
    pub sources: Vec<JobSource>,
    /// Column of the row key.
    pub id: String,
    /// Column of the text.
    pub text: Option<String>,
    /// Column of the sources that says where a row comes from; if `None`, the name of the source is used.
    pub origin: Option<String>,
    /// Its steps in order, at least one.
    pub steps: Vec<JobStep>,
    /// Its checks in order.
    pub checks: Vec<JobCheck>,
    /// Where the result goes.
    pub sink: Option<JobSink>,
    /// Where the HTML report goes.
    pub report: Option<PathBuf>,
    /// Folder of the step results.
    pub work: PathBuf,
    /// Whose rows are kept in the work folder.
    pub keep: Keep,
}

/// Whose rows are kept in the work folder after the sink was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// Those of all steps. A later run computes only what changed.
    #[default]
    All,
    /// Those of the last step.
    Last,
    /// None. If the job changes, a later run computes every step again.
    None,
}

/// A source.
#[derive(Debug, Clone)]
pub struct JobSource {
    /// Table name.
    pub name: String,
    /// Line in the job file.
    pub line: u64,
    /// Files and format.
    pub spec: SourceSpec,
    /// Folder of records that cannot be read.
    pub rejects: Option<PathBuf>,
}

/// A step.
#[derive(Debug, Clone)]
pub struct JobStep {
    /// Table name of its result.
    pub name: String,
    /// Line in the job file.
    pub line: u64,
    /// The table it calls `input`.
    pub input: String,
    /// The query.
    pub sql: String,
    /// The rules it was built from, each with its line, to locate mistakes.
    pub rules: Vec<(String, Text)>,
    /// `sql`, `rules` or the recipe's name, for people.
    pub kind: String,
    /// The parameters of its recipe.
    pub arguments: Vec<Argument>,
}

/// A check.
#[derive(Debug, Clone)]
pub struct JobCheck {
    /// Its name.
    pub name: String,
    /// Line in the job file.
    pub line: u64,
    /// The query that must return no row.
    pub sql: String,
}

/// A sink.
#[derive(Debug, Clone)]
pub struct JobSink {
    /// The folder.
    pub path: PathBuf,
    /// Line in the job file.
    pub line: u64,
    /// The format of its files.
    pub format: WriteKind,
}

impl Job {
    /// Reads and resolves a job file; all mistakes are reported together.
    pub fn read(path: &Path, set: &BTreeMap<String, String>) -> Result<Self> {
        let file = JobFile::read(path)?;
        let mut problems = Problems::new(path);
        let job = Self::resolve(file, path, set, &mut problems);
        problems.check()?;
        Ok(job)
    }

    fn resolve(mut file: JobFile, path: &Path, set: &BTreeMap<String, String>, problems: &mut Problems) -> Self {
        variables::resolve(&mut file, set, problems);
        let name = file.name.value.clone();
        if name.is_empty()
            || name.starts_with('.')
            || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        {
            problems.add(
                file.name.line,
                format!("name: `{name}` must consist of letters, digits, -, _ and . (it names a folder)"),
            );
        }
        let id = file.id.as_ref().map_or_else(|| "id".to_owned(), |id| id.value.clone());
        let text = file.text.as_ref().map(|text| text.value.clone());
        let origin = file.origin.as_ref().map(|origin| origin.value.clone());
        if file.sources.0.is_empty() {
            problems.add(0, "sources: a job needs at least one source");
        }
        if file.steps.is_empty() {
            problems.add(0, "steps: a job needs at least one step");
        }
        let mut names = BTreeSet::new();
        let wanted = names_provenance(&file);
        let sources = file.sources.0.iter().map(|(name, source)| {
            let line = source.paths.0.first().map_or(0, |text| text.line);
            table_name(name, line, "source", &mut names, problems);
            if source.paths.0.is_empty() {
                problems.add(line, format!("sources.{name}.paths: at least one path is needed"));
            }
            let format = source.format.as_ref().map(|given| {
                let format = FORMATS.of_word(&given.value);
                if format.is_none() {
                    problems.add(
                        given.line,
                        format!("sources.{name}.format: `{given}` is none of {}", source::formats().join(", ")),
                    );
                }
                format
            });
            let texts = |texts: &[Text]| texts.iter().map(|text| text.value.clone()).collect();
            let options = source.options.iter().map(|(key, text)| (key.clone(), text.value.clone())).collect();
            let (paths, exclude) = (texts(&source.paths.0), texts(&source.exclude.0));
            let provenance = match source.provenance.as_ref().map(|text| (text.value.as_str(), text.line)) {
                None => wanted,
                Some(("true", _)) => true,
                Some(("false", _)) => false,
                Some((other, line)) => {
                    problems.add(line, format!("sources.{name}.provenance: `{other}` is neither true nor false"));
                    false
                }
            };
            let format = format.flatten();
            let spec = SourceSpec { paths, exclude, format, options, provenance, ..SourceSpec::default() };
            if let Some(text) = source.rejects.as_ref().filter(|_| !source::leaves_records_out(&spec)) {
                let why = "records are rejected only with the option on_error: skip or null";
                problems.add(text.line, format!("sources.{name}.rejects: {why}"));
            }
            let rejects = source.rejects.as_ref().map(|text| PathBuf::from(home(&text.value)));
            JobSource { name: name.clone(), line, spec, rejects }
        });
        let sources: Vec<_> = sources.collect();
        let mut previous = sources.first().map(|source| source.name.clone()).unwrap_or_default();
        let mut steps = Vec::new();
        for step in &file.steps {
            let input = step.input.clone().unwrap_or(Text { value: previous, line: step.name.line });
            if !names.contains(&input.value) {
                let known = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                problems.add(
                    input.line,
                    format!(
                        "steps.{}.input: there is no source or earlier step `{input}`; there are {known}",
                        step.name
                    ),
                );
            }
            table_name(&step.name.value, step.name.line, "step", &mut names, problems);
            previous = step.name.value.clone();
            steps.push(resolve_step(step, input.value, &id, text.as_deref(), problems));
        }
        let mut check_names = BTreeSet::new();
        let checks = file.checks.iter().map(|check| {
            if !check_names.insert(check.name.value.clone()) {
                problems.add(check.name.line, format!("checks: two checks are called `{}`", check.name));
            }
            JobCheck { name: check.name.value.clone(), line: check.name.line, sql: query(&check.sql) }
        });
        let checks = checks.collect();
        let sink = file.sink.as_ref().map(|sink| {
            let format = sink.format.as_ref().map(|format| (format.line, format.value.parse()));
            let format = match format {
                None => WriteKind::plain(WriteFormat::Parquet),
                Some((_, Ok(format))) => format,
                Some((line, Err(error))) => {
                    problems.add(line, format!("sink.format: {}", words(&error)));
                    WriteKind::plain(WriteFormat::Parquet)
                }
            };
            JobSink { path: PathBuf::from(home(&sink.path.value)), line: sink.path.line, format }
        });
        let path_of = |text: &Text| PathBuf::from(home(&text.value));
        let report = file.report.as_ref().map(path_of);
        let work = file.work.as_ref().map_or_else(|| Path::new(".limpid").join(&name), path_of);
        let keep = file.keep.as_ref().map_or(Keep::All, |given| keep(given, sink.is_some(), problems));
        Self { file: path.to_path_buf(), name, sources, id, text, origin, steps, checks, sink, report, work, keep }
    }

    /// The folder of step `number` (from 0).
    pub fn step_folder(&self, number: usize) -> PathBuf {
        self.work.join(format!("{}-{}", number + 1, self.steps[number].name))
    }
}

fn keep(given: &Text, has_sink: bool, problems: &mut Problems) -> Keep {
    let keep = match given.value.as_str() {
        "all" => Keep::All,
        "last" => Keep::Last,
        "none" => Keep::None,
        other => {
            problems.add(given.line, format!("keep: `{other}` is none of all, last, none"));
            Keep::All
        }
    };
    if keep != Keep::All && !has_sink {
        problems
            .add(given.line, "keep: the rows of a job without a sink are in its work folder only; write `keep: all`");
    }
    keep
}

fn resolve_step(step: &Step, input: String, id: &str, text: Option<&str>, problems: &mut Problems) -> JobStep {
    let (name, line) = (&step.name.value, step.name.line);
    let mut rules = Vec::new();
    let mut arguments = Vec::new();
    let (kind, sql) = match (&step.sql, &step.rules, &step.recipe) {
        (Some(sql), None, None) => ("sql".to_owned(), query(sql)),
        (None, Some(conditions), None) => {
            if conditions.0.is_empty() {
                problems.add(line, format!("steps.{name}.rules: at least one rule is needed"));
            }
            rules.clone_from(&conditions.0);
            ("rules".to_owned(), rules_query(conditions))
        }
        (None, None, Some(recipe)) => {
            let sql = recipes::expand(&recipe.value, &step.args, id, text).unwrap_or_else(|error| {
                problems.add(recipe.line, format!("steps.{name}: {error}"));
                String::new()
            });
            arguments = recipes::values(&recipe.value, &step.args, id, text, line);
            (recipe.value.clone(), sql)
        }
        _ => {
            problems.add(line, format!("steps.{name}: a step has exactly one of `sql`, `rules` and `recipe`"));
            (String::new(), String::new())
        }
    };
    if step.recipe.is_none() && !step.args.0.is_empty() {
        problems.add(line, format!("steps.{name}.args: only a recipe has arguments; use ${{name}} and `vars` in SQL"));
    }
    JobStep { name: name.clone(), line, input, sql, rules, kind, arguments }
}

/// A row is removed by the first rule that is not TRUE; the name of the rule is the reason.
fn rules_query(rules: &Entries<Text>) -> String {
    let cases = rules.iter().map(|(name, condition)| {
        // The line break ends a possible comment in the condition.
        format!("    WHEN ({}\n    ) IS NOT TRUE THEN '{}'\n", condition.value.trim(), name.replace('\'', "''"))
    });
    let cases: String = cases.collect();
    format!("SELECT *, reason IS NULL AS keep FROM (\n  SELECT *, CASE\n{cases}  END AS reason FROM input\n)")
}

/// Whether the job names a column that says where a row came from.
fn names_provenance(file: &JobFile) -> bool {
    let columns = file.id.iter().chain(&file.text).map(|text| text.value.clone());
    let steps = file.steps.iter().flat_map(|step| {
        let rules = step.rules.iter().flat_map(Entries::iter).map(|(_, text)| text);
        let args = step.args.iter().map(|(_, text)| text);
        step.sql.iter().chain(rules).chain(args).map(|text| text.value.clone()).collect::<Vec<_>>()
    });
    columns.chain(steps).any(|text| provenance::mentions(&text))
}

fn query(sql: &Text) -> String {
    sql.value.trim().trim_end_matches(';').trim_end().to_owned()
}

fn table_name(name: &str, line: u64, what: &str, names: &mut BTreeSet<String>, problems: &mut Problems) {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
    if !first || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
        problems.add(
            line,
            format!("{what} `{name}`: a name consists of lower-case letters, digits and _ (it names a table)"),
        );
    } else if RESERVED.contains(&name) {
        problems.add(
            line,
            format!("{what} `{name}`: this name is taken; {} have a meaning of their own", RESERVED.join(", ")),
        );
    } else if !names.insert(name.to_owned()) {
        problems.add(line, format!("{what} `{name}`: another source or step has this name"));
    }
}

/// `~/` at the start becomes the home folder.
fn home(path: &str) -> String {
    match (path.strip_prefix("~/"), env::var("HOME")) {
        (Some(rest), Ok(home)) => format!("{}/{rest}", home.trim_end_matches('/')),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::error::JobError;

    fn resolve(yaml: &str) -> Result<Job> {
        let path = Path::new("job.yaml");
        let file = JobFile::parse(yaml, path)?;
        let mut problems = Problems::new(path);
        let job = Job::resolve(file, path, &BTreeMap::new(), &mut problems);
        problems.check()?;
        Ok(job)
    }

    const JOB: &str = "name: tiny
sources: { docs: { paths: docs.parquet } }
text: text
vars: { least: 3 }
steps:
  - name: short
    rules: { too_short: 'length(text) >= ${least} -- why' }
  - name: exact
    recipe: exact_dedup
  - name: last
    input: short
    sql: SELECT * FROM input;
sink: { path: out }
";

    #[test]
    fn resolves_rules_recipes_and_inputs() {
        let job = resolve(JOB).unwrap();
        let inputs: Vec<_> = job.steps.iter().map(|step| step.input.as_str()).collect();
        assert_eq!(inputs, ["docs", "short", "short"]);
        assert!(job.steps[0].sql.contains("(length(text) >= 3 -- why\n    ) IS NOT TRUE THEN 'too_short'"));
        let query = "SELECT * FROM exact_dedup(input, text => \"text\", id => \"id\", order_by => '')";
        assert!(job.steps[1].sql.ends_with(query), "{}", job.steps[1].sql);
        assert_eq!(job.steps[2].sql, "SELECT * FROM input");
        assert_eq!(job.work, Path::new(".limpid/tiny"));
        assert_eq!(job.step_folder(1), Path::new(".limpid/tiny/2-exact"));
    }

    #[test]
    fn reports_every_mistake_with_its_line() {
        let yaml = JOB
            .replace("name: tiny", "name: a/b")
            .replace("input: short", "input: shrt")
            .replace("recipe: exact_dedup", "recipe: exakt");
        let Err(JobError::Invalid(problems)) = resolve(&yaml) else { panic!("must fail") };
        let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [1, 9, 11], "{problems:?}");
        for (from, to, message) in [
            ("sql: SELECT", "rules: { a: b }\n    sql: SELECT", "exactly one of"),
            ("- name: last", "- name: docs", "another source or step"),
            ("- name: last", "- name: output", "is taken"),
            ("- name: last", "- name: La", "lower-case"),
            ("input: short", "args: { a: 1 }", "only a recipe"),
            ("sink: { path: out }", "sink: { path: out, format: xml }", "sink.format"),
            ("docs.parquet }", "docs.parquet, format: xml }", "sources.docs.format"),
        ] {
            let error = resolve(&JOB.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(message), "{message}: {error}");
        }
    }
}
