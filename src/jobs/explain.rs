//! Explains what happened to a row: the step that removed it, the reason, and the fate of the row that it repeats.

use std::fmt;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, Color, ContentArrangement, Table};
use datafusion::prelude::SessionContext;
use serde::Serialize;
use similar::{DiffOp, TextDiff};

use super::error::{JobError, Result};
use super::job::Job;
use super::manifest::Manifest;
use super::recipes::{literal, quote};
use super::samples::texts;
use super::tables::{lookup_context, number, register_folder, rows};
use crate::report::text::printable;
use crate::session::{self, EngineOptions};

/// Equal lines around a difference.
const CONTEXT: usize = 3;

/// The fate of a row.
#[derive(Debug, Clone, Serialize)]
pub struct Fate {
    /// Its key.
    pub id: String,
    /// The step that removed it; `None` if it is in the result.
    pub removed: Option<Removal>,
}

/// A removal.
#[derive(Debug, Clone, Serialize)]
pub struct Removal {
    /// The step.
    pub step: String,
    /// The rule's name, or what else the step gave for a reason.
    pub reason: String,
    /// Similarity to the kept row.
    pub similarity: Option<f64>,
    /// The kept row and its own fate in the later steps.
    pub kept: Option<Box<Fate>>,
    /// The texts of the removed and the kept row, if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub texts: Option<(String, String)>,
}

/// The finished steps of a job.
struct Results {
    lookup: SessionContext,
    id: String,
    text: Option<String>,
    steps: Vec<String>,
    complete: bool,
}

/// Returns the fate of row `id` in the last run of `job`, and warnings about that run.
pub async fn explain(job: &Job, engine: &EngineOptions, id: &str, with_texts: bool) -> Result<(Fate, Vec<String>)> {
    let lookup = lookup_context(&session::context(engine)?);
    let mut results = Results { lookup, id: quote(&job.id), text: None, steps: Vec::new(), complete: false };
    let mut warnings = Vec::new();
    for (number, step) in job.steps.iter().enumerate() {
        let folder = job.step_folder(number);
        let Some(manifest) = Manifest::read(&folder) else { break };
        if manifest.sql != step.sql {
            warnings.push(format!("step `{}` was changed after its last run; this is about that run", step.name));
        }
        if manifest.cleaned {
            let (job, step) = (&job.name, &step.name);
            return Err(JobError::Other(format!(
                "job `{job}`: the rows of step `{step}` were deleted after the run; write `keep: all` in the job and run it with --force"
            )));
        }
        register_folder(&results.lookup, &format!("removed_{number}"), &folder.join("removed")).await?;
        // Steps that pass their rows on refer to no kept row, and are never last.
        if !manifest.passed_on {
            register_folder(&results.lookup, &format!("kept_{number}"), &folder.join("kept")).await?;
        }
        results.steps.push(step.name.clone());
    }
    if with_texts {
        results.text.clone_from(&job.text);
    }
    results.complete = results.steps.len() == job.steps.len();
    if results.steps.is_empty() {
        let (name, work) = (&job.name, job.work.display());
        return Err(JobError::Other(format!(
            "job `{name}` has no results in {work}; run it first: limpid run {}",
            job.file.display()
        )));
    }
    if !results.complete {
        let (name, last) = (&job.name, results.steps.last().map_or("", String::as_str));
        warnings.push(format!("job `{name}` is finished up to step `{last}` only"));
    }
    match results.fate(id, 0).await? {
        Some(fate) => Ok((fate, warnings)),
        None => {
            let finished = if results.complete { "" } else { " among the finished steps" };
            Err(JobError::Other(format!(
                "job `{}`: no row has the key `{id}` (column `{}`){finished}",
                job.name, job.id
            )))
        }
    }
}

impl Results {
    /// Returns the fate of row `id` from step `first` on; `None` if there is no such row.
    async fn fate(&self, id: &str, first: usize) -> Result<Option<Fate>> {
        for step in first..self.steps.len() {
            let sql = format!(
                "SELECT reason, CAST(duplicate_of AS VARCHAR), similarity FROM removed_{step} WHERE CAST({} AS VARCHAR) = {}",
                self.id,
                literal(id)
            );
            let Some(row) = rows(&self.lookup, &sql).await?.into_iter().next() else { continue };
            let [reason, kept, similarity] = <[Option<String>; 3]>::try_from(row).unwrap_or_default();
            let similarity = number(similarity.as_deref());
            let texts = match &kept {
                Some(kept) => self.texts(step, id, kept).await?,
                None => None,
            };
            let kept = match kept {
                Some(kept) => {
                    let fate = Box::pin(self.fate(&kept, step + 1)).await?;
                    Some(Box::new(fate.unwrap_or(Fate { id: kept, removed: None })))
                }
                None => None,
            };
            let (step, reason) = (self.steps[step].clone(), reason.unwrap_or_default());
            return Ok(Some(Fate {
                id: id.to_owned(),
                removed: Some(Removal { step, reason, similarity, kept, texts }),
            }));
        }
        let last = self.steps.len() - 1;
        let sql = format!("SELECT 1 FROM kept_{last} WHERE CAST({} AS VARCHAR) = {} LIMIT 1", self.id, literal(id));
        let found = !rows(&self.lookup, &sql).await?.is_empty();
        Ok(found.then(|| Fate { id: id.to_owned(), removed: None }))
    }

