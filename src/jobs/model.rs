//! The job file as written: names and scalars, nothing resolved.

use std::fs;
use std::path::Path;

use super::describe::described;
use super::error::{JobError, Problem, Result};
use super::reference;
use super::yaml::{Entries, OneOrMany, Text};

described! {
    /// A job: the tables that are read, what is done with them in order, and where the result goes. Paths are relative to the folder in which
    /// limpid is started. In every value `${name}` stands for a variable and `${name:-default}` for one with a default; `$${` is a plain `${`.
    pub struct JobFile {
        /// Names the job: letters, digits, `-`, `_` and `.`. It is part of the default work folder.
        pub name: Text,
        /// What is read, by name: each is a table of this name. The first one is the `input` of the first step.
        pub sources: Entries<Source>,
        /// The column that tells rows apart: never NULL, never twice. `id` when absent.
        pub id: Option<Text>,
        /// The column of the text whose lengths, bytes and samples are reported, and which recipes use.
        pub text: Option<Text>,
        /// A column of the sources that says where a row comes from, such as `source` or `domain`. The report then counts rows by its values.
        /// When absent, rows are counted by the names in `sources`, where several of them have the columns `id` and `text`.
        pub origin: Option<Text>,
        /// What is done, in order.
        pub steps: Vec<Step>,
        /// Queries that must return no row, else the job fails and the sink stays as it was.
        #[serde(default)]
        pub checks: Vec<Check>,
        /// Where the rows go that the last step kept. Without a sink they are in the work folder only.
        pub sink: Option<Sink>,
        /// The file of the HTML report.
        pub report: Option<Text>,
        /// Folder of the finished steps, from which a later run goes on. `.limpid/NAME` when absent.
        pub work: Option<Text>,
        /// Whose rows stay in the work folder after a run that wrote the sink: those of `all` steps (when absent), of the `last`, or `none`.
        /// Of steps that run as one, only the last writes the rows that stay.
        #[words(reference::keep())]
        pub keep: Option<Text>,
        /// Values of `${name}`. The environment goes before, `--set` before both.
        #[serde(default)]
        pub vars: Entries<Text>,
    }

    /// A set of files that is read as one table.
    pub struct Source {
        /// Files, folders or patterns (`*`, `**`, `?`, `{a,b}`).
        pub paths: OneOrMany,
        /// Patterns of files to leave out.
        #[serde(default)]
        pub exclude: OneOrMany,
        /// The format of the files; by extension when absent. `text` makes one row a file.
        #[words(reference::source_format())]
        pub format: Option<Text>,
        /// Options of the format, as in `CREATE EXTERNAL TABLE ... OPTIONS (...)`, such as `on_error: skip`.
        #[serde(default)]
        pub options: Entries<Text>,
        /// Whether `_file`, `_row` and `_row_id` are columns. When absent, they are where the job names one of them.
        #[words(reference::boolean())]
        pub provenance: Option<Text>,
        /// Folder of the records that cannot be read. It needs the option `on_error`, which leaves them out. `rejects/NAME` in the work
        /// folder when absent.
        pub rejects: Option<Text>,
    }

    /// One step: a name, and exactly one of `sql`, `rules` and `recipe`.
    pub struct Step {
        /// Names the step; later steps read its result as a table of this name.
        pub name: Text,
        /// The table that the step calls `input`: a source or an earlier step. The step before when absent.
        pub input: Option<Text>,
        /// One query over `input`, any source and any earlier step. A BOOLEAN column `keep` removes the rows where it is not true; `reason`,
        /// `duplicate_of`, `similarity` and `cluster_id` say why. Without `keep`, the rows that the result lacks are the removed ones.
        pub sql: Option<Text>,
        /// Conditions by name. A row goes at the first that is not TRUE, and its name is the reason.
        pub rules: Option<Entries<Text>>,
        /// Name of a recipe (`limpid recipes list`), or the path of a file that ends in `.sql`.
        #[words(reference::recipe())]
        pub recipe: Option<Text>,
        /// Arguments of the recipe (`limpid recipes show NAME`).
        #[serde(default)]
        pub args: Entries<Text>,
    }

    /// A query that must return no row.
    pub struct Check {
        /// Names the check.
        pub name: Text,
        /// The query. `output` is the result of the last step; `removed` (step, id, reason, duplicate_of, similarity, cluster_id) has what all
        /// steps removed.
        pub sql: Text,
    }

    /// Where the result goes.
    pub struct Sink {
        /// A folder. It appears whole, by a rename, its rows sorted by `id`; files of more than 256 MiB are cut into parts.
        pub path: Text,
        /// The format of its files; `parquet` when absent.
        #[words(reference::sink_format())]
        pub format: Option<Text>,
    }
}

impl JobFile {
    /// Reads a job file; errors name the file, the line and the key.
    pub fn read(path: &Path) -> Result<Self> {
        let yaml = fs::read_to_string(path).map_err(JobError::io("read the job file", path))?;
        Self::parse(&yaml, path)
    }

