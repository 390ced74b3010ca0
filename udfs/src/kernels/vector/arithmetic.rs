//! Products, norms and distances of pairs of vectors.
//!
//! A product of two 32-bit floats is exact in 64 bits, so fused and separate multiplication agree. Sixteen partial sums let
//! the compiler use vector registers of any width; they are added up in a fixed order.

/// Number of partial sums, enough to hide the latency of an addition.
const LANES: usize = 16;

/// Sums `N` terms of each pair of values in one pass.
#[inline(always)]
fn accumulate<const N: usize>(a: &[f32], b: &[f32], terms: impl Fn(f64, f64) -> [f64; N]) -> [f64; N] {
    let mut sums = [[0.0_f64; LANES]; N];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    // Index explicitly: the compiler does not always see through a zip here.
    for chunk in 0..a_chunks.len().min(b_chunks.len()) {
        let (a, b) = (&a_chunks[chunk], &b_chunks[chunk]);
        for lane in 0..LANES {
            let terms = terms(f64::from(a[lane]), f64::from(b[lane]));
            for sum in 0..N {
                sums[sum][lane] += terms[sum];
            }
        }
    }
    for (lane, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        let terms = terms(f64::from(*a), f64::from(*b));
        for sum in 0..N {
            sums[sum][lane] += terms[sum];
        }
    }
    sums.map(total)
}

#[inline(always)]
fn total(mut sums: [f64; LANES]) -> f64 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

/// Runs `$body`, a function of this module, compiled for the widest registers of the processor. The source is the same and
/// nothing is fused, so the result is the same too.
macro_rules! widest {
    ($body:ident, ($($argument:ident: $type:ty),*) $(-> $result:ty)?) => {
        {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f")]
            fn avx512($($argument: $type),*) $(-> $result)? {
                $body($($argument),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2($($argument: $type),*) $(-> $result)? {
                $body($($argument),*)
            }
            #[cfg(target_arch = "x86_64")]
            {
                if is_x86_feature_detected!("avx512f") {
                    // SAFETY: the processor has AVX-512F, as the line above found.
                    return unsafe { avx512($($argument),*) };
                }
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has AVX2, as the line above found.
                    return unsafe { avx2($($argument),*) };
                }
            }
            $body($($argument),*)
        }
    };
}

pub(crate) use widest;

/// Dot product. The slices must have equal length.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    widest!(dot_of, (a: &[f32], b: &[f32]) -> f64)
}

#[inline(always)]
fn dot_of(a: &[f32], b: &[f32]) -> f64 {
    let [product] = accumulate(a, b, |a, b| [a * b]);
    product
}

/// Square of the Euclidean length.
pub fn squared_norm(a: &[f32]) -> f64 {
    dot(a, a)
}

/// Squared Euclidean distance. The slices must have equal length.
pub fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    widest!(squared_distance_of, (a: &[f32], b: &[f32]) -> f64)
}

#[inline(always)]
fn squared_distance_of(a: &[f32], b: &[f32]) -> f64 {
    let [squares] = accumulate(a, b, |a, b| [(a - b) * (a - b)]);
    squares
}

/// Adds `weight` times `vector` to `sums`. The slices must have equal length.
pub fn add_scaled(sums: &mut [f64], vector: &[f32], weight: f64) {
    widest!(add_scaled_of, (sums: &mut [f64], vector: &[f32], weight: f64))
}

#[inline(always)]
fn add_scaled_of(sums: &mut [f64], vector: &[f32], weight: f64) {
    sums.iter_mut().zip(vector).for_each(|(sum, value)| *sum += f64::from(*value) * weight);
}

/// Cosine of two vectors with the given squared norms, from -1 to 1; `None` if a vector is zero.
pub fn cosine(a: &[f32], b: &[f32], a_squared: f64, b_squared: f64) -> Option<f64> {
    let scale = (a_squared * b_squared).sqrt();
    (scale > 0.0).then(|| (dot(a, b) / scale).clamp(-1.0, 1.0))
}

/// Cosine of two vectors, computing the norms too, so that each value is read once. NaN if a value is not finite.
pub fn cosine_alone(a: &[f32], b: &[f32]) -> Option<f64> {
    let [product, a_squared, b_squared] = products(a, b);
    let scale = (a_squared * b_squared).sqrt();
    (scale != 0.0).then(|| (product / scale).clamp(-1.0, 1.0))
}

/// The dot products of `a` with `b`, `a` with itself and `b` with itself. The slices must have equal length.
fn products(a: &[f32], b: &[f32]) -> [f64; 3] {
    widest!(products_of, (a: &[f32], b: &[f32]) -> [f64; 3])
}

#[inline(always)]
fn products_of(a: &[f32], b: &[f32]) -> [f64; 3] {
    accumulate(a, b, |a, b| [a * b, a * a, b * b])
}

/// Appends `a` scaled to length one. Returns false and appends nothing if `a` is zero; returns `None` if a value is not
/// finite.
pub fn push_normalized(a: &[f32], out: &mut Vec<f32>) -> Option<bool> {
    let norm = squared_norm(a).sqrt();
    if !norm.is_finite() {
        return None;
    }
    if norm > 0.0 {
        push_scaled(a, 1.0 / norm, out);
    }
    Some(norm > 0.0)
}

