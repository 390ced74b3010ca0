//! Keeps a share of the rows, as a recipe decides.

use std::path::PathBuf;

use datafusion::prelude::SessionContext;

use super::error::{Result, SelectionError};
use super::method::Method;
use super::page::Decided;
use super::rows::{self, check, columns, count};
use crate::jobs::progress::StepBar;
use crate::recipes::{self, quote};
use crate::report::numbers::thousands;
use crate::report::selection::{self, Selection};
use crate::session::spill_folder;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    /// This many rows.
    Rows(u64),
    /// This share of the rows.
    Share(f64),
}

/// What is selected, and what is written.
#[derive(Debug, Clone)]
pub struct SelectOptions {
    /// The rows: a path, a glob, a URL, or a query.
    pub source: String,
    /// What decides.
    pub method: Method,
    /// How much is kept.
    pub size: Size,
    /// Column of texts that are embedded first, and the encoder.
    pub text: Option<(String, Option<String>)>,
    /// Column of scores that the rows have.
    pub score: Option<String>,
    /// Column of labels.
    pub label: Option<String>,
    /// Columns of the rows that the report shows; plain columns where it names none.
    pub show: Vec<String>,
    /// Other shares in the report.
    pub sweep: Vec<f64>,
    /// File of the kept rows, in the order of their keys.
    pub output: Option<PathBuf>,
    /// File of key, score and decision of every row.
    pub scores: Option<PathBuf>,
    /// File of the report.
    pub report: Option<PathBuf>,
}

/// Selects rows and writes what `options` name.
///
/// # Errors
/// The arguments of the method are wrong, a column is missing, a file cannot be written.
pub async fn select(ctx: &SessionContext, options: SelectOptions) -> Result<Selection> {
    let folder = tempfile::tempdir_in(spill_folder(&ctx.runtime_env()))?;
    let method = &options.method;
    rows::register(ctx, "input", &options.source, &[method.id.as_str()]).await?;
    let known = columns(ctx, "input").await?;
    let named = [(Some(&method.id), "--id"), (options.score.as_ref(), "--score"), (options.label.as_ref(), "--label")];
    for (column, flag) in named.into_iter().chain(options.show.iter().map(|column| (Some(column), "--show"))) {
        column.map_or(Ok(()), |column| check(&known, column, flag))?;
    }
    let total = count(ctx, "SELECT count(*) FROM input").await?;
    if let Some((text, model)) = &options.text {
        rows::embed(ctx, "input", (text, model.as_deref()), folder.path()).await?;
    }
    let fraction = match options.size {
        Size::Rows(budget) if budget > total => {
            return Err(SelectionError::invalid(format!("--budget: there are {} rows only", thousands(total))));
        }
        Size::Rows(budget) => budget as f64 / total.max(1) as f64,
        Size::Share(fraction) => fraction,
    };
    let decided = Decided { ctx, id: quote(&method.id), folder: folder.path() };
    let sql = method.sql(fraction, total, true, &[])?;
    let bar = StepBar::of(&method.name, "rows read", total);
    let columns = decided.save("decided", &sql, &bar).await?;
    drop(bar);
    check(&columns, "keep", &format!("the recipe `{}`", method.name))?;
    let score = options.score.clone().or_else(|| columns.iter().find(|column| *column == "score").cloned());
    let left_out = if options.text.is_some() { format!("keep, {}", rows::TEXT_VECTOR) } else { "keep".to_owned() };
    let kept = format!("SELECT * EXCEPT ({left_out}) FROM decided WHERE keep");
    decided.write(options.output.as_deref(), &kept).await?;
    let value = score.as_deref().map_or_else(|| "CAST(NULL AS DOUBLE)".to_owned(), quote);
    let all = format!("SELECT {}, {value} AS score, keep FROM decided", decided.id);
    decided.write(options.scores.as_deref(), &all).await?;
    let mut selection = Selection {
        about: recipes::description(&recipes::load(&method.name).map_err(SelectionError::invalid)?),
        method: method.name.clone(),
        source: options.source.clone(),
        rows: total,
        kept: count(ctx, "SELECT count(*) FROM decided WHERE keep").await?,
        fraction,
        score,
        sql,
        ..Selection::default()
    };
    if let Some(path) = &options.report {
        decided.fill(&mut selection, &options, &columns).await?;
        selection::write(&selection, path).map_err(|error| SelectionError::invalid(error.to_string()))?;
    }
    Ok(selection)
}
