//! Tables contained in others: sources on the left, what they hold on the right.

use super::canvas::{Anchor, fit, plot};
use super::{BEFORE, INK, KEPT, MUTED, REMOVED};
use crate::report::ReportError;
use crate::report::lake::{Group, LakeReport};
use crate::report::numbers::{bytes, thousands};

const WIDTH: i32 = 1070;
const TOP: i32 = 66;
const PITCH: i32 = 24;
const BOX: i32 = 18;
/// Left and right edge of the boxes of sources.
const SOURCES: (i32, i32) = (0, 400);
/// Left edge of the boxes of what they hold, and how long the longest of them is.
const CHILDREN: (i32, i32) = (520, 260);
/// Tables drawn of one group.
const MOST: usize = 12;
/// Groups drawn.
const GROUPS: usize = 12;

/// The groups that save most; `None` without any.
pub fn containments(report: &LakeReport) -> Result<Option<String>, ReportError> {
    let groups = &report.groups[..report.groups.len().min(GROUPS)];
    let largest = groups.iter().flat_map(|group| &group.members).map(|member| member.bytes).max();
    let Some(largest) = largest else { return Ok(None) };
    let lines = |group: &Group| group.members.len().min(MOST) as i32 + i32::from(group.members.len() > MOST);
    let height = TOP + groups.iter().map(|group| (lines(group) + 1) * PITCH).sum::<i32>();
    let svg = plot("Contained tables and what they can be rebuilt from", (WIDTH as u32, height as u32), |canvas| {
        canvas
            .legend((SOURCES.0, 38), &[(KEPT, "kept"), (REMOVED, "may go"), (BEFORE, "equal to its source, may go")])?;
        let mut y = TOP;
        for group in groups {
            let middle = y + lines(group) * PITCH / 2;
            canvas.rect((SOURCES.0, middle - BOX / 2), (SOURCES.0 + 6, middle + BOX / 2), KEPT)?;
            let name = fit(&group.source, (SOURCES.1 - SOURCES.0 - 110) as u32);
            canvas.label((SOURCES.0 + 14, middle), &name, INK, Anchor::Left)?;
            canvas.label((SOURCES.1 - 4, middle), &bytes(group.bytes), MUTED, Anchor::Right)?;
            for member in group.members.iter().take(MOST) {
                let at = y + PITCH / 2;
                canvas.line(
                    vec![(SOURCES.1, middle), (SOURCES.1 + 60, middle), (CHILDREN.0 - 40, at), (CHILDREN.0, at)],
                    MUTED,
                )?;
                let long = (member.bytes as f64 / largest.max(1) as f64 * f64::from(CHILDREN.1)).round() as i32;
                let colour = if member.equal { BEFORE } else { REMOVED };
                canvas.rect((CHILDREN.0, at - BOX / 2), (CHILDREN.0 + long.max(3), at + BOX / 2), colour)?;
                let label = format!("{}  {}", bytes(member.bytes), member.table);
                let left = CHILDREN.0 + long.max(3) + 8;
                canvas.label((left, at), &fit(&label, (WIDTH - left) as u32), INK, Anchor::Left)?;
                y += PITCH;
            }
            if group.members.len() > MOST {
                let more = format!("and {} more", thousands((group.members.len() - MOST) as u64));
                canvas.label((CHILDREN.0, y + PITCH / 2), &more, MUTED, Anchor::Left)?;
                y += PITCH;
            }
            y += PITCH;
        }
        Ok(())
    })?;
    Ok(Some(svg))
}