/// Appends the values of `a` times `scale`.
fn push_scaled(a: &[f32], scale: f64, out: &mut Vec<f32>) {
    widest!(push_scaled_of, (a: &[f32], scale: f64, out: &mut Vec<f32>))
}

#[inline(always)]
fn push_scaled_of(a: &[f32], scale: f64, out: &mut Vec<f32>) {
    out.reserve(a.len());
    // Write directly into spare capacity: zeroing it first would be half of the work.
    for (slot, value) in out.spare_capacity_mut().iter_mut().zip(a) {
        slot.write((f64::from(*value) * scale) as f32);
    }
    // SAFETY: room was made for as many values as `a` has, and all were written.
    unsafe { out.set_len(out.len() + a.len()) };
}

/// The smallest nonzero absolute value, and the largest one, where NaN counts as infinite. Returns infinity and zero if all
/// values are zero.
pub fn sizes(a: &[f32]) -> (f32, f32) {
    widest!(sizes_of, (a: &[f32]) -> (f32, f32))
}

#[inline(always)]
fn sizes_of(a: &[f32]) -> (f32, f32) {
    let (mut least, mut most) = ([f32::INFINITY; LANES], [0.0_f32; LANES]);
    let (chunks, rest) = a.as_chunks::<LANES>();
    let mut last = [0.0; LANES];
    last[..rest.len()].copy_from_slice(rest);
    for chunk in chunks.iter().chain([&last]) {
        for lane in 0..LANES {
            let size = if chunk[lane].is_nan() { f32::INFINITY } else { chunk[lane].abs() };
            let unless_zero = if size == 0.0 { f32::INFINITY } else { size };
            least[lane] = if unless_zero < least[lane] { unless_zero } else { least[lane] };
            most[lane] = if size > most[lane] { size } else { most[lane] };
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            least[lane] = if least[lane + width] < least[lane] { least[lane + width] } else { least[lane] };
            most[lane] = if most[lane + width] > most[lane] { most[lane + width] } else { most[lane] };
        }
        width /= 2;
    }
    (least[0], most[0])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_agree_with_the_definition(pairs in proptest::collection::vec((-1e3_f32..1e3, -1e3_f32..1e3), 0..100)) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
            let terms = |f: fn(f64, f64) -> f64| -> f64 { pairs.iter().map(|&(a, b)| f(a.into(), b.into())).sum() };
            let size = terms(|a, b| a * a + b * b) + 1.0;
            prop_assert!((dot(&a, &b) - terms(|a, b| a * b)).abs() <= 1e-13 * size);
            prop_assert!((squared_distance(&a, &b) - terms(|a, b| (a - b) * (a - b))).abs() <= 1e-13 * size);
            prop_assert_eq!(dot(&a, &b), dot(&b, &a));
            prop_assert_eq!(products(&a, &b), [dot(&a, &b), dot(&a, &a), dot(&b, &b)]);
            let most = a.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            let least = a.iter().filter(|x| **x != 0.0).fold(f32::INFINITY, |least, x| least.min(x.abs()));
            prop_assert_eq!(sizes(&a), (least, most));
            prop_assert_eq!(dot(&a, &b), dot_of(&a, &b), "wide registers change nothing");
            prop_assert_eq!(squared_distance(&a, &b), squared_distance_of(&a, &b));
            let (mut wide, mut narrow) = (vec![0.5; a.len()], vec![0.5; a.len()]);
            add_scaled(&mut wide, &a, 0.3);
            add_scaled_of(&mut narrow, &a, 0.3);
            prop_assert_eq!(wide, narrow);
            prop_assert_eq!(squared_distance(&a, &b), squared_distance(&b, &a));
        }

        #[test]
        fn a_vector_is_parallel_to_its_multiples(a in proptest::collection::vec(-10_f32..10.0, 1..50)) {
            prop_assume!(a.iter().any(|x| x.abs() > 1e-3));
            let double: Vec<f32> = a.iter().map(|x| x * 2.0).collect();
            let cosine = |b: &[f32]| cosine(&a, b, squared_norm(&a), squared_norm(b)).unwrap();
            prop_assert!((cosine(&double) - 1.0).abs() < 1e-15);
            let mut unit = vec![];
            prop_assert_eq!(push_normalized(&a, &mut unit), Some(true));
            prop_assert!((squared_norm(&unit) - 1.0).abs() < 1e-6);
            prop_assert!(cosine(&unit) > 1.0 - 1e-12);
        }
    }

    #[test]
    fn zero_has_no_direction() {
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 0.0], 0.0, 1.0), None);
        assert_eq!(push_normalized(&[0.0, 0.0], &mut vec![]), Some(false));
        for bad in [f32::NAN, f32::INFINITY] {
            assert_eq!(push_normalized(&[1.0, bad], &mut vec![]), None);
            assert!(cosine_alone(&[0.0, bad], &[0.0, 1.0]).unwrap().is_nan());
            assert_eq!(sizes(&[0.5, bad]), (0.5, f32::INFINITY));
        }
    }
}
