//! Horizontal bars: the funnel, and what a step removed by reason.

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, fit, plot, ticks_apart};
use super::style::{BEFORE, INK, KEPT, MUTED, Plot, REMOVED, Screen, on_both};
use crate::report::data::{JobReport, StepReport};
use crate::report::error::ReportError;
use crate::report::numbers::{percent, thousands};

/// Reasons with a bar of their own; the others share one.
const MOST_REASONS: usize = 9;
/// Up to this many the plot is narrow, with labels above the bars.
const FEW_REASONS: usize = 4;

/// Rows kept and removed by each step, one bar a step under each other; `None` without steps or rows.
pub fn funnel(report: &JobReport) -> Result<Option<String>, ReportError> {
    let most =
        report.steps.iter().flat_map(|step| [step.rows_in, step.rows_out]).chain([report.rows_in]).max().unwrap_or(0);
    if most == 0 || report.steps.is_empty() {
        return Ok(None);
    }
    on_both(|screen| match screen {
        Screen::Wide => funnel_wide(report, most),
        Screen::Phone => funnel_phone(report, most),
    })
    .map(Some)
}

/// What a step did to its rows, in words.
fn change(step: &StepReport) -> String {
    let removed = step.rows_in.saturating_sub(step.rows_out);
    if removed > 0 {
        format!("−{} ({})", thousands(removed), percent(removed, step.rows_in))
    } else if step.rows_out > step.rows_in {
        format!("+{} added", thousands(step.rows_out - step.rows_in))
    } else {
        "none removed".to_owned()
    }
}

/// Names above the bars.
fn funnel_phone(report: &JobReport, most: u64) -> Result<String, ReportError> {
    const TOP: i32 = 56;
    const PITCH: i32 = 44;
    const BAR: i32 = 14;
    let width = Screen::Phone.width();
    let (left, right, bottom) = (2, width - 12, TOP + PITCH * (report.steps.len() as i32 + 1));
    let axis = Axis::linear(0.0, most as f64, 1.0);
    let x = |rows: u64| left + (axis.place(rows as f64) * f64::from(right - left)).round() as i32;
    plot("Rows kept and removed by each step", (width as u32, (bottom + 44) as u32), |canvas| {
        canvas.legend((left, 36), &[(KEPT, "kept"), (REMOVED, "removed")])?;
        value_axis(canvas, &axis, (left, right), (TOP, bottom), "rows")?;
        let words = |top: i32, name: &str, rows: String| {
            canvas.label((width, top + 12), &rows, INK, Anchor::Right)?;
            canvas.label((left + 6, top + 12), &fit(name, 130), INK, Anchor::Left)
        };
        words(TOP, "rows in", thousands(report.rows_in))?;
        canvas.rect((left, TOP + 22), (x(report.rows_in), TOP + 22 + BAR), BEFORE)?;
        for (i, step) in (1..).zip(&report.steps) {
            let top = TOP + PITCH * i;
            words(top, &step.name, format!("{}  {}", thousands(step.rows_out), change(step)))?;
            draw_step(canvas, step, left, x, (top + 22, top + 22 + BAR))?;
        }
        Ok(())
    })
}

/// The bar of a step: kept rows, then removed ones.
fn draw_step(
    canvas: &Canvas<'_>,
    step: &StepReport,
    left: i32,
    x: impl Fn(u64) -> i32,
    (top, low): (i32, i32),
) -> Result<(), ReportError> {
    let kept_end = x(step.rows_out);
    canvas.rect((left, top), (at_least(left, kept_end, step.rows_out), low), KEPT)?;
    let removed = step.rows_in.saturating_sub(step.rows_out);
    if removed > 0 {
        let end = at_least(kept_end, x(step.rows_in), removed);
        canvas.rect((kept_end, top), (end, low), REMOVED)?;
    }
    Ok(())
}

/// Names left of the bars.
fn funnel_wide(report: &JobReport, most: u64) -> Result<String, ReportError> {
    const WIDTH: i32 = 1070;
    const LEFT: i32 = 230;
    const RIGHT: i32 = WIDTH - 215;
    const TOP: i32 = 62;
    const PITCH: i32 = 34;
    const BAR: i32 = 22;
    let bottom = TOP + PITCH * (report.steps.len() as i32 + 1);
    let axis = Axis::linear(0.0, most as f64, 1.0);
    let x = |rows: u64| LEFT + (axis.place(rows as f64) * f64::from(RIGHT - LEFT)).round() as i32;
    plot("Rows kept and removed by each step", (WIDTH as u32, (bottom + 44) as u32), |canvas| {
        canvas.legend((LEFT, 38), &[(KEPT, "kept"), (REMOVED, "removed")])?;
        value_axis(canvas, &axis, (LEFT, RIGHT), (TOP, bottom), "rows")?;
        let top = TOP + (PITCH - BAR) / 2;
        canvas.label((LEFT - 10, top + BAR / 2), "rows in", INK, Anchor::Right)?;
        canvas.rect((LEFT, top), (x(report.rows_in), top + BAR), BEFORE)?;
        canvas.label((RIGHT + 92, top + BAR / 2), &thousands(report.rows_in), INK, Anchor::Right)?;
        for (i, step) in (1..).zip(&report.steps) {
            let top = top + PITCH * i;
            let middle = top + BAR / 2;
            canvas.label((LEFT - 10, middle), &fit(&step.name, LEFT as u32 - 14), INK, Anchor::Right)?;
            draw_step(canvas, step, LEFT, x, (top, top + BAR))?;
            canvas.label((RIGHT + 92, middle), &thousands(step.rows_out), INK, Anchor::Right)?;
            canvas.label((RIGHT + 106, middle), &change(step), MUTED, Anchor::Left)?;
        }
        canvas.label((RIGHT + 92, 38), "kept", MUTED, Anchor::Right)?;
        canvas.label((RIGHT + 106, 38), "removed", MUTED, Anchor::Left)
    })
}

