//! The map of clusters: some rows as points, the largest clusters coloured, with their sizes beside it.

use plotters::style::RGBColor;

use super::canvas::{Anchor, fit, plot};
use super::style::{BEFORE, GRID, INK, KEPT, MUTED, REMOVED, Screen, on_both};
use crate::report::data::Concepts;
use crate::report::error::ReportError;
use crate::report::numbers::{percent, thousands};

/// Colours of the largest clusters. The first two are those of kept and removed rows, the others follow Okabe and Ito (2008) as
/// far as they can be seen on white, the last four Paul Tol's muted scheme.
pub const COLOURS: [RGBColor; 12] = [
    KEPT,
    REMOVED,
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x7B, 0x4F, 0xB5),
    RGBColor(0x8C, 0x6D, 0x31),
    RGBColor(0xAA, 0x44, 0x99),
    RGBColor(0x99, 0x99, 0x33),
    RGBColor(0x33, 0x22, 0x88),
    RGBColor(0x88, 0x22, 0x55),
];

const TOP: i32 = 34;
const PITCH: i32 = 36;
/// Share of the points that the map may leave beyond its edge, on each side.
const BEYOND: f64 = 0.005;

/// Where things lie: the list of clusters beside the map, or below it.
struct Layout {
    /// Width and height of the map.
    map: (i32, i32),
    /// Left and upper edge of the list.
    list: (i32, i32),
    width: i32,
}

impl Layout {
    fn of(screen: Screen) -> Self {
        let width = screen.width();
        match screen {
            Screen::Wide => Self { map: (560, 460), list: (610, TOP + 8), width },
            Screen::Phone => Self { map: (width, 300), list: (0, TOP + 300 + 54), width },
        }
    }
}

/// The map; `None` without points.
pub fn map(concepts: &Concepts) -> Result<Option<String>, ReportError> {
    let finite: Vec<_> = concepts.points.iter().filter(|(x, y, _)| x.is_finite() && y.is_finite()).collect();
    if finite.is_empty() {
        return Ok(None);
    }
    let colour = |cluster: i64| {
        let place = concepts.largest.iter().position(|concept| concept.cluster == cluster);
        place.and_then(|place| COLOURS.get(place)).copied()
    };
    let others = concepts.rows.saturating_sub(concepts.largest.iter().map(|concept| concept.rows).sum());
    let shown = finite.len() as u64;
    let draw = |screen: Screen| {
        let Layout { map, list, width } = Layout::of(screen);
        let frame = View::new(finite.iter().map(|(x, y, _)| (f64::from(*x), f64::from(*y))), map);
        let bars = (list.0 + 22, width - 130);
        let listed = (concepts.largest.len().min(COLOURS.len()) as i32 + i32::from(others > 0)) * PITCH;
        let height = (TOP + map.1 + 30).max(list.1 + listed);
        plot("Map of the concepts", (width as u32, height as u32), |canvas| {
            let (right, bottom) = (map.0, TOP + map.1);
            let corners = vec![(0, TOP), (right, TOP), (right, bottom), (0, bottom), (0, TOP)];
            canvas.line(corners, GRID)?;
            // The coloured points lie over the others.
            for of_largest in [false, true] {
                for (x, y, cluster) in &finite {
                    let colour = colour(*cluster);
                    if colour.is_some() == of_largest {
                        canvas.dot(frame.at(f64::from(*x), f64::from(*y)), colour.unwrap_or(BEFORE))?;
                    }
                }
            }
            for concept in concepts.largest.iter().take(COLOURS.len()) {
                let (x, y) = frame.at(concept.middle.0, concept.middle.1);
                canvas.badge((x, y), &concept.cluster.to_string())?;
            }
            let note = match shown < concepts.rows {
                true => {
                    format!("{} of {} rows on two principal components", thousands(shown), thousands(concepts.rows))
                }
                false => format!("{} rows on two principal components", thousands(shown)),
            };
            canvas.label((0, bottom + 16), &note, MUTED, Anchor::Left)?;

            let most = concepts.largest.iter().map(|concept| concept.rows).chain([others]).max().unwrap_or(1).max(1);
            let bar = |rows: u64| bars.0 + (rows as f64 / most as f64 * f64::from(bars.1 - bars.0)).round() as i32;
            let mut y = list.1;
            let clusters = concepts.largest.iter().zip(COLOURS).map(|(concept, colour)| {
                let label = concept.label.clone().unwrap_or_else(|| format!("concept {}", concept.cluster));
                (concept.cluster.to_string(), label, concept.rows, colour)
            });
            let named = concepts.largest.len().min(COLOURS.len()) as u64;
            let rest = (others > 0).then(|| {
                let count = concepts.clusters.saturating_sub(named);
                let label = format!("{} other concept{}", thousands(count), if count == 1 { "" } else { "s" });
                (String::new(), label, others, BEFORE)
            });
            for (number, label, rows, colour) in clusters.chain(rest) {
                canvas.label((list.0 + 12, y), &number, MUTED, Anchor::Right)?;
                canvas.label((bars.0, y), &fit(&label, (width - bars.0) as u32), INK, Anchor::Left)?;
                canvas.rect((bars.0, y + 10), (bar(rows).max(bars.0 + 2), y + 20), colour)?;
                let share = format!("{} ({})", thousands(rows), percent(rows, concepts.rows));
                canvas.label((bar(rows).max(bars.0 + 2) + 8, y + 15), &share, MUTED, Anchor::Left)?;
                y += PITCH;
            }
            Ok(())
        })
    };
    on_both(draw).map(Some)
}

/// From the plane to the picture, with one scale for both directions.
struct View {
    middle: (f64, f64),
    scale: f64,
    /// Width and height.
    size: (i32, i32),
}

impl View {
    fn new(points: impl Iterator<Item = (f64, f64)>, size: (i32, i32)) -> Self {
        let (mut xs, mut ys): (Vec<f64>, Vec<f64>) = points.unzip();
        let range = |values: &mut Vec<f64>| {
            values.sort_unstable_by(f64::total_cmp);
            let beyond = (values.len() as f64 * BEYOND) as usize;
            (values[beyond], values[values.len() - 1 - beyond])
        };
        let ((left, right), (low, high)) = (range(&mut xs), range(&mut ys));
        let fits = |room: i32, from: f64, to: f64| f64::from(room - 30) / (to - from).max(f64::MIN_POSITIVE);
        let scale = fits(size.0, left, right).min(fits(size.1, low, high));
        let scale = if scale.is_finite() && (right > left || high > low) { scale } else { 1.0 };
        Self { middle: (f64::midpoint(left, right), f64::midpoint(low, high)), scale, size }
    }

    /// Points beyond the edge are drawn on it.
    fn at(&self, x: f64, y: f64) -> (i32, i32) {
        let (x, y) = ((x - self.middle.0) * self.scale, (self.middle.1 - y) * self.scale);
        let place =
            |value: f64, room: i32| (f64::from(room) / 2.0 + value).clamp(4.0, f64::from(room) - 4.0).round() as i32;
        (place(x, self.size.0), TOP + place(y, self.size.1))
    }
}
