//! Vertical bars over a measured quantity: similarities, cluster sizes, document lengths.

use plotters::style::RGBColor;

use super::axis::Axis;
use super::canvas::{Anchor, Canvas, legend_growth, plot, ticks_apart};
use super::style::{BEFORE, KEPT, MUTED, Plot, REMOVED, Screen, on_both};
use crate::report::data::{Histogram, JobReport, StepReport};
use crate::report::error::ReportError;

/// Cluster sizes up to this one get a bar each; beyond it sizes share logarithmic bins.
const EXACT_SIZES: u64 = 20;
/// Sizes of which the largest is less than so many times the smallest share even bins, so many.
const NARROW: u64 = 20;
const BINS: u64 = 12;

/// Exact similarities of the removed rows to their kept rows; `None` where none was measured.
pub fn similarities(step: &StepReport) -> Result<Option<Plot>, ReportError> {
    let Some(bins) = checked(&step.similarities) else {
        return Ok(None);
    };
    // Nothing below the threshold is ever removed: the empty bins there say nothing.
    let empty = bins.iter().take_while(|bin| bin.count == 0).count();
    let bins = &bins[empty..];
    let (Some(first), Some(last)) = (bins.first(), bins.last()) else {
        return Ok(None);
    };
    let x = Axis::linear(first.low, last.high, 0.0);
    let frame = Frame { title: "Similarity to the kept row", size: (350, 240), x, x_name: "exact similarity (0 to 1)" };
    frame.draw("removed rows", &heights(bins), &[(REMOVED, bins)], &[]).map(Plot::narrow).map(Some)
}

/// Clusters of duplicates by their size; `None` where there are none.
pub fn cluster_sizes(step: &StepReport) -> Result<Option<Plot>, ReportError> {
    let sizes: Vec<_> = step.cluster_sizes.iter().copied().filter(|(size, count)| *size > 0 && *count > 0).collect();
    let (Some(least), Some(most)) = (sizes.iter().map(|s| s.0).min(), sizes.iter().map(|s| s.0).max()) else {
        return Ok(None);
    };
    let (x, edges) = if most <= EXACT_SIZES {
        let least = least.min(2);
        // Room for three sizes at least: a single bar over the whole width says little.
        let end = most.max(least + 2);
        let mut x = Axis::linear(least as f64 - 0.5, end as f64 + 0.5, 1.0);
        x.ticks = (least..=end).step_by(if end - least < 10 { 1 } else { 2 }).map(|size| size as f64).collect();
        (x, (least..=end + 1).map(|size| size as f64 - 0.5).collect())
    } else if most / least < NARROW {
        let step = ((most - least) / BINS + 1) as f64;
        let edges: Vec<f64> = (0..=BINS).map(|bin| least as f64 - 0.5 + step * bin as f64).collect();
        (Axis::linear(edges[0], edges[BINS as usize], 1.0), edges)
    } else {
        let edges = log_edges(least as f64, most as f64 + 1.0);
        (Axis::log(least as f64, edges.last().copied().unwrap_or(most as f64)), edges)
    };
    let mut bins: Vec<Bin> = edges.windows(2).map(|w| Bin { low: w[0], high: w[1], count: 0 }).collect();
    for (size, count) in sizes {
        let at = bins.partition_point(|bin| bin.high <= size as f64).min(bins.len() - 1);
        bins[at].count = bins[at].count.saturating_add(count);
    }
    let frame = Frame { title: "Clusters by size", size: (350, 240), x, x_name: "rows in the cluster" };
    frame.draw("clusters", &heights(&bins), &[(KEPT, &bins)], &[]).map(Plot::narrow).map(Some)
}

/// Document lengths before the first step and at the sink over each other; `None` where neither was measured.
pub fn lengths(report: &JobReport) -> Result<Option<String>, ReportError> {
    let before = checked(&report.lengths_in).unwrap_or_default();
    let after = checked(&report.lengths_out).unwrap_or_default();
    let used = || before.iter().chain(&after).filter(|bin| bin.count > 0);
    let low = used().map(|bin| bin.low).fold(f64::INFINITY, f64::min);
    let high = used().map(|bin| bin.high).fold(f64::NEG_INFINITY, f64::max);
    if low >= high {
        return Ok(None);
    }
    // Lengths begin at 0, a log axis cannot: the first bin is drawn as a narrow one.
    let least = used().map(|bin| if bin.low > 0.0 { bin.low } else { bin.high / 2.0 }).fold(f64::INFINITY, f64::min);
    let x = if low >= 0.0 && high / least > 30.0 { Axis::log(least, high) } else { Axis::linear(low, high, 1.0) };
    let keys = [(BEFORE, "before the first step"), (KEPT, "at the sink")];
    // Linear, so that the area taken away is what the eye compares.
    let most = used().map(|bin| bin.count).max().unwrap_or(0) as f64;
    on_both(|screen| {
        let (size, x) = (page_size(screen), x.clone());
        let frame = Frame { title: "Document lengths before and after", size, x, x_name: "length in characters" };
        frame.draw("documents", &Axis::linear(0.0, most * 1.05, 1.0), &[(BEFORE, &before), (KEPT, &after)], &keys)
    })
    .map(Some)
}

