//! Histograms of a job: lengths in log-spaced bins, similarities in bins of 0.05.

use crate::report::data::Histogram;

/// Edges of the length bins: 0, then five per decade from 1 to 10^9 characters.
fn length_edges() -> Vec<f64> {
    let mut edges = vec![0.0];
    edges.extend((0..=45).map(|fifth| 10_f64.powf(f64::from(fifth) / 5.0).round()));
    edges
}

/// Edges of the similarity bins: 0, 0.05, ..., 1.
fn similarity_edges() -> Vec<f64> {
    (0..=20).map(|bin| f64::from(bin) / 20.0).collect()
}

/// Empty bins for lengths in characters.
pub fn lengths() -> Histogram {
    empty(length_edges())
}

/// Empty bins for similarities from 0 to 1.
pub fn similarities() -> Histogram {
    empty(similarity_edges())
}

fn empty(edges: Vec<f64>) -> Histogram {
    let counts = vec![0; edges.len() - 1];
    Histogram { edges, counts }
}

/// Counts `value`. Values outside the edges go to the nearest bin; NaN is ignored.
pub fn count(histogram: &mut Histogram, value: f64) {
    if value.is_nan() {
        return;
    }
    let bin = histogram.edges.partition_point(|edge| *edge <= value);
    let bin = bin.clamp(1, histogram.counts.len()) - 1;
    histogram.counts[bin] += 1;
}

/// Adds the counts of `other`, which has the same edges or none.
pub fn merge(histogram: &mut Histogram, other: &Histogram) {
    if histogram.edges.is_empty() {
        histogram.clone_from(other);
    } else {
        histogram.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
    }
}

/// Removes empty bins at both ends; the result is empty if nothing was counted.
pub fn trimmed(histogram: &Histogram) -> Histogram {
    let first = histogram.counts.iter().position(|count| *count > 0);
    let last = histogram.counts.iter().rposition(|count| *count > 0);
    match (first, last) {
        (Some(first), Some(last)) => Histogram {
            edges: histogram.edges[first..=last + 1].to_vec(),
            counts: histogram.counts[first..=last].to_vec(),
        },
        _ => Histogram::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_ascend() {
        assert!(length_edges().windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(&length_edges()[..7], &[0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 10.0]);
        assert_eq!(similarity_edges().last(), Some(&1.0));
    }

    #[test]
    fn bins_are_closed_below_and_the_last_above() {
        let mut bins = similarities();
        for value in [0.0, 0.05, 0.7, 0.999, 1.0, 1.5, -1.0, f64::NAN] {
            count(&mut bins, value);
        }
        assert_eq!((bins.counts[0], bins.counts[1], bins.counts[14], bins.counts[19]), (2, 1, 1, 3));
        let mut long = lengths();
        [0.0, 1.0, 9.0, 10.0, 1e12].iter().for_each(|value| count(&mut long, *value));
        assert_eq!((long.counts[0], long.counts[1], long.counts[5], long.counts[6]), (1, 1, 1, 1));
        assert_eq!(*long.counts.last().unwrap(), 1);
    }

    #[test]
    fn trims_and_merges() {
        let mut bins = similarities();
        count(&mut bins, 0.71);
        let mut more = Histogram::default();
        merge(&mut more, &bins);
        merge(&mut more, &bins);
        assert_eq!(trimmed(&more), Histogram { edges: vec![0.7, 0.75], counts: vec![2] });
        assert_eq!(trimmed(&lengths()), Histogram::default());
    }
}
