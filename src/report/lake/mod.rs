//! The page that shows which tables of a lake are contained in others and what dropping them saves.

mod data;
mod gather;
mod graph;

use std::path::Path;

use minijinja::value::Serde;
use serde::Serialize;

use super::error::ReportError;
use super::{templates, write_page};
pub use data::{Candidate, Group, LakeReport, Member, Side};
pub use gather::gather;

#[derive(Serialize)]
struct Page<'a> {
    report: &'a LakeReport,
    style: &'static str,
    graph: Option<String>,
}

/// Writes the page to `path`; the file appears whole or not at all.
///
/// # Errors
/// A picture cannot be drawn, or the file not written.
pub fn write_html(report: &LakeReport, path: &Path) -> Result<(), ReportError> {
    write_page(render(report)?, path)
}

/// The page as one HTML text.
///
/// # Errors
/// A picture cannot be drawn.
pub fn render(report: &LakeReport) -> Result<String, ReportError> {
    let mut templates = templates()?;
    templates.add_filter("money", |value: f64| format!("{value:.6}"));
    templates.add_filter("hundredths", |value: f64| format!("{value:.2}"));
    let page = Page { report, style: include_str!("../templates/report.css"), graph: graph::containments(report)? };
    Ok(templates.get_template("lake.html")?.render(Serde(page))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_everything_is_shown() {
        let side = |name: &str, rows| Side {
            name: name.to_owned(),
            rows,
            bytes: 1234,
            columns: vec!["id".to_owned()],
            sample: vec![vec!["<b>7</b>".to_owned()]],
        };
        let members = (0..20).map(|n| Member { table: format!("child {n}"), bytes: 100 * n, equal: n == 3 }).collect();
        let report = LakeReport {
            lake: "lake/".to_owned(),
            tables: 21,
            groups: vec![Group { source: "<script>x</script>".to_owned(), bytes: 5000, members }],
            candidates: vec![Candidate {
                table: side("child 1", 10),
                source: side("<script>x</script>", 99),
                saves: 0.25,
                seconds: 1.5,
                state: "byte-exact",
            }],
            problems: vec![("bad.parquet".to_owned(), "it is cut".to_owned())],
            ..LakeReport::default()
        };
        let html = render(&report).unwrap();
        assert!(!html.contains("<script>x") && !html.contains("<b>7</b>"));
        for shown in ["child 11", "and 8 more", "byte-exact", "bad.parquet", "it is cut", "0.250000"] {
            assert!(html.contains(shown), "{shown}");
        }
        assert!(render(&LakeReport::default()).unwrap().contains("No table is contained"));
    }
}
