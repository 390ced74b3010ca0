//! The report in a terminal: the funnel as a table, and the difference of two texts.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row, Table};

use super::data::{JobReport, SourceReport, StepReport};
use super::diff::{Kind, compare, fold};
use super::numbers::{NONE, bytes, percent, rate, seconds, thousands};
use super::text::{ellipsis, one_line, printable};

/// Reasons named in a row of the funnel.
const REASONS: usize = 3;

/// The funnel as a table, one row a step and one for the whole job, as wide as the terminal at most; below it, where the job has several
/// sources, one row a source.
pub fn funnel_table(report: &JobReport) -> String {
    let mut table = funnel(report);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if report.sources.is_empty() {
        return table.to_string();
    }
    let mut sources = by_source(report);
    sources.set_content_arrangement(ContentArrangement::Dynamic);
    format!("{table}\n{sources}")
}

/// What happened in one line: rows, bytes, time, speed, memory.
pub fn verdict(report: &JobReport) -> String {
    let removed = report.rows_in.saturating_sub(report.rows_out);
    let mut line = format!(
        "{} rows in, {} out ({} removed); {} of text in, {} out; {}",
        thousands(report.rows_in),
        thousands(report.rows_out),
        percent(removed, report.rows_in),
        bytes(report.bytes_in),
        bytes(report.bytes_out),
        seconds(report.elapsed_seconds),
    );
    let rows_a_second = rate(report.rows_in, report.elapsed_seconds);
    if rows_a_second != NONE {
        line.push_str(&format!(", {rows_a_second} rows/s"));
    }
    if let Some(peak) = report.peak_memory_bytes {
        line.push_str(&format!(", {} peak memory", bytes(peak)));
    }
    line
}

/// The words by which `b` differs from `a`: `[-only in a-]` and `{+only in b+}`, or struck red and underlined green.
///
/// Long equal runs are folded. Control characters of the texts are shown as pictures and never reach the terminal.
pub fn diff_text(a: &str, b: &str, colour: bool) -> String {
    let (a, b) = (printable(a), printable(b));
    let mut out = String::new();
    for part in fold(&compare(&a, &b)) {
        let (open, close) = match (part.kind, colour) {
            (Kind::Equal, _) => ("", ""),
            (Kind::Removed, false) => ("[-", "-]"),
            (Kind::Added, false) => ("{+", "+}"),
            (Kind::Removed, true) => ("\x1b[31;9m", "\x1b[0m"),
            (Kind::Added, true) => ("\x1b[32;4m", "\x1b[0m"),
            (Kind::Folded, false) => ("\n", "\n"),
            (Kind::Folded, true) => ("\n\x1b[2m", "\x1b[0m\n"),
        };
        out.push_str(open);
        if part.kind == Kind::Folded {
            out.push_str(&format!("... {} words equal ...", thousands(part.words as u64)));
        } else {
            out.push_str(part.text);
        }
        out.push_str(close);
    }
    out
}

