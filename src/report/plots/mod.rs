//! The pictures of a report as SVG text, drawn natively in a light palette; the page recolours them by their `fill` and
//! `stroke` values, so the two lists of colours (in `style.rs` and in `report.css`) belong together.

mod axis;
mod bars;
pub(super) mod canvas;
mod curves;
mod histogram;
mod scatter;
pub(super) mod style;

pub use bars::{funnel, reasons};
pub use curves::{Curve, Point, curves};
pub use histogram::{cluster_sizes, distances, lengths, scores, similarities};
pub use scatter::{COLOURS, map};
pub use style::Plot;

#[cfg(test)]
mod tests {
    use super::style::KEPT;
    use super::*;
    use crate::report::data::{Concept, Concepts, Histogram, StepReport};
    use crate::report::fixture;

    /// Fails unless `svg` is well-formed: balanced tags, quoted attributes, only known entities.
    fn assert_well_formed(svg: &str) {
        let mut open = Vec::new();
        let mut rest = svg;
        while let Some(start) = rest.find('<') {
            assert_text(&rest[..start]);
            let end = start + rest[start..].find('>').expect("a tag ends");
            let tag = &rest[start + 1..end];
            rest = &rest[end + 1..];
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "closing tag in {svg}");
                continue;
            }
            let (body, empty) = tag.strip_suffix('/').map_or((tag, false), |body| (body, true));
            let name = body.split_whitespace().next().expect("a tag has a name");
            assert!(["svg", "rect", "line", "text", "polyline", "circle"].contains(&name), "{name}");
            assert_eq!(body.matches('"').count() % 2, 0, "{tag}");
            for value in body.split('"').skip(1).step_by(2) {
                assert_text(value);
                assert!(!value.contains("NaN") && !value.contains("inf"), "{tag}");
            }
            if !empty {
                open.push(name);
            }
        }
        assert_text(rest);
        assert!(open.is_empty(), "{open:?} stay open");
    }

    fn assert_text(text: &str) {
        assert!(!text.contains(['<', '>']) && !text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        for after in text.split('&').skip(1) {
            assert!(["amp;", "lt;", "gt;", "quot;", "apos;"].iter().any(|name| after.starts_with(name)), "{text:?}");
        }
    }

    #[test]
    fn every_plot_is_well_formed_and_labelled() {
        let report = fixture::example();
        let funnel = funnel(&report).unwrap().unwrap();
        assert_well_formed(&funnel);
        assert!(funnel.contains("40,000") && funnel.contains("rows"));
        assert!(funnel.contains("plot for-wide") && funnel.contains("plot for-phone"));
        let lengths = lengths(&report).unwrap().unwrap();
        assert_well_formed(&lengths);
        assert!(lengths.contains("characters") && lengths.contains("documents"));
        let mut drawn = 0;
        for step in &report.steps {
            for plot in [reasons(step), similarities(step), cluster_sizes(step)].into_iter().filter_map(Result::unwrap)
            {
                let svg = plot.svg;
                assert_well_formed(&svg);
                assert!(svg.contains("role=\"img\"") && svg.contains("aria-label"));
                drawn += 1;
            }
        }
        assert_eq!(drawn, 7);
        let concepts = fixture::concepts();
        let map = map(&concepts).unwrap().unwrap();
        assert_well_formed(&map);
        assert!(map.contains("<circle") && map.contains("2 other concepts") && map.contains("40 of 900 rows"));
        assert_well_formed(&distances(&concepts.distances, KEPT).unwrap().unwrap());
    }

    #[test]
    fn nothing_to_draw_draws_nothing() {
        let report = fixture::empty();
        assert_eq!(funnel(&report).unwrap(), None);
        assert_eq!(lengths(&report).unwrap(), None);
        let step = StepReport::default();
        assert_eq!(reasons(&step).unwrap(), None);
        assert_eq!(similarities(&step).unwrap(), None);
        assert_eq!(cluster_sizes(&step).unwrap(), None);
        assert_eq!(map(&Concepts::default()).unwrap(), None);
        assert_eq!(distances(&Histogram::default(), KEPT).unwrap(), None);
    }

    #[test]
    fn maps_of_broken_and_equal_points_are_drawn() {
        for points in [
            vec![(f32::NAN, 0.0, 0), (1.0, f32::INFINITY, 1), (2.0, 3.0, 7)],
            vec![(1.0, 1.0, 0); 5],
            vec![(f32::MAX, f32::MIN, 0), (f32::MIN, f32::MAX, 1)],
        ] {
            let largest =
                vec![Concept { label: Some("<b>&\u{202E}".repeat(90)), rows: u64::MAX, ..Concept::default() }];
            let concepts = Concepts { points, largest, rows: 3, ..Concepts::default() };
            assert_well_formed(&map(&concepts).unwrap().unwrap());
        }
    }

    #[test]
    fn broken_and_extreme_numbers_are_drawn_or_left_out() {
        let wild = [
            Histogram { edges: vec![0.0, f64::NAN, 1.0], counts: vec![1, 2] },
            Histogram { edges: vec![1.0, 0.5], counts: vec![1] },
            Histogram { edges: vec![0.0, 1.0], counts: vec![1, 2, 3] },
            Histogram { edges: vec![1.0, 1.0], counts: vec![7] },
        ];
        for similarities_of in wild {
            let step = StepReport { similarities: similarities_of, ..StepReport::default() };
            assert_eq!(similarities(&step).unwrap(), None);
        }
        let step = StepReport {
            rows_in: u64::MAX,
            rows_out: 1,
            name: "<b>&\u{0}\u{202E}'\"漢字".repeat(30),
            reasons: vec![("<script>\n".repeat(50), u64::MAX), ("none".to_owned(), 0), ("one".to_owned(), 1)],
            similarities: Histogram { edges: vec![1.0, 1.0 + 1e-9], counts: vec![u64::MAX] },
            cluster_sizes: vec![(0, 3), (2, u64::MAX), (2, 1), (u64::MAX, 1)],
            ..StepReport::default()
        };
        for svg in [reasons(&step), similarities(&step), cluster_sizes(&step)] {
            assert_well_formed(&svg.unwrap().unwrap().svg);
        }
        let mut report = fixture::empty();
        report.steps = vec![step; 3];
        report.lengths_in = Histogram { edges: vec![0.0, 1.0, 1e300], counts: vec![0, 1] };
        assert_well_formed(&funnel(&report).unwrap().unwrap());
        assert_well_formed(&lengths(&report).unwrap().unwrap());
    }
}
