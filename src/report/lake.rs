//! The page that shows which tables of a lake are contained in others and what dropping them saves.

use std::path::Path;

use minijinja::value::Serde;
use serde::Serialize;

use super::{ReportError, plots, templates, write_page};

/// What the page shows.
#[derive(Debug, Default, Serialize)]
pub struct LakeReport {
    /// The lake as it was named.
    pub lake: String,
    /// Its tables with rows.
    pub tables: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Pairs of which one holds the other.
    pub pairs: u64,
    /// Groups of two and more tables with the same rows.
    pub equal_groups: u64,
    /// Tables that may go, and their bytes.
    pub going: u64,
    /// Their bytes.
    pub saved_bytes: u64,
    /// Monthly cost of keeping everything.
    pub keeping: f64,
    /// Monthly cost by the plan.
    pub cost: f64,
    /// How far the plan can be from the optimum at most, in percent.
    pub gap: f64,
    /// Kept tables and what goes because of them, those that save most first.
    pub groups: Vec<Group>,
    /// The tables that save most, beside what they are rebuilt from.
    pub candidates: Vec<Candidate>,
    /// Tables left out, and why.
    pub problems: Vec<(String, String)>,
}

/// A kept table and what can be rebuilt from it.
#[derive(Debug, Serialize)]
pub struct Group {
    /// The kept table.
    pub source: String,
    /// Its bytes.
    pub bytes: u64,
    /// What can be rebuilt from it.
    pub members: Vec<Member>,
}

/// A table that can be rebuilt.
#[derive(Debug, Serialize)]
pub struct Member {
    /// The table.
    pub table: String,
    /// Its bytes.
    pub bytes: u64,
    /// Whether it has all rows and columns of its source.
    pub equal: bool,
}

/// A table beside its source.
#[derive(Debug, Serialize)]
pub struct Candidate {
    /// The table that may go.
    pub table: Side,
    /// What it is rebuilt from.
    pub source: Side,
    /// Saved a month.
    pub saves: f64,
    /// Seconds that a rebuild takes.
    pub seconds: f64,
    /// How sure the containment is.
    pub state: &'static str,
}

/// One of two tables.
#[derive(Debug, Serialize)]
pub struct Side {
    /// Its name.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// Names of columns.
    pub columns: Vec<String>,
    /// Some rows as text: of the source, those that the table's rows are.
    pub sample: Vec<Vec<String>>,
}

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
    let page = Page { report, style: include_str!("templates/report.css"), graph: plots::containments(report)? };
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