/// Rows removed by each reason; `None` where nothing was. Many reasons make a wide plot.
pub fn reasons(step: &StepReport) -> Result<Option<Plot>, ReportError> {
    let named: Vec<_> = step.reasons.iter().filter(|(_, rows)| *rows > 0).collect();
    let (own, shared) = named.split_at(named.len().min(MOST_REASONS));
    let mut bars: Vec<(String, u64)> = own.iter().map(|(reason, rows)| (reason.clone(), *rows)).collect();
    if !shared.is_empty() {
        let rows = shared.iter().fold(0u64, |sum, (_, rows)| sum.saturating_add(*rows));
        let plural = if shared.len() > 1 { "s" } else { "" };
        bars.push((format!("{} more reason{plural}", thousands(shared.len() as u64)), rows));
    }
    if bars.is_empty() {
        return Ok(None);
    }
    let wide = bars.len() > FEW_REASONS;
    let svg = match wide {
        true => on_both(|screen| if screen == Screen::Wide { reasons_wide(&bars) } else { reasons_narrow(&bars) }),
        false => reasons_narrow(&bars),
    }?;
    Ok(Some(Plot { svg, wide }))
}

/// Labels left of the bars.
fn reasons_wide(bars: &[(String, u64)]) -> Result<String, ReportError> {
    const LEFT: i32 = 290;
    const RIGHT: i32 = 728 - 90;
    const TOP: i32 = 30;
    const PITCH: i32 = 24;
    let frame = BarFrame { width: 728, left: LEFT, right: RIGHT, top: TOP, pitch: PITCH };
    frame.draw(bars, |canvas, reason, middle| {
        canvas.label((LEFT - 10, middle), &fit(reason, LEFT as u32 - 14), INK, Anchor::Right)
    })
}

/// Labels above the bars.
fn reasons_narrow(bars: &[(String, u64)]) -> Result<String, ReportError> {
    let frame = BarFrame { width: 350, left: 5, right: 350 - 80, top: 30, pitch: 42 };
    frame.draw(bars, |canvas, reason, middle| canvas.label((11, middle - 18), &fit(reason, 330), INK, Anchor::Left))
}

/// Where the bars of a plot lie; its height follows from their number.
struct BarFrame {
    width: i32,
    left: i32,
    right: i32,
    top: i32,
    pitch: i32,
}

impl BarFrame {
    fn draw(
        &self,
        bars: &[(String, u64)],
        name: impl Fn(&Canvas<'_>, &str, i32) -> Result<(), ReportError>,
    ) -> Result<String, ReportError> {
        const BAR: i32 = 15;
        let most = bars.iter().map(|(_, rows)| *rows).max().unwrap_or(0);
        let axis = Axis::linear(0.0, most as f64, 1.0);
        let bottom = self.top + self.pitch * bars.len() as i32 + 4;
        plot("Removed rows by reason", (self.width as u32, (bottom + 42) as u32), |canvas| {
            value_axis(canvas, &axis, (self.left, self.right), (self.top, bottom), "removed rows")?;
            for (i, (reason, rows)) in (0..).zip(bars) {
                let end_of_row = self.top + self.pitch * (i + 1);
                let (top, low) = (end_of_row - BAR - 3, end_of_row - 3);
                let middle = i32::midpoint(top, low);
                let end = self.left + (axis.place(*rows as f64) * f64::from(self.right - self.left)).round() as i32;
                let end = at_least(self.left, end, *rows);
                name(canvas, reason, middle)?;
                canvas.rect((self.left, top), (end, low), REMOVED)?;
                canvas.label((end + 6, middle), &thousands(*rows), INK, Anchor::Left)?;
            }
            Ok(())
        })
    }
}

/// The end of a bar that begins at `start`: two pixels on at least where it stands for any rows.
fn at_least(start: i32, end: i32, rows: u64) -> i32 {
    if rows > 0 { end.max(start + 2) } else { end }
}

/// Vertical grid lines with labels below and the axis' name.
fn value_axis(
    canvas: &Canvas<'_>,
    axis: &Axis,
    (left, right): (i32, i32),
    (top, bottom): (i32, i32),
    name: &str,
) -> Result<(), ReportError> {
    for (value, label) in ticks_apart(axis, right - left) {
        let x = left + (axis.place(value) * f64::from(right - left)).round() as i32;
        canvas.grid((x, top), (x, bottom))?;
        canvas.label((x, bottom + 12), &label, MUTED, Anchor::Middle)?;
    }
    canvas.line(vec![(left, top), (left, bottom)], MUTED)?;
    canvas.label(((left + right) / 2, bottom + 30), &axis.title(name), MUTED, Anchor::Middle)
}
