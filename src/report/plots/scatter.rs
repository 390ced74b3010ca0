//! The map of clusters: some rows as points, the largest clusters coloured, with their sizes beside it.

use plotters::style::RGBColor;

use super::canvas::{Anchor, fit, plot};
use super::{BEFORE, GRID, INK, KEPT, MUTED, REMOVED};
use crate::report::ReportError;
use crate::report::data::Concepts;
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

const WIDTH: i32 = 1070;
const TOP: i32 = 34;
/// Side and height of the map.
const MAP: (i32, i32) = (560, 460);
/// Left edges of the list of clusters and of its bars, and where these end.
const LIST: i32 = 610;
const BARS: (i32, i32) = (LIST + 22, WIDTH - 130);
const PITCH: i32 = 36;
/// Share of the points that the map may leave beyond its edge, on each side.
const BEYOND: f64 = 0.005;

/// The map; `None` without points.
pub fn map(concepts: &Concepts) -> Result<Option<String>, ReportError> {
    let finite: Vec<_> = concepts.points.iter().filter(|(x, y, _)| x.is_finite() && y.is_finite()).collect();
    if finite.is_empty() {
        return Ok(None);
    }
    let frame = View::new(finite.iter().map(|(x, y, _)| (f64::from(*x), f64::from(*y))));
    let colour = |cluster: i64| {
        let place = concepts.largest.iter().position(|concept| concept.cluster == cluster);
        place.and_then(|place| COLOURS.get(place)).copied()
    };
    let others = concepts.rows.saturating_sub(concepts.largest.iter().map(|concept| concept.rows).sum());
    let shown = finite.len() as u64;
    let svg = plot("Map of the concepts", (WIDTH as u32, (TOP + MAP.1 + 30) as u32), |canvas| {
        let (right, bottom) = (MAP.0, TOP + MAP.1);
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
            true => format!(
                "{} of {} rows on their first two principal components",
                thousands(shown),
                thousands(concepts.rows)
            ),
            false => format!("{} rows on their first two principal components", thousands(shown)),
        };
        canvas.label((0, bottom + 16), &note, MUTED, Anchor::Left)?;

        let most = concepts.largest.iter().map(|concept| concept.rows).chain([others]).max().unwrap_or(1).max(1);
        let bar = |rows: u64| BARS.0 + (rows as f64 / most as f64 * f64::from(BARS.1 - BARS.0)).round() as i32;
        let mut y = TOP + 8;
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
            canvas.label((LIST + 12, y), &number, MUTED, Anchor::Right)?;
            canvas.label((BARS.0, y), &fit(&label, (WIDTH - BARS.0) as u32), INK, Anchor::Left)?;
            canvas.rect((BARS.0, y + 10), (bar(rows).max(BARS.0 + 2), y + 20), colour)?;
            let share = format!("{} ({})", thousands(rows), percent(rows, concepts.rows));
            canvas.label((bar(rows).max(BARS.0 + 2) + 8, y + 15), &share, MUTED, Anchor::Left)?;
            y += PITCH;
        }
        Ok(())
    })?;
    Ok(Some(svg))
}

/// From the plane to the picture, with one scale for both directions.
struct View {
    middle: (f64, f64),
    scale: f64,
}

impl View {
    fn new(points: impl Iterator<Item = (f64, f64)>) -> Self {
        let (mut xs, mut ys): (Vec<f64>, Vec<f64>) = points.unzip();
        let range = |values: &mut Vec<f64>| {
            values.sort_unstable_by(f64::total_cmp);
            let beyond = (values.len() as f64 * BEYOND) as usize;
            (values[beyond], values[values.len() - 1 - beyond])
        };
        let ((left, right), (low, high)) = (range(&mut xs), range(&mut ys));
        let fits = |room: i32, from: f64, to: f64| f64::from(room - 30) / (to - from).max(f64::MIN_POSITIVE);
        let scale = fits(MAP.0, left, right).min(fits(MAP.1, low, high));
        let scale = if scale.is_finite() && (right > left || high > low) { scale } else { 1.0 };
        Self { middle: (f64::midpoint(left, right), f64::midpoint(low, high)), scale }
    }

    /// Points beyond the edge are drawn on it.
    fn at(&self, x: f64, y: f64) -> (i32, i32) {
        let (x, y) = ((x - self.middle.0) * self.scale, (self.middle.1 - y) * self.scale);
        let place =
            |value: f64, room: i32| (f64::from(room) / 2.0 + value).clamp(4.0, f64::from(room) - 4.0).round() as i32;
        (place(x, MAP.0), TOP + place(y, MAP.1))
    }
}
