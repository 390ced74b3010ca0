//! The funnel: what each step removed, as a table for a terminal.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use indicatif::{HumanBytes, HumanCount};

use crate::report::data::{JobReport, StepReport};

/// Reasons named in a row of the table.
const REASONS: usize = 4;

/// The funnel of `report`.
pub fn table(report: &JobReport) -> Table {
    let mut table = new_table();
    table.set_header(["step", "rows in", "removed", "%", "by reason", "text out", "seconds", "note"]);
    for step in &report.steps {
        let removed = step.rows_in.saturating_sub(step.rows_out);
        table.add_row([
            Cell::new(&step.name),
            right(HumanCount(step.rows_in)),
            right(HumanCount(removed)),
            right(share(removed, step.rows_in)),
            Cell::new(reasons(step)),
            right(HumanBytes(step.bytes_out)),
            right(format!("{:.2}", step.seconds)),
            Cell::new(if step.resumed { "resumed" } else { "" }),
        ]);
    }
    let removed = report.rows_in.saturating_sub(report.rows_out);
    table.add_row([
        Cell::new("out"),
        right(HumanCount(report.rows_out)),
        right(HumanCount(removed)),
        right(share(removed, report.rows_in)),
        Cell::new(format!("of {} rows, {} of text", HumanCount(report.rows_in), HumanBytes(report.bytes_in))),
        right(HumanBytes(report.bytes_out)),
        right(format!("{:.2}", report.elapsed_seconds)),
        Cell::new(""),
    ]);
    table
}

/// A table in the style of the program.
pub fn new_table() -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

fn right(value: impl ToString) -> Cell {
    Cell::new(value).set_alignment(CellAlignment::Right)
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 { String::new() } else { format!("{:.1}", part as f64 * 100.0 / whole as f64) }
}

fn reasons(step: &StepReport) -> String {
    let mut lines: Vec<_> =
        step.reasons.iter().take(REASONS).map(|(reason, rows)| format!("{reason} {}", HumanCount(*rows))).collect();
    if let Some(more) = step.reasons.len().checked_sub(REASONS).filter(|more| *more > 0) {
        let rows = step.reasons.iter().skip(REASONS).map(|(_, rows)| rows).sum();
        lines.push(format!("{more} more {}", HumanCount(rows)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_rows_shares_and_reasons() {
        let reasons = (0..6).map(|n| (format!("rule_{n}"), 10 - n)).collect();
        let step = StepReport {
            name: "quality".into(),
            rows_in: 1_000,
            rows_out: 955,
            reasons,
            resumed: true,
            ..StepReport::default()
        };
        let report = JobReport { rows_in: 1_000, rows_out: 955, steps: vec![step], ..JobReport::default() };
        let text = table(&report).to_string();
        for part in ["1,000", "45", "4.5", "rule_0 10", "2 more 11", "resumed"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