/// Scores of all rows and of the kept ones over each other; `None` where there are none.
pub fn scores(all: &Histogram, kept: &Histogram) -> Result<Option<String>, ReportError> {
    let (Some(all), kept) = (checked(all), checked(kept).unwrap_or_default()) else {
        return Ok(None);
    };
    let (Some(first), Some(last)) = (all.first(), all.last()) else {
        return Ok(None);
    };
    let x = Axis::linear(first.low, last.high, 0.0);
    let keys = [(BEFORE, "all rows"), (KEPT, "kept")];
    on_both(|screen| {
        let frame = Frame { title: "Scores", size: page_size(screen), x: x.clone(), x_name: "score" };
        frame.draw("rows", &heights(&all), &[(BEFORE, &all), (KEPT, &kept)], &keys)
    })
    .map(Some)
}

/// Distances of rows to the centroid of their cluster; `None` where there are none.
pub fn distances(distances: &Histogram, colour: RGBColor) -> Result<Option<String>, ReportError> {
    let Some(bins) = checked(distances) else { return Ok(None) };
    let (Some(first), Some(last)) = (bins.first(), bins.last()) else { return Ok(None) };
    let x = Axis::linear(first.low, last.high, 0.0);
    let frame = Frame { title: "Distance to the centroid", size: (350, 240), x, x_name: "distance" };
    frame.draw("rows", &heights(&bins), &[(colour, &bins)], &[]).map(Some)
}

/// A bar: `count` values from `low` to `high`.
#[derive(Debug, Clone, Copy)]
struct Bin {
    low: f64,
    high: f64,
    count: u64,
}

/// The bins, unless the histogram is empty or makes no sense.
fn checked(histogram: &Histogram) -> Option<Vec<Bin>> {
    let Histogram { edges, counts } = histogram;
    let ascending = edges.windows(2).all(|w| w[0] < w[1]) && edges.iter().all(|e| e.is_finite());
    if edges.len() != counts.len() + 1 || !ascending || counts.iter().all(|c| *c == 0) {
        return None;
    }
    let bins = edges.windows(2).zip(counts).map(|(w, count)| Bin { low: w[0], high: w[1], count: *count });
    Some(bins.collect())
}

fn heights(bins: &[Bin]) -> Axis {
    Axis::heights(bins.iter().map(|bin| bin.count))
}

/// Whole numbers from `low` to at least `high`, each at least one and about a fifth of a decade above the one before.
fn log_edges(low: f64, high: f64) -> Vec<f64> {
    let mut edges = vec![low];
    let mut edge = low;
    while edge < high {
        edge = (edge * 10f64.powf(0.2)).round().max(edge + 1.0);
        edges.push(edge);
    }
    edges
}

/// Of a plot as wide as the page.
fn page_size(screen: Screen) -> (u32, u32) {
    (screen.width() as u32, if screen == Screen::Wide { 300 } else { 260 })
}

/// A plot's outside: title, size in pixels, horizontal axis.
struct Frame {
    title: &'static str,
    size: (u32, u32),
    x: Axis,
    x_name: &'static str,
}

impl Frame {
    /// Draws each series of bars over the one before.
    fn draw(
        &self,
        y_name: &str,
        y: &Axis,
        series: &[(RGBColor, &[Bin])],
        keys: &[(RGBColor, &str)],
    ) -> Result<String, ReportError> {
        let (left, right) = (58, self.size.0 as i32 - 14);
        let legend = 56 + legend_growth(keys, left, self.size.0 as i32);
        let (top, bottom) = (if keys.is_empty() { 32 } else { legend }, self.size.1 as i32 - 42);
        let at_x = |value: f64| left + (self.x.place(value) * f64::from(right - left)).round() as i32;
        let at_y = |value: f64| bottom - (y.place(value) * f64::from(bottom - top)).round() as i32;
        plot(self.title, self.size, |canvas| {
            canvas.legend((left, 36), keys)?;
            for (value, label) in y.labels() {
                canvas.grid((left, at_y(value)), (right, at_y(value)))?;
                canvas.label((left - 6, at_y(value)), &label, MUTED, Anchor::Right)?;
            }
            for (colour, bins) in series {
                for bin in bins.iter().filter(|bin| bin.count > 0) {
                    let (from, to) = (at_x(bin.low), at_x(bin.high));
                    let gap = i32::from(to - from > 3);
                    let peak = at_y(bin.count as f64).min(bottom - 1);
                    canvas.rect((from, peak), ((to - gap).max(from + 1), bottom), *colour)?;
                }
            }
            self.x_axis(canvas, (left, right), bottom, at_x)?;
            canvas.label_upwards((10, (top + bottom) / 2), &y.title(y_name))
        })
    }

    fn x_axis(
        &self,
        canvas: &Canvas<'_>,
        (left, right): (i32, i32),
        bottom: i32,
        at_x: impl Fn(f64) -> i32,
    ) -> Result<(), ReportError> {
        canvas.line(vec![(left, bottom), (right, bottom)], MUTED)?;
        for (value, label) in ticks_apart(&self.x, right - left) {
            let x = at_x(value);
            canvas.line(vec![(x, bottom), (x, bottom + 4)], MUTED)?;
            canvas.label((x, bottom + 13), &label, MUTED, Anchor::Middle)?;
        }
        canvas.label(((left + right) / 2, bottom + 31), &self.x.title(self.x_name), MUTED, Anchor::Middle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_bins_have_whole_rising_edges() {
        let edges = log_edges(2.0, 1000.0);
        assert!(edges.windows(2).all(|w| w[1] >= w[0] + 1.0 && w[1].fract() == 0.0));
        assert!(edges.last().is_some_and(|last| *last >= 1000.0));
        assert!(log_edges(2.0, u64::MAX as f64).len() < 200);
    }
}
