//! A drawing area with the few marks the plots need.

use plotters::coord::Shift;
use plotters::prelude::{Circle, DrawingArea, IntoDrawingArea, PathElement, Rectangle, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, FontTransform, IntoFont, RGBColor, TextStyle};

use super::axis::Axis;
use super::style::{GRID, INK, MUTED, PAPER};
use crate::report::error::ReportError;
use crate::report::text::{ellipsis, one_line};

/// Text height in pixels of labels.
pub const LABEL: f64 = 12.0;
/// Text height in pixels of titles.
pub const TITLE: f64 = 14.0;
/// Height of a line of a legend.
const LEGEND_LINE: i32 = 18;
/// plotters divides font sizes by this when it writes SVG.
const PLOTTERS_SCALE: f64 = 1.24;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Where a text's reference point lies, vertically always its middle.
#[derive(Clone, Copy)]
pub enum Anchor {
    Left,
    Middle,
    Right,
}

/// Draws `title` and whatever `draw` adds on `width` by `height` pixels; returns the SVG text.
pub fn plot(
    title: &'static str,
    (width, height): (u32, u32),
    draw: impl FnOnce(&Canvas<'_>) -> Result<(), ReportError>,
) -> Result<String, ReportError> {
    let mut svg = String::new();
    {
        let canvas = Canvas { area: SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area(), title };
        canvas.write((0, 10), title, TITLE, INK, Anchor::Left, true)?;
        draw(&canvas)?;
        canvas.area.present().map_err(|e| canvas.error(&e))?;
    }
    Ok(svg.replacen("<svg ", &format!("<svg class=\"plot\" role=\"img\" aria-label=\"{title}\" "), 1))
}

/// The marks.
pub struct Canvas<'a> {
    area: Area<'a>,
    title: &'static str,
}

impl Canvas<'_> {
    /// A filled rectangle between two corners.
    pub fn rect(&self, from: (i32, i32), to: (i32, i32), colour: RGBColor) -> Result<(), ReportError> {
        self.area.draw(&Rectangle::new([from, to], colour.filled())).map_err(|e| self.error(&e))
    }

    /// A point that lets others shine through.
    pub fn dot(&self, at: (i32, i32), colour: RGBColor) -> Result<(), ReportError> {
        self.area.draw(&Circle::new(at, 3, colour.mix(0.65).filled())).map_err(|e| self.error(&e))
    }

    /// A short text on a disc.
    pub fn badge(&self, at: (i32, i32), text: &str) -> Result<(), ReportError> {
        self.area.draw(&Circle::new(at, 10, PAPER.mix(0.85).filled())).map_err(|e| self.error(&e))?;
        self.area.draw(&Circle::new(at, 10, INK.stroke_width(1))).map_err(|e| self.error(&e))?;
        self.write(at, text, LABEL, INK, Anchor::Middle, true)
    }

    /// A line; [`GRID`] or [`MUTED`] as a rule.
    pub fn line(&self, points: Vec<(i32, i32)>, colour: RGBColor) -> Result<(), ReportError> {
        self.area.draw(&PathElement::new(points, colour.stroke_width(1))).map_err(|e| self.error(&e))
    }

    /// A line of that width in pixels.
    pub fn stroke(&self, points: Vec<(i32, i32)>, colour: RGBColor, width: u32) -> Result<(), ReportError> {
        self.area.draw(&PathElement::new(points, colour.stroke_width(width))).map_err(|e| self.error(&e))
    }

    /// A grid line.
    pub fn grid(&self, from: (i32, i32), to: (i32, i32)) -> Result<(), ReportError> {
        self.line(vec![from, to], GRID)
    }

    /// A label.
    pub fn label(&self, at: (i32, i32), text: &str, colour: RGBColor, anchor: Anchor) -> Result<(), ReportError> {
        self.write(at, text, LABEL, colour, anchor, false)
    }

    /// A label that reads upwards, around its middle.
    pub fn label_upwards(&self, at: (i32, i32), text: &str) -> Result<(), ReportError> {
        let font = ("sans-serif", LABEL * PLOTTERS_SCALE).into_font().transform(FontTransform::Rotate270);
        let style = TextStyle::from(font).color(&MUTED).pos(Pos::new(HPos::Center, VPos::Center));
        self.area.draw_text(text, &style, at).map_err(|e| self.error(&e))
    }

    /// Colour keys from `at` on, in as many lines as they need.
    pub fn legend(&self, at: (i32, i32), keys: &[(RGBColor, &str)]) -> Result<(), ReportError> {
        let right = self.area.dim_in_pixel().0 as i32;
        for ((colour, text), (x, line)) in keys.iter().zip(legend_places(keys, at.0, right)) {
            let y = at.1 + line * LEGEND_LINE;
            self.rect((x, y - 5), (x + 11, y + 6), *colour)?;
            self.label((x + 17, y), text, MUTED, Anchor::Left)?;
        }
        Ok(())
    }

    fn write(
        &self,
        at: (i32, i32),
        text: &str,
        size: f64,
        colour: RGBColor,
        anchor: Anchor,
        bold: bool,
    ) -> Result<(), ReportError> {
        let h_pos = match anchor {
            Anchor::Left => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::Right => HPos::Right,
        };
        let weight = if bold { FontStyle::Bold } else { FontStyle::Normal };
        let font = ("sans-serif", size * PLOTTERS_SCALE, weight).into_font();
        let style = TextStyle::from(font).color(&colour).pos(Pos::new(h_pos, VPos::Center));
        self.area.draw_text(text, &style, at).map_err(|e| self.error(&e))
    }

    fn error(&self, e: &dyn std::error::Error) -> ReportError {
        ReportError::Plot { title: self.title, message: e.to_string() }
    }
}

