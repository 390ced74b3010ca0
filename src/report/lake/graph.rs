//! Tables contained in others: sources on the left, what they hold on the right.

use super::data::{Group, LakeReport};
use crate::report::error::ReportError;
use crate::report::numbers::{bytes, thousands};
use crate::report::plots::canvas::{Anchor, fit, legend_growth, plot};
use crate::report::plots::style::{BEFORE, INK, KEPT, MUTED, REMOVED, Screen, on_both};

const TITLE: &str = "Contained tables and their sources";
const PITCH: i32 = 24;
const BOX: i32 = 18;
/// Where things lie.
struct Layout {
    width: i32,
    /// Right edge of the sources.
    sources: i32,
    /// Left edge of the boxes of what they hold, and how long the longest of them is.
    children: (i32, i32),
    /// Whether a source stands above what it holds, not beside it.
    above: bool,
}

impl Layout {
    fn of(screen: Screen) -> Self {
        let width = screen.width();
        match screen {
            Screen::Wide => Self { width, sources: 400, children: (520, 260), above: false },
            Screen::Phone => Self { width, sources: width, children: (26, 80), above: true },
        }
    }
}

/// Tables drawn of one group.
const MAX_MEMBERS: usize = 12;
/// Groups drawn.
const MAX_GROUPS: usize = 12;

/// The groups that save most; `None` without any.
pub fn containments(report: &LakeReport) -> Result<Option<String>, ReportError> {
    let groups = &report.groups[..report.groups.len().min(MAX_GROUPS)];
    let largest = groups.iter().flat_map(|group| &group.members).map(|member| member.bytes).max();
    let Some(largest) = largest else { return Ok(None) };
    on_both(|screen| draw(groups, largest, &Layout::of(screen))).map(Some)
}

fn draw(groups: &[Group], largest: u64, layout: &Layout) -> Result<String, ReportError> {
    let keys = [(KEPT, "kept"), (REMOVED, "may go"), (BEFORE, "equal to its source, may go")];
    let start = 66 + legend_growth(&keys, 0, layout.width);
    let lines =
        |group: &Group| group.members.len().min(MAX_MEMBERS) as i32 + i32::from(group.members.len() > MAX_MEMBERS);
    let of_source = i32::from(layout.above);
    let height = start + groups.iter().map(|group| (lines(group) + of_source + 1) * PITCH).sum::<i32>();
    plot(TITLE, (layout.width as u32, height as u32), |canvas| {
        canvas.legend((0, 38), &keys)?;
        let mut y = start;
        for group in groups {
            let middle = if layout.above { y + PITCH / 2 } else { y + lines(group) * PITCH / 2 };
            y += of_source * PITCH;
            canvas.rect((0, middle - BOX / 2), (6, middle + BOX / 2), KEPT)?;
            let name = fit(&group.source, (layout.sources - 110) as u32);
            canvas.label((14, middle), &name, INK, Anchor::Left)?;
            canvas.label((layout.sources - 4, middle), &bytes(group.bytes), MUTED, Anchor::Right)?;
            let (left, longest) = layout.children;
            for member in group.members.iter().take(MAX_MEMBERS) {
                let at = y + PITCH / 2;
                let path = match layout.above {
                    true => vec![(3, middle + BOX / 2), (3, at), (left, at)],
                    false => vec![(layout.sources, middle), (layout.sources + 60, middle), (left - 40, at), (left, at)],
                };
                canvas.line(path, MUTED)?;
                let long = (member.bytes as f64 / largest.max(1) as f64 * f64::from(longest)).round() as i32;
                let colour = if member.equal { BEFORE } else { REMOVED };
                canvas.rect((left, at - BOX / 2), (left + long.max(3), at + BOX / 2), colour)?;
                let label = format!("{}  {}", bytes(member.bytes), member.table);
                let beside = left + long.max(3) + 8;
                canvas.label((beside, at), &fit(&label, (layout.width - beside) as u32), INK, Anchor::Left)?;
                y += PITCH;
            }
            if group.members.len() > MAX_MEMBERS {
                let more = format!("and {} more", thousands((group.members.len() - MAX_MEMBERS) as u64));
                canvas.label((left, y + PITCH / 2), &more, MUTED, Anchor::Left)?;
                y += PITCH;
            }
            y += PITCH;
        }
        Ok(())
    })
}