fn funnel(report: &JobReport) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(["Step", "Rows in", "Removed", "%", "Rows out", "Text out", "Time", "Why"]);
    for (i, column) in table.column_iter_mut().enumerate() {
        if (1..=6).contains(&i) {
            column.set_cell_alignment(CellAlignment::Right);
            // Numbers are never broken over lines.
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    for step in &report.steps {
        table.add_row(row(
            &ellipsis(&one_line(&step.name), 60),
            (step.rows_in, step.rows_out),
            step.bytes_out,
            seconds(step.seconds),
            &why(step),
        ));
    }
    table.add_row(row(
        "whole job",
        (report.rows_in, report.rows_out),
        report.bytes_out,
        seconds(report.elapsed_seconds),
        "",
    ));
    table
}

fn by_source(report: &JobReport) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(["Source", "Rows in", "Removed", "%", "Rows out", "Text in", "Text out", "Removed by step"]);
    for column in table.column_iter_mut().skip(1).take(6) {
        column.set_cell_alignment(CellAlignment::Right);
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    for source in &report.sources {
        let removed = removed(source);
        let by_step = source.removed.iter().map(|(step, rows)| format!("{} {}", one_line(step), thousands(*rows)));
        let cells = [
            ellipsis(&one_line(&source.name), 60).into_owned(),
            thousands(source.rows_in),
            thousands(removed),
            percent(removed, source.rows_in),
            thousands(source.rows_out),
            bytes(source.bytes_in),
            bytes(source.bytes_out),
            by_step.collect::<Vec<_>>().join(", "),
        ];
        table.add_row(cells);
    }
    table
}

/// Rows of a source that steps removed.
pub(super) fn removed(source: &SourceReport) -> u64 {
    source.removed.iter().map(|(_, rows)| rows).sum()
}

fn row(name: &str, (rows_in, rows_out): (u64, u64), bytes_out: u64, time: String, why: &str) -> Row {
    let removed = rows_in.saturating_sub(rows_out);
    let change = if rows_out > rows_in { format!("+{}", thousands(rows_out - rows_in)) } else { thousands(removed) };
    let cells = [
        name.to_owned(),
        thousands(rows_in),
        change,
        percent(removed, rows_in),
        thousands(rows_out),
        bytes(bytes_out),
        time,
        why.to_owned(),
    ];
    Row::from(cells.map(Cell::new).to_vec())
}

fn why(step: &StepReport) -> String {
    let named = step.reasons.iter().filter(|(_, rows)| *rows > 0);
    let mut parts: Vec<String> = named
        .clone()
        .take(REASONS)
        .map(|(reason, rows)| format!("{} {}", ellipsis(&one_line(reason), 40), thousands(*rows)))
        .collect();
    let others = named.skip(REASONS).count();
    if others > 0 {
        parts.push(format!("{others} more"));
    }
    if step.resumed {
        parts.push("resumed".to_owned());
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn the_funnel_of_a_small_job() {
        let mut table = funnel(&fixture::small());
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(110);
        let expected = "\
┌────────────┬─────────┬─────────┬───────┬──────────┬──────────┬────────┬───────────────────────────────────┐
│ Step       ┆ Rows in ┆ Removed ┆     % ┆ Rows out ┆ Text out ┆   Time ┆ Why                               │
╞════════════╪═════════╪═════════╪═══════╪══════════╪══════════╪════════╪═══════════════════════════════════╡
│ quality    ┆  12,000 ┆   2,000 ┆ 16.7% ┆   10,000 ┆  40.0 MB ┆ 750 ms ┆ too_short 1,500, symbol_ratio 500 │
│ exact␛[31m ┆  10,000 ┆   2,500 ┆ 25.0% ┆    7,500 ┆  30.0 MB ┆ 1.20 s ┆ exact duplicate 2,500, resumed    │
│ whole job  ┆  12,000 ┆   4,500 ┆ 37.5% ┆    7,500 ┆  30.0 MB ┆ 2.50 s ┆                                   │
└────────────┴─────────┴─────────┴───────┴──────────┴──────────┴────────┴───────────────────────────────────┘";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn sources_have_a_table_of_their_own() {
        let report = fixture::example();
        let table = by_source(&report).set_content_arrangement(ContentArrangement::Dynamic).set_width(120).to_string();
        for part in ["crates <b>bold", " 30,000 ", " 8,140 ", "27.1%", " 21,860 ", "quality 1,000", "near ␛[31m"] {
            assert!(table.contains(part), "{part}: {table}");
        }
        assert!(
            funnel_table(&report)
                .ends_with(&by_source(&report).set_content_arrangement(ContentArrangement::Dynamic).to_string())
        );
        assert!(!funnel_table(&fixture::small()).contains("Removed by step"));
    }

    #[test]
    fn the_funnel_fits_a_narrow_terminal() {
        let mut table = funnel(&fixture::example());
        let table = table.set_content_arrangement(ContentArrangement::Dynamic).set_width(96).to_string();
        assert!(table.lines().all(|line| line.chars().count() <= 96), "{table}");
        assert!(table.contains(" 40,000 ") && table.contains(" 26,860 "), "numbers stay whole: {table}");
    }

    #[test]
    fn the_funnel_of_nothing() {
        let table = funnel_table(&fixture::empty());
        assert!(table.contains("whole job") && table.contains(NONE), "{table}");
    }

    #[test]
    fn the_verdict() {
        assert_eq!(
            verdict(&fixture::small()),
            "12,000 rows in, 7,500 out (37.5% removed); 48.0 MB of text in, 30.0 MB out; 2.50 s, 4,800 rows/s, 210 MB peak memory"
        );
        assert_eq!(verdict(&fixture::empty()), "0 rows in, 0 out (– removed); 0 B of text in, 0 B out; 0 s");
    }

    #[test]
    fn differences_are_marked() {
        assert_eq!(diff_text("one two three", "one 2 three", false), "one [-two-]{+2+} three");
        assert_eq!(diff_text("one two", "one 2", true), "one \x1b[31;9mtwo\x1b[0m\x1b[32;4m2\x1b[0m");
        assert_eq!(diff_text("same", "same", false), "same");
        assert_eq!(diff_text("", "", true), "");
    }

    #[test]
    fn texts_cannot_steer_the_terminal() {
        let shown = diff_text("a \x1b]0;title\x07 b", "a \x1b[2J b", false);
        assert!(!shown.contains(['\x1b', '\x07']), "{shown:?}");
    }

    #[test]
    fn long_equal_runs_are_counted() {
        let words: String = (0..1500).map(|i| format!("w{i} ")).collect();
        let shown = diff_text(&format!("{words}x"), &format!("{words}y"), false);
        assert!(shown.contains("\n... 1,476 words equal ...\n"), "{shown}");
        assert!(shown.ends_with("[-x-]{+y+}"), "{shown}");
    }
}