/// `text` on one line and short enough for `pixels` of [`LABEL`] text.
pub fn fit(text: &str, pixels: u32) -> String {
    let text = one_line(text);
    let mut keep = text.chars().count().min(400);
    let mut short = ellipsis(&text, keep);
    while keep > 1 && width(&short) > f64::from(pixels) {
        keep -= 1;
        short = ellipsis(&text, keep);
    }
    short.into_owned()
}

/// Where each key of a legend begins, and its line.
fn legend_places(keys: &[(RGBColor, &str)], left: i32, right: i32) -> Vec<(i32, i32)> {
    let (mut x, mut line) = (left, 0);
    let place = |(_, text): &(RGBColor, &str)| {
        let needed = 17 + width(text) as i32;
        if x > left && x + needed > right {
            (x, line) = (left, line + 1);
        }
        let place = (x, line);
        x += needed + 18;
        place
    };
    keys.iter().map(place).collect()
}

/// Pixels that the lines of a legend take beyond its first one.
pub fn legend_growth(keys: &[(RGBColor, &str)], left: i32, right: i32) -> i32 {
    legend_places(keys, left, right).last().map_or(0, |(_, line)| line * LEGEND_LINE)
}

/// The ticks of a horizontal axis of that many pixels, without those whose labels would touch the one before.
pub fn ticks_apart(axis: &Axis, pixels: i32) -> Vec<(f64, String)> {
    let mut end = f64::NEG_INFINITY;
    let apart = |(value, label): &(f64, String)| {
        let (middle, half) = (axis.place(*value) * f64::from(pixels), width(label) / 2.0);
        let fits = middle - half >= end + 5.0;
        if fits {
            end = middle + half;
        }
        fits
    };
    axis.labels().filter(apart).collect()
}

/// Estimated width of [`LABEL`] text in pixels: the real font is known to the viewer alone.
fn width(text: &str) -> f64 {
    let ems: f64 = text
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | 't' | 'f' | 'r' | '.' | ',' | ' ' | '|' | '(' | ')' => 0.36,
            'm' | 'w' | 'M' | 'W' => 0.95,
            'A'..='Z' | '<' | '>' | '=' | '+' => 0.78,
            c if c < '\u{1100}' => 0.63,
            _ => 1.05,
        })
        .sum();
    ems * LABEL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legends_take_several_lines_and_ticks_keep_apart() {
        let keys = [(INK, "before the first step"), (INK, "at the sink"), (INK, "elsewhere")];
        assert_eq!(legend_growth(&keys, 58, 1070), 0);
        assert_eq!(legend_growth(&keys, 58, 340), LEGEND_LINE);
        let axis = Axis::log(1.0, 1000.0);
        assert_eq!(ticks_apart(&axis, 1000).len(), axis.ticks.len());
        assert!(ticks_apart(&axis, 100).len() < axis.ticks.len());
    }

    #[test]
    fn labels_fit() {
        assert_eq!(fit("short", 100), "short");
        let cut = fit("a very long name of a step that nobody can read", 100);
        assert!(cut.ends_with('…') && width(&cut) <= 100.0, "{cut}");
        assert!(fit(&"漢".repeat(100_000), 100).chars().count() <= 9);
        assert_eq!(fit("two\nlines", 100), "two␊lines");
    }
}
