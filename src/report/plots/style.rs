//! Colours and sizes of the pictures.

use plotters::style::RGBColor;
use serde::Serialize;

use crate::report::error::ReportError;

/// A picture among the pictures of a step.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Plot {
    /// SVG text.
    pub svg: String,
    /// Whether it takes the room of two.
    pub wide: bool,
}

impl Plot {
    /// One that takes the room of one.
    pub fn narrow(svg: String) -> Self {
        Self { svg, wide: false }
    }
}

/// The screen that a picture is drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// As wide as the page.
    Wide,
    /// Of a phone.
    Phone,
}

impl Screen {
    /// Pixels of a picture as wide as the page.
    pub fn width(self) -> i32 {
        match self {
            Self::Wide => 1070,
            Self::Phone => 340,
        }
    }
}

/// Draws for both screens. The page shows one of the two pictures: one that is scaled to a phone has letters too small to read.
pub fn on_both(draw: impl Fn(Screen) -> Result<String, ReportError>) -> Result<String, ReportError> {
    let named = |screen, name| -> Result<String, ReportError> {
        Ok(draw(screen)?.replacen("class=\"plot\"", &format!("class=\"plot {name}\""), 1))
    };
    Ok(named(Screen::Wide, "for-wide")? + &named(Screen::Phone, "for-phone")?)
}

/// Text.
pub const INK: RGBColor = RGBColor(0x1F, 0x29, 0x33);
/// What all lies on.
pub const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
/// Axis labels.
pub const MUTED: RGBColor = RGBColor(0x5F, 0x6B, 0x7A);
/// Grid lines.
pub const GRID: RGBColor = RGBColor(0xE3, 0xE7, 0xEC);
/// Rows that stay. With [`REMOVED`] a pair of the palette of Okabe and Ito (2008), told apart by all common colour visions.
pub const KEPT: RGBColor = RGBColor(0x00, 0x72, 0xB2);
/// Rows that go.
pub const REMOVED: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
/// What was there before.
pub const BEFORE: RGBColor = RGBColor(0xB4, 0xBD, 0xC9);
