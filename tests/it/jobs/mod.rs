//! Jobs: `limpid run`, `limpid explain`, `limpid init`.

mod changes;
mod concepts;
mod crash;
mod fusion;
mod job_file;
mod mistakes;
mod origins;
mod pretraining;
mod runs;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder with a source and a job file, in which the program is started.
pub struct Workplace {
    dir: TempDir,
}

/// Steps in plain SQL: rules, exact duplicates with a verdict, a step without one.
pub const JOB: &str = r#"
name: tiny
sources:
  docs: { paths: ["docs.jsonl"] }
id: id
text: text
steps:
  - name: quality
    rules:
      too_short: length(text) >= ${least}
      no_letter: regexp_like(text, '[a-z]')
  - name: exact
    sql: |
      SELECT *, place = 1 AS keep, first AS duplicate_of, 1.0 AS similarity, 'exact duplicate' AS reason, first AS cluster_id
      FROM (SELECT *, row_number() OVER same AS place, first_value(id) OVER same AS first
            FROM input WINDOW same AS (PARTITION BY text ORDER BY id))
  - name: no_sevens
    sql: SELECT id, text FROM input WHERE id % 7 <> 0
checks:
  - name: ids_are_unique
    sql: SELECT id FROM output GROUP BY id HAVING count(*) > 1
sink: { path: "${out:-out}/clean", format: parquet }
report: ${out:-out}/report.html
work: ${out:-out}/work
vars: { least: 3 }
"#;

impl Workplace {
    /// With `rows` rows: every third text is a copy of the one before it, every fifth is too short.
    pub fn new(rows: usize) -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        place.source(rows);
        place.job(JOB);
        place
    }

    pub fn source(&self, rows: usize) {
        let lines: String = (0..rows)
            .map(|id| {
                let text = if id % 5 == 4 {
                    "x".to_owned()
                } else {
                    format!("text number {} of many", id - usize::from(id % 3 == 2))
                };
                format!("{}\n", serde_json::json!({ "id": id, "text": text }))
            })
            .collect();
        fs::write(self.path("docs.jsonl"), lines).unwrap();
    }

    pub fn job(&self, yaml: &str) {
        fs::write(self.path("job.yaml"), yaml).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_limpid"));
        command.args(args).current_dir(self.dir.path()).env_remove("least").env_remove("out");
        command
    }

    pub fn limpid(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs the job, which must succeed, and gives its report.
    pub fn run(&self, args: &[&str]) -> serde_json::Value {
        let mut all = vec!["run", "job.yaml", "--json"];
        all.extend(args);
        let output = self.limpid(&all);
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs the program, which must fail with exit code 1, and gives its words.
    pub fn fails(&self, args: &[&str]) -> String {
        let output = self.limpid(args);
        assert_eq!(output.status.code(), Some(1), "{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
        stderr(&output)
    }
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Names and bytes of the files in a folder.
pub fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// Which steps of a report were resumed.
pub fn resumed(report: &serde_json::Value) -> Vec<bool> {
    report["steps"].as_array().unwrap().iter().map(|step| step["resumed"].as_bool().unwrap()).collect()
}
