//! Reports: plots, tables and samples of a job in one self-contained page, and a funnel for the terminal; the pages of a selection
//! and of an evaluation.
//!
//! [`data`] is what a job tells; [`numbers`] and [`text`] make values readable and safe to show; [`diff`] compares texts;
//! [`plots`] draws SVG; the page itself lies in `templates/`.

pub mod data;
pub mod diff;
pub mod error;
pub mod evaluation;
pub mod lake;
pub mod numbers;
pub mod plots;
pub mod selection;
pub mod terminal;
pub mod text;
mod view;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use std::path::Path;

use data::JobReport;
pub use error::ReportError;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use view::Page;

/// Writes the page of `report` to `path`; the file appears whole or not at all.
pub fn write_html(report: &JobReport, path: &Path) -> Result<(), ReportError> {
    write_page(render_html(report)?, path)
}

/// Writes a page to `path`; the file appears whole or not at all.
fn write_page(html: String, path: &Path) -> Result<(), ReportError> {
    limpid_io::write(path, html).map_err(|source| ReportError::Write { path: path.to_owned(), source })
}

/// The page of `report`: one HTML text that needs nothing else, no network and no script to be read.
///
/// Everything that comes from data is escaped; control characters are shown as pictures.
pub fn render_html(report: &JobReport) -> Result<String, ReportError> {
    Ok(templates()?.get_template("report.html")?.render(Serde(Page::new(report)?))?)
}

/// The templates of all pages.
fn templates() -> Result<Environment<'static>, ReportError> {
    let mut templates = Environment::new();
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    templates.add_template("report.html", include_str!("templates/report.html"))?;
    templates.add_template("step.html", include_str!("templates/step.html"))?;
    templates.add_template("concepts.html", include_str!("templates/concepts.html"))?;
    templates.add_template("sample.html", include_str!("templates/sample.html"))?;
    templates.add_template("page.html", include_str!("templates/page.html"))?;
    templates.add_template("selection.html", include_str!("templates/selection.html"))?;
    templates.add_template("evaluation.html", include_str!("templates/evaluation.html"))?;
    templates.add_template("lake.html", include_str!("templates/lake.html"))?;
    templates.add_filter("thousands", numbers::thousands);
    templates.add_filter("bytes", numbers::bytes);
    templates.add_filter("seconds", numbers::seconds);
    templates.add_filter("similarity", numbers::similarity);
    templates.add_filter("printable", |text: &str| text::printable(text).into_owned());
    templates.add_filter("line", |text: &str, max: usize| text::ellipsis(&text::one_line(text), max).into_owned());
    templates.add_filter("tail", |text: &str, max: usize| text::tail(&text::one_line(text), max).into_owned());
    templates.add_filter("significant", numbers::significant);
    templates.add_filter("fixed", |value: f64| format!("{value:.2}"));
    templates.add_filter("signed", |value: f64| format!("{value:+.2}"));
    templates.add_function("percent", numbers::percent);
    Ok(templates)
}
