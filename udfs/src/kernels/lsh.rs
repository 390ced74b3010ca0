//! Locality-sensitive hashing of MinHash signatures. Signatures are divided into bands of rows, and two signatures are
//! candidates if a whole band agrees (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4).

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Maximum number of rows per band that [`bands_for`] considers.
const MAX_ROWS: i32 = 12;
/// Maximum number of bands that [`bands_for`] considers.
const MAX_BANDS: f64 = 1e6;
/// Cost of one more hash per document, in units of the probability of a false candidate.
const HASH_COST: f64 = 0.001;

/// The probability that two sets with this Jaccard `similarity` agree in at least one of `bands` bands of `rows` rows.
pub fn collision_probability(similarity: f64, bands: usize, rows: usize) -> f64 {
    let miss = -similarity.clamp(0.0, 1.0).powf(rows as f64);
    -(bands as f64 * miss.ln_1p()).exp_m1()
}

/// Returns the banding (bands, rows) that finds a pair at `threshold` with a probability of at least `recall`.
///
/// For every width from 1 to 12 rows, the smallest number of bands that reaches the recall is considered. The cheapest of
/// these is taken, and the narrowest on a tie. The cost is the area under the collision probability below the threshold
/// (pairs that only cost a check) plus 0.001 for each of the bands x rows hashes. Threshold 0.7 and recall 0.99 give 17 bands
/// of 4 rows.
///
/// Returns `None` unless 0 < threshold <= 1 and 0 < recall < 1, or if even one-row bands would number more than a million.
pub fn bands_for(threshold: f64, recall: f64) -> Option<(usize, usize)> {
    if !(threshold > 0.0 && threshold <= 1.0 && recall > 0.0 && recall < 1.0) {
        return None;
    }
    (1..=MAX_ROWS)
        .filter_map(|rows| {
            let agree = threshold.powi(rows);
            let least = ((-recall).ln_1p() / (-agree).ln_1p()).ceil().max(1.0);
            if least.is_nan() || least > MAX_BANDS {
                return None;
            }
            let mut bands = least as usize;
            let rows = rows as usize;
            // Rounding in the logarithms may have lost the last band.
            while collision_probability(threshold, bands, rows) < recall {
                bands += 1;
            }
            let cost = false_area(threshold, bands, rows) + HASH_COST * (bands as f64) * (rows as f64);
            Some((cost, bands, rows))
        })
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, bands, rows)| (bands, rows))
}

/// Integral of the collision probability from 0 to the threshold, by the midpoint rule.
fn false_area(threshold: f64, bands: usize, rows: usize) -> f64 {
    const STEPS: u32 = 1000;
    let step = threshold / f64::from(STEPS);
    (0..STEPS).map(|i| collision_probability((f64::from(i) + 0.5) * step, bands, rows)).sum::<f64>() * step
}

/// Writes one 64-bit hash per band of a signature. Band `i` is the `i`-th of `out.len()` equal parts; remaining rows at the
/// end are not used. Bands at different positions share a hash only by chance.
pub fn band_hashes(signature: &[u32], out: &mut [u64]) {
    let rows = signature.len().checked_div(out.len()).unwrap_or(0);
    let mut bytes = Vec::with_capacity(rows * 4);
    for (band, hash) in out.iter_mut().enumerate() {
        bytes.clear();
        bytes.extend(signature[band * rows..][..rows].iter().flat_map(|value| value.to_le_bytes()));
        *hash = xxh3_64_with_seed(&bytes, band as u64);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_curves() {
        for (similarity, bands, rows, expected) in
            [(0.5, 14, 8, 0.05), (0.7, 14, 8, 0.57), (0.8, 14, 8, 0.92), (0.8, 20, 13, 0.68), (0.7, 25, 10, 0.51)]
        {
            let got = collision_probability(similarity, bands, rows);
            assert!((got - expected).abs() < 0.006, "{similarity} {bands}x{rows}: {got}");
        }
        assert_eq!(collision_probability(0.0, 10, 4), 0.0);
        assert_eq!(collision_probability(1.0, 10, 4), 1.0);
    }

    #[test]
    fn usual_choices() {
        assert_eq!(bands_for(0.7, 0.99), Some((17, 4)));
        assert_eq!(bands_for(0.8, 0.99), Some((12, 5)));
        assert_eq!(bands_for(0.5, 0.99), Some((17, 2)));
        assert_eq!(bands_for(1.0, 0.99), Some((1, 12)));
        for (threshold, recall) in [
            (1e-300, 0.9),
            (0.0, 0.9),
            (1.1, 0.9),
            (0.5, 0.0),
            (0.5, 1.0),
            (f64::NAN, 0.9),
            (0.5, f64::NAN),
            (-0.1, 0.9),
        ] {
            assert_eq!(bands_for(threshold, recall), None);
        }
    }

    #[test]
    fn a_band_hash_knows_its_place_and_its_rows() {
        let signature = [1, 2, 1, 2, 9];
        let (mut a, mut b) = ([0; 2], [0; 2]);
        band_hashes(&signature, &mut a);
        assert_ne!(a[0], a[1]);
        band_hashes(&[1, 2, 1, 3, 7], &mut b);
        assert_eq!(a[0], b[0]);
        assert_ne!(a[1], b[1]);
        band_hashes(&[1, 2, 1, 2, 0], &mut b);
        assert_eq!(a, b);
        band_hashes(&[], &mut []);
        band_hashes(&signature, &mut []);
    }

    proptest! {
        #[test]
        fn bands_reach_the_recall_with_none_to_spare(threshold in 0.05..1.0_f64, recall in 0.5..0.9999_f64) {
            let (bands, rows) = bands_for(threshold, recall).unwrap();
            prop_assert!(collision_probability(threshold, bands, rows) >= recall);
            prop_assert!(bands == 1 || collision_probability(threshold, bands - 1, rows) < recall + 1e-9);
            prop_assert!((1..=12).contains(&rows));
        }
    }
}