    /// The texts of a removed row and of the row it repeats.
    async fn texts(&self, step: usize, removed: &str, kept: &str) -> Result<Option<(String, String)>> {
        let Some(text) = &self.text else { return Ok(None) };
        let (removed, kept) = (removed.to_owned(), kept.to_owned());
        let mut gone = texts(&self.lookup, &format!("removed_{step}"), &self.id, text, [&removed].into_iter()).await?;
        let mut stays = texts(&self.lookup, &format!("kept_{step}"), &self.id, text, [&kept].into_iter()).await?;
        Ok(gone.remove(&removed).zip(stays.remove(&kept)))
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fate = self;
        loop {
            let Some(removal) = &fate.removed else { return write!(f, "{}: kept", fate.id) };
            write!(f, "{}: removed by step `{}`", fate.id, removal.step)?;
            // A step with one rule gives its own name as the reason.
            if removal.reason != removal.step {
                write!(f, ": {}", removal.reason)?;
            }
            let Some(kept) = &removal.kept else { return Ok(()) };
            write!(f, ", repeats {}", kept.id)?;
            if let Some(similarity) = removal.similarity {
                write!(f, " (similarity {similarity:.4})")?;
            }
            writeln!(f)?;
            fate = kept;
        }
    }
}

/// Formats the two texts side by side, omitting equal stretches, as a table for a terminal.
pub fn side_by_side(removed: (&str, &str), kept: (&str, &str)) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::DynamicFullWidth);
    table.set_header([format!("removed: {}", removed.0), format!("kept: {}", kept.0)]);
    let diff = TextDiff::from_lines(removed.1, kept.1);
    let line =
        |text: Option<&str>| printable(text.unwrap_or_default().trim_end_matches(['\n', '\r'])).replace('\t', "    ");
    for (group, ops) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if group > 0 {
            table.add_row(["...", "..."]);
        }
        for op in ops {
            let equal = matches!(op, DiffOp::Equal { .. });
            let (old, new) = (op.old_range(), op.new_range());
            for at in 0..old.len().max(new.len()) {
                let left = (at < old.len()).then(|| line(diff.old_slice(old.start + at)));
                let right = (at < new.len()).then(|| line(diff.new_slice(new.start + at)));
                let mark = |text: Option<String>, sign: char, color: Color| match text {
                    Some(text) if equal => Cell::new(format!("  {text}")),
                    Some(text) => Cell::new(format!("{sign} {text}")).fg(color),
                    None => Cell::new(""),
                };
                table.add_row([mark(left, '-', Color::Red), mark(right, '+', Color::Green)]);
            }
        }
    }
    if diff.ops().iter().all(|op| matches!(op, DiffOp::Equal { .. })) {
        table.add_row(["the texts are equal", "the texts are equal"]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_kept_row() {
        let kept = |id: &str, removed| Some(Box::new(Fate { id: id.into(), removed }));
        let removal = |step: &str, similarity, kept| Removal {
            step: step.into(),
            reason: step.into(),
            similarity,
            kept,
            texts: None,
        };
        let later = removal("fuzzy", Some(0.75), kept("c", None));
        let fate = Fate { id: "a".into(), removed: Some(removal("exact", None, kept("b", Some(later)))) };
        let expected = "a: removed by step `exact`, repeats b\n\
            b: removed by step `fuzzy`, repeats c (similarity 0.7500)\nc: kept";
        assert_eq!(fate.to_string(), expected);
    }

    #[test]
    fn diff_puts_changed_lines_beside_each_other() {
        let text = side_by_side(("a", "same\nold\nend\n"), ("b", "same\nnew\nend\n")).to_string();
        let line = text.lines().find(|line| line.contains("- old")).unwrap();
        assert!(line.contains("+ new"), "{text}");
        assert!(side_by_side(("a", "x"), ("b", "x")).to_string().contains("are equal"));
    }
}
