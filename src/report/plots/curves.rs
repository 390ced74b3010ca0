//! Lines with error bars: what is measured at several budgets, a line for each method.

use plotters::style::RGBColor;

use super::axis::Axis;
use super::canvas::{Anchor, legend_growth, plot, ticks_apart};
use super::style::{BEFORE, INK, KEPT, MUTED, REMOVED, Screen, on_both};
use crate::report::error::ReportError;

/// Colours of the lines, from the palette of Okabe and Ito (2008), told apart by all common colour visions.
const COLOURS: [RGBColor; 8] = [
    BEFORE,
    KEPT,
    REMOVED,
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    INK,
];

/// A line.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// From left to right.
    pub points: Vec<Point>,
}

/// A measured value with what is about it.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// Place, above 0.
    pub x: f64,
    /// The mean.
    pub y: f64,
    /// Half the length of its error bar.
    pub error: f64,
}

/// Draws the lines over a logarithmic axis, and `whole`, a value to compare with, across; `None` where there is no point.
pub fn curves(
    title: &'static str,
    curves: &[Curve],
    whole: Option<f64>,
    (x_name, y_name): (&str, &str),
) -> Result<Option<String>, ReportError> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let finite = points().all(|p| p.x > 0.0 && p.x.is_finite() && p.y.is_finite() && p.error.is_finite());
    if points().next().is_none() || !finite {
        return Ok(None);
    }
    let ends = points().flat_map(|p| [p.y - p.error, p.y + p.error]).chain(whole.filter(|whole| whole.is_finite()));
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(y), high.max(y)));
    let room = (high - low).max(1e-9) * 0.06;
    let (least, most) = points().fold((f64::INFINITY, 0.0_f64), |(least, most), p| (least.min(p.x), most.max(p.x)));
    let (x, y) = (Axis::log(least * 0.9, most * 1.1), Axis::linear(low - room, high + room, 0.0));
    let colour = |number: usize| COLOURS[number % COLOURS.len()];
    let keys: Vec<_> = curves.iter().enumerate().map(|(n, curve)| (colour(n), curve.name.as_str())).collect();
    const LEFT: i32 = 58;
    let draw = |screen: Screen| {
        let (width, plotted) = (screen.width(), if screen == Screen::Wide { 318 } else { 240 });
        let (right, top) = (width - 14, 60 + legend_growth(&keys, LEFT, width));
        let bottom = top + plotted;
        let at_x = |value: f64| LEFT + (x.place(value) * f64::from(right - LEFT)).round() as i32;
        let at_y = |value: f64| bottom - (y.place(value) * f64::from(bottom - top)).round() as i32;
        plot(title, (width as u32, (bottom + 42) as u32), |canvas| {
            canvas.legend((LEFT, 38), &keys)?;
            for (value, label) in y.labels() {
                canvas.grid((LEFT, at_y(value)), (right, at_y(value)))?;
                canvas.label((LEFT - 6, at_y(value)), &label, MUTED, Anchor::Right)?;
            }
            canvas.line(vec![(LEFT, bottom), (right, bottom)], MUTED)?;
            for (value, label) in ticks_apart(&x, right - LEFT) {
                canvas.line(vec![(at_x(value), bottom), (at_x(value), bottom + 4)], MUTED)?;
                canvas.label((at_x(value), bottom + 13), &label, MUTED, Anchor::Middle)?;
            }
            if let Some(whole) = whole {
                canvas.line(vec![(LEFT, at_y(whole)), (right, at_y(whole))], INK)?;
                // On the left, where most curves are low.
                canvas.label((LEFT + 6, at_y(whole) - 8), "everything", INK, Anchor::Left)?;
            }
            for (number, curve) in curves.iter().enumerate() {
                // Lines beside each other, so that error bars of the same place can be told apart.
                let shift = number as i32 * 3 - curves.len() as i32 * 3 / 2;
                let places: Vec<_> = curve.points.iter().map(|p| (at_x(p.x) + shift, at_y(p.y))).collect();
                for (point, (x, _)) in curve.points.iter().zip(&places) {
                    let (low, high) = (at_y(point.y - point.error), at_y(point.y + point.error));
                    canvas.line(vec![(*x, low), (*x, high)], colour(number))?;
                    canvas.line(vec![(x - 3, low), (x + 3, low)], colour(number))?;
                    canvas.line(vec![(x - 3, high), (x + 3, high)], colour(number))?;
                }
                for (x, y) in &places {
                    canvas.rect((x - 2, y - 2), (x + 3, y + 3), colour(number))?;
                }
                if places.len() > 1 {
                    canvas.stroke(places, colour(number), 2)?;
                }
            }
            canvas.label(((LEFT + right) / 2, bottom + 31), &x.title(x_name), MUTED, Anchor::Middle)?;
            canvas.label_upwards((10, (top + bottom) / 2), y_name)
        })
    };
    on_both(draw).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_drawn_with_their_names_and_nonsense_is_not() {
        let curve = |name: &str, y: f64| Curve {
            name: name.to_owned(),
            points: vec![Point { x: 5.0, y, error: 0.5 }, Point { x: 50.0, y: y + 1.0, error: 0.1 }],
        };
        let svg = curves("Accuracy", &[curve("random", 90.0), curve("a<b", 91.0)], Some(95.0), ("kept", "accuracy"));
        let svg = svg.unwrap().unwrap();
        assert!(svg.contains("random") && svg.contains("a&lt;b") && svg.contains("everything"));
        assert!(svg.matches("<polyline").count() >= 2, "{svg}");
        assert_eq!(curves("Accuracy", &[], None, ("x", "y")).unwrap(), None);
        assert_eq!(curves("Accuracy", &[curve("wild", f64::NAN)], None, ("x", "y")).unwrap(), None);
    }
}
