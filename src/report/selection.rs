//! The page of a selection: what was kept and why, what other budgets would keep, and the rows at both ends.

use std::path::Path;

use minijinja::value::Serde;
use serde::Serialize;

use super::data::Histogram;
use super::error::ReportError;
use super::{plots, templates, write_page};

/// What `limpid select` tells.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Selection {
    /// The recipe.
    pub method: String,
    /// What it is.
    pub about: String,
    /// Where the rows are from.
    pub source: String,
    /// Rows that came in.
    pub rows: u64,
    /// Rows that stay.
    pub kept: u64,
    /// The share that was asked for.
    pub fraction: f64,
    /// Column of the score, where there is one.
    pub score: Option<String>,
    /// Rows without a finite score.
    pub unscored: u64,
    /// Scores of all rows and of those kept; the same edges.
    pub all: Histogram,
    /// Of those kept.
    pub kept_scores: Histogram,
    /// What other budgets would keep.
    pub sweep: Vec<Budget>,
    /// Rows by label: label, rows, kept.
    pub classes: Vec<(String, u64, u64)>,
    /// The rows the method values most.
    pub most: Vec<Example>,
    /// The rows it values least.
    pub least: Vec<Example>,
    /// The query that decided.
    pub sql: String,
}

/// What a budget keeps.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Budget {
    /// The share asked for.
    pub fraction: f64,
    /// Rows kept.
    pub kept: u64,
    /// The lowest, mean and highest score kept.
    pub scores: Option<[f64; 3]>,
    /// Rows that this selection keeps too.
    pub shared: u64,
    /// Labels of which no row is kept, and the least share of the rows of a label that is.
    pub classes: Option<(u64, f64)>,
}

/// A row that is shown.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Example {
    /// Its key.
    pub id: String,
    /// Its score.
    pub score: f64,
    /// Whether it stays.
    pub keep: bool,
    /// Columns with their values.
    pub values: Vec<(String, String)>,
}

/// Most rows of the table of strata.
const GROUPS: usize = 12;

/// A stratum of the score.
#[derive(Serialize)]
struct Stratum {
    low: f64,
    high: f64,
    rows: u64,
    kept: u64,
}

#[derive(Serialize)]
struct View<'a> {
    selection: &'a Selection,
    style: &'static str,
    title: String,
    histogram: Option<String>,
    strata: Vec<Stratum>,
    /// Bins of the score with rows, which the strata are made of.
    bins: usize,
}

/// Writes the page to `path`; the file appears whole or not at all.
pub fn write(selection: &Selection, path: &Path) -> Result<(), ReportError> {
    write_page(render(selection)?, path)
}

/// The page.
pub fn render(selection: &Selection) -> Result<String, ReportError> {
    let Histogram { edges, counts } = &selection.all;
    let bins = edges.windows(2).zip(counts.iter().zip(&selection.kept_scores.counts));
    let strata = bins.map(|(edge, (rows, kept))| Stratum { low: edge[0], high: edge[1], rows: *rows, kept: *kept });
    let strata: Vec<Stratum> = strata.filter(|stratum| stratum.rows > 0).collect();
    let view = View {
        selection,
        style: include_str!("templates/report.css"),
        title: format!("{} of {}", selection.method, selection.source),
        histogram: plots::scores(&selection.all, &selection.kept_scores)?,
        bins: strata.len(),
        strata: grouped(&strata),
    };
    Ok(templates()?.get_template("selection.html")?.render(Serde(view))?)
}

/// At most [`GROUPS`] strata of neighbours.
fn grouped(strata: &[Stratum]) -> Vec<Stratum> {
    let together = |group: &[Stratum]| Stratum {
        low: group.first().map_or(0.0, |stratum| stratum.low),
        high: group.last().map_or(0.0, |stratum| stratum.high),
        rows: group.iter().map(|stratum| stratum.rows).sum(),
        kept: group.iter().map(|stratum| stratum.kept).sum(),
    };
    strata.chunks(strata.len().div_ceil(GROUPS).max(1)).map(together).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_everything_and_escapes_it() {
        let selection = Selection {
            method: "ccs".to_owned(),
            source: "a<b>.parquet".to_owned(),
            rows: 1000,
            kept: 100,
            score: Some("score".to_owned()),
            all: Histogram { edges: vec![0.0, 0.5, 1.0], counts: vec![900, 100] },
            kept_scores: Histogram { edges: vec![0.0, 0.5, 1.0], counts: vec![50, 50] },
            sweep: vec![Budget {
                fraction: 0.05,
                kept: 50,
                scores: Some([0.1, 0.2, 0.3]),
                shared: 40,
                classes: Some((1, 0.0)),
            }],
            classes: vec![("7".to_owned(), 10, 1)],
            most: vec![Example {
                id: "17".to_owned(),
                score: 0.9,
                keep: true,
                values: vec![("text".to_owned(), "<i>".to_owned())],
            }],
            sql: "SELECT 1 < 2".to_owned(),
            ..Selection::default()
        };
        let page = render(&selection).unwrap();
        for part in ["a&lt;b&gt;.parquet", "1,000", "&lt;i&gt;", "1 &lt; 2", "<svg", "Strata", "Other budgets", "10.0%"]
        {
            assert!(page.contains(part), "{part}\n{page}");
        }
        assert!(!page.contains("<i>"));
        assert!(render(&Selection::default()).unwrap().contains("no score"));
    }

    #[test]
    fn strata_are_grouped_without_losing_rows() {
        let strata: Vec<_> =
            (0..50).map(|n| Stratum { low: n.into(), high: (n + 1).into(), rows: 2, kept: 1 }).collect();
        let groups = grouped(&strata);
        assert!(groups.len() <= GROUPS && groups.windows(2).all(|pair| pair[0].high <= pair[1].low));
        assert_eq!(
            groups.iter().map(|group| (group.rows, group.kept)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
            (100, 50)
        );
        assert!(grouped(&[]).is_empty());
    }
}
