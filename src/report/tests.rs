//! The page as a whole.

use super::data::{JobReport, Sample, StepReport};
use super::{ReportError, fixture, render_html, write_html};

#[test]
fn data_cannot_become_markup() {
    let html = render_html(&fixture::example()).unwrap();
    for forbidden in ["<script>alert", "<img", "onerror=alert(2)>", "<b>&amp;</b>", "<b>bold", "\u{1b}", "\u{202E}"] {
        assert!(!html.contains(forbidden), "{forbidden:?} reached the page");
    }
    assert_eq!(html.matches("<script>").count(), 1, "the page's own script only");
    assert!(html.contains("&lt;script&gt;alert(1)&lt;"));
}

#[test]
fn attributes_cannot_be_left() {
    let nasty = "\" onmouseover=\"alert(1)\" x='".to_owned();
    let sample =
        Sample { removed_id: nasty.clone(), reason: nasty.clone(), kept_id: Some(nasty.clone()), ..Sample::default() };
    let step = StepReport { name: nasty.clone(), samples: vec![sample], ..StepReport::default() };
    let html = render_html(&JobReport { job: nasty, steps: vec![step], ..JobReport::default() }).unwrap();
    assert!(!html.contains("\" onmouseover"), "{html}");
}

#[test]
fn the_page_needs_nothing_else() {
    let html = render_html(&fixture::example()).unwrap();
    let without_namespaces = html.replace("http://www.w3.org/2000/svg", "");
    for reference in ["http:", "https:", "<link", "<img", "<iframe", "<script ", "@import", "url("] {
        assert!(!without_namespaces.contains(reference), "{reference}");
    }
}

#[test]
fn everything_of_the_report_is_on_the_page() {
    let html = render_html(&fixture::example()).unwrap();
    for expected in [
        "By source",
        "8,140",
        "40,000",
        "26,860",
        "413 MB",
        "12.4 s",
        "3,220",
        "412 MB",
        "near duplicate",
        "candidate pairs",
        "1,284,113",
        "73.4 MB",
        "0.8713",
        "0.9999",
        "words equal",
        "minhash_dedup",
        "no row without text",
        "skipped",
        "datafusion",
        "55.2.0",
        "2025-11-24 02:06 UTC",
        "resumed",
    ] {
        assert!(html.contains(expected), "{expected} is missing");
    }
}

#[test]
fn clusters_are_shown_with_both_ends() {
    let mut concepts = fixture::concepts();
    concepts.largest[0].central[0].image = Some("data:image/png;base64,iVBORw0KGgo=".to_owned());
    let step = StepReport { concepts: Some(concepts), cluster_sizes: vec![(5, 2)], ..StepReport::default() };
    let html = render_html(&JobReport { steps: vec![step], ..JobReport::default() }).unwrap();
    for expected in [
        "Map of the concepts",
        "Distance to the centroid",
        "Clusters by size",
        "0&#x2f;typical",
        "3&#x2f;atypical",
        "All rows are shown as typical ones",
        "license, &lt;b&gt;warranty",
        "concept 7",
        "<img src=\"data:image&#x2f;png;base64,iVBORw0KGgo=\"",
        "img-src data:",
    ] {
        assert!(html.contains(expected), "{expected} is missing");
    }
    assert!(!html.contains("<script>alert"), "data stays data");
}

#[test]
fn an_empty_report_is_a_page() {
    let html = render_html(&fixture::empty()).unwrap();
    assert!(html.contains("</html>"));
    assert!(html.contains("no steps"));
    assert!(!html.contains("<svg class=\"plot\""));
    assert!(!html.contains("NaN"));
}

#[test]
fn steps_may_lack_everything() {
    let mut report = fixture::empty();
    report.steps = vec![StepReport::default(), StepReport { rows_in: 5, rows_out: 9, ..StepReport::default() }];
    let html = render_html(&report).unwrap();
    assert!(html.contains("4 added"), "a step may add rows");
}

/// Set `LIMPID_REPORT_DIR` to keep the pages and look at them in a browser.
#[test]
fn pages_are_written_whole() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = std::env::var_os("LIMPID_REPORT_DIR").map_or_else(|| temporary.path().to_owned(), Into::into);
    let clusters = StepReport { concepts: Some(fixture::concepts()), ..StepReport::default() };
    let clusters = JobReport { steps: vec![clusters], ..JobReport::default() };
    let reports = [
        ("example", fixture::example()),
        ("small", fixture::small()),
        ("empty", fixture::empty()),
        ("clusters", clusters),
    ];
    for (name, report) in &reports {
        let path = dir.join(format!("{name}.html"));
        write_html(report, &path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), render_html(report).unwrap());
    }
    assert!(
        std::fs::read_dir(&dir).unwrap().all(|entry| !entry.unwrap().file_name().to_string_lossy().ends_with(".tmp"))
    );
}

#[test]
fn a_path_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("missing").join("report.html");
    let error = write_html(&fixture::empty(), &path).unwrap_err();
    assert!(matches!(error, ReportError::Write { .. }));
    assert!(error.to_string().contains("missing/report.html"), "{error}");
    assert!(write_html(&fixture::empty(), std::path::Path::new("/")).is_err());
}