    /// Reads a job from `yaml`, which errors call `path`.
    pub fn parse(yaml: &str, path: &Path) -> Result<Self> {
        serde_saphyr::from_str(yaml).map_err(|error| {
            let place = error.locations().and_then(|l| l.primary_location());
            let (line, column) = place.map_or((0, 0), |place| (place.line(), place.column()));
            // The place stands before the message, once, and its line below it.
            let text = error.without_snippet().to_string();
            let text = text.strip_suffix(&format!(" at line {line}, column {column}")).unwrap_or(&text);
            let message = match yaml.lines().nth((line as usize).wrapping_sub(1)) {
                Some(shown) => format!("column {column}: {text}\n  {shown}\n  {:>1$}", '^', column as usize),
                None => text.to_owned(),
            };
            JobError::Invalid(vec![Problem { file: path.to_path_buf(), line, message }])
        })
    }

    /// Every scalar in which `${name}` may stand, with the key it belongs to.
    pub fn texts_mut(&mut self) -> Vec<(String, &mut Text)> {
        let mut texts: Vec<(String, &mut Text)> = vec![("name".to_owned(), &mut self.name)];
        for (name, source) in &mut self.sources.0 {
            texts.extend(source.paths.0.iter_mut().map(|text| (format!("sources.{name}.paths"), text)));
            texts.extend(source.exclude.0.iter_mut().map(|text| (format!("sources.{name}.exclude"), text)));
            texts.extend(source.format.iter_mut().map(|text| (format!("sources.{name}.format"), text)));
            texts.extend(source.provenance.iter_mut().map(|text| (format!("sources.{name}.provenance"), text)));
            texts.extend(source.rejects.iter_mut().map(|text| (format!("sources.{name}.rejects"), text)));
            let options = source.options.0.iter_mut();
            texts.extend(options.map(|(key, text)| (format!("sources.{name}.options.{key}"), text)));
        }
        for step in &mut self.steps {
            let key = |part: &str, step: &str| format!("steps.{step}.{part}");
            let name = step.name.value.clone();
            texts.push((key("name", &name), &mut step.name));
            texts.extend(step.input.iter_mut().map(|text| (key("input", &name), text)));
            texts.extend(step.sql.iter_mut().map(|text| (key("sql", &name), text)));
            texts.extend(step.recipe.iter_mut().map(|text| (key("recipe", &name), text)));
            for (rule, text) in step.rules.iter_mut().flat_map(|rules| &mut rules.0) {
                texts.push((key(&format!("rules.{rule}"), &name), text));
            }
            for (argument, text) in &mut step.args.0 {
                texts.push((key(&format!("args.{argument}"), &name), text));
            }
        }
        for check in &mut self.checks {
            let name = check.name.value.clone();
            texts.push((format!("checks.{name}.name"), &mut check.name));
            texts.push((format!("checks.{name}.sql"), &mut check.sql));
        }
        if let Some(sink) = &mut self.sink {
            texts.push(("sink.path".to_owned(), &mut sink.path));
            texts.extend(sink.format.iter_mut().map(|text| ("sink.format".to_owned(), text)));
        }
        for (key, text) in
            [("id", &mut self.id), ("text", &mut self.text), ("origin", &mut self.origin), ("report", &mut self.report)]
        {
            texts.extend(text.iter_mut().map(|text| (key.to_owned(), text)));
        }
        texts.extend(self.work.iter_mut().map(|text| ("work".to_owned(), text)));
        texts.extend(self.keep.iter_mut().map(|text| ("keep".to_owned(), text)));
        texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = "
name: tiny
sources:
  second: { paths: [b.parquet, c.parquet] }
  first:
    paths: a.parquet
steps:
  - name: short
    rules:
      z_rule: length(text) >= 2
      a_rule: length(text) < 9
";

    fn message(yaml: &str) -> String {
        JobFile::parse(yaml, Path::new("job.yaml")).unwrap_err().to_string()
    }

    #[test]
    fn keeps_the_order_and_the_lines() {
        let job = JobFile::parse(JOB, Path::new("job.yaml")).unwrap();
        let names: Vec<_> = job.sources.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["second", "first"]);
        assert_eq!(job.sources.get("first").unwrap().paths.0, [Text { value: "a.parquet".into(), line: 6 }]);
        assert_eq!(job.sources.get("second").unwrap().paths.0[1], Text { value: "c.parquet".into(), line: 4 });
        let rules = job.steps[0].rules.as_ref().unwrap();
        assert_eq!(rules.0[0], ("z_rule".into(), Text { value: "length(text) >= 2".into(), line: 10 }));
        assert_eq!(rules.0[1].0, "a_rule");
    }

    #[test]
    fn mistakes_name_file_line_and_key() {
        let unknown = message(&JOB.replace("    rules", "    rulez"));
        assert!(unknown.starts_with("job.yaml:9: column 5: unknown field"), "{unknown}");
        assert!(unknown.contains("rulez") && !unknown.contains("error:"), "{unknown}");
        assert!(unknown.ends_with("\n      rulez:\n      ^"), "{unknown}");
        let missing = message(&JOB.replace("    paths: a.parquet", "    format: text"));
        assert!(missing.contains("paths"), "{missing}");
        let twice = message(&JOB.replace("a_rule", "z_rule"));
        assert!(twice.contains("job.yaml:11:") && twice.contains("z_rule"), "{twice}");
        let broken = message("name: [");
        assert!(broken.contains("job.yaml:"), "{broken}");
        let kind = message(&JOB.replace("rules:", "rules: 3\n    args:"));
        assert!(kind.contains("job.yaml:9:"), "{kind}");
    }
}
