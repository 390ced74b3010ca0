//! Shingles: windows of consecutive words or characters, each as one 64-bit hash, and the overlap of two sets of them.
//!
//! Among `s` distinct shingles, any two collide with a probability of about `s² / 2⁶⁵`: for two documents with a million
//! shingles together, once in 37 million comparisons.

use xxhash_rust::xxh3::xxh3_64;

// Fractional digits of pi: odd, balanced, and not chosen by anyone.
const START: u64 = 0x243f_6a88_85a3_08d3;
const PAIR: u64 = 0x1319_8a2e_0370_7345;
const LAST: u64 = 0xa409_3822_299f_31d1;

/// Appends one hash per window of `n` consecutive word hashes.
///
/// If there are fewer than `n` words, but at least one, appends one hash of them all, which depends on their number. Hashes
/// depend on the order of the words: they are a chain of folded 64x64 to 128-bit multiplications. `n` is at least 1; 0
/// appends nothing.
pub fn shingle_hashes(words: &[u64], n: usize, out: &mut Vec<u64>) {
    if n == 0 || words.is_empty() {
        return;
    }
    match n.min(words.len()) {
        // Fixed widths, the usual ones, can be unrolled.
        2 => fixed::<2>(words, out),
        3 => fixed::<3>(words, out),
        5 => fixed::<5>(words, out),
        8 => fixed::<8>(words, out),
        13 => fixed::<13>(words, out),
        n => out.extend(words.windows(n).map(shingle)),
    }
}

fn fixed<const N: usize>(words: &[u64], out: &mut Vec<u64>) {
    out.extend(words.array_windows::<N>().map(|window| shingle(window)));
}

#[inline(always)]
fn shingle(words: &[u64]) -> u64 {
    let (pairs, last) = words.as_chunks::<2>();
    let mut hash = START.wrapping_mul(words.len() as u64 | 1).wrapping_add(words.len() as u64);
    for [first, second] in pairs {
        hash = fold(hash ^ first, second ^ PAIR);
    }
    if let [last] = last { fold(hash ^ last, LAST) } else { hash }
}

/// Combines both halves of the 128-bit product.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Appends the 64-bit XXH3 (seed 0) of the UTF-8 bytes of each window of `n` characters of the unmodified text.
///
/// A shorter text, unless empty, gives one hash of all of it. `n` is at least 1; 0 appends nothing.
pub fn char_shingle_hashes(text: &str, n: usize, out: &mut Vec<u64>) {
    for_each_char_shingle(text, n, |start, end| out.push(xxh3_64(&text.as_bytes()[start..end])));
}

/// Calls `shingle(start, end)` with the byte range of each window of `n` characters, or of the whole shorter text.
pub fn for_each_char_shingle(text: &str, n: usize, mut shingle: impl FnMut(usize, usize)) {
    if n == 0 || text.is_empty() {
        return;
    }
    let Some((last, c)) = text.char_indices().nth(n - 1) else { return shingle(0, text.len()) };
    let mut end = last + c.len_utf8();
    for (start, _) in text.char_indices() {
        shingle(start, end);
        match text[end..].chars().next() {
            Some(c) => end += c.len_utf8(),
            None => break,
        }
    }
}

/// Sorts hashes and removes duplicates, which gives the sets that the functions below compare.
pub fn to_set(hashes: &mut Vec<u64>) {
    hashes.sort_unstable();
    hashes.dedup();
}

/// Number of elements that two sorted sets share.
pub fn intersection_sorted(a: &[u64], b: &[u64]) -> usize {
    let (mut i, mut j, mut shared) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        let (x, y) = (a[i], b[j]);
        shared += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    shared
}

/// Jaccard similarity of two sorted sets: the number of shared elements divided by that of all elements. It is 0 for two
/// empty sets, as nothing shows that they are alike.
pub fn jaccard_sorted(a: &[u64], b: &[u64]) -> f64 {
    let shared = intersection_sorted(a, b);
    let all = a.len() + b.len() - shared;
    if all == 0 { 0.0 } else { shared as f64 / all as f64 }
}

/// Fraction of the elements of `a` that are in `b`, both sorted sets; 0 if `a` is empty.
pub fn containment_sorted(a: &[u64], b: &[u64]) -> f64 {
    if a.is_empty() { 0.0 } else { intersection_sorted(a, b) as f64 / a.len() as f64 }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn hashes(words: &[u64], n: usize) -> Vec<u64> {
        let mut out = vec![];
        shingle_hashes(words, n, &mut out);
        out
    }

    #[test]
    fn permuted_repeated_and_cut_windows_differ() {
        let mut seen = HashSet::new();
        let mut windows = 0;
        // All strings over small alphabets of raw, unhashed symbols, with lengths from 1 to 6, because structure in the input
        // is the hardest case.
        for length in 1..=6_u32 {
            for code in 0..7_u64.pow(length) {
                let words: Vec<u64> = (0..length).map(|digit| code / 7_u64.pow(digit) % 7).collect();
                seen.extend(hashes(&words, length as usize));
                windows += 1;
            }
        }
        assert_eq!(seen.len(), windows);
    }

    #[test]
    fn short_texts_have_one_shingle_that_counts_its_words() {
        assert!(hashes(&[], 3).is_empty());
        assert!(hashes(&[1, 2], 0).is_empty());
        assert_eq!(hashes(&[1, 2], 3).len(), 1);
        assert_eq!(hashes(&[1, 2, 3, 4], 3).len(), 2);
        assert_ne!(hashes(&[7], 3), hashes(&[7, 7], 3));
        // The hash depends on the window only, not on the requested width.
        assert_eq!(hashes(&[1, 2, 3], 3), hashes(&[1, 2, 3], 9));
    }

    #[test]
    fn bits_are_balanced() {
        let words: Vec<u64> = (0..20_000_u64).map(|i| xxh3_64(&i.to_le_bytes())).collect();
        for n in [1, 2, 4, 5, 13] {
            let out = hashes(&words, n);
            for bit in 0..64 {
                let ones = out.iter().filter(|hash| *hash >> bit & 1 == 1).count() as f64;
                let sigmas = (ones - out.len() as f64 / 2.0) / (out.len() as f64 / 4.0).sqrt();
                assert!(sigmas.abs() < 5.0, "n = {n}, bit {bit}: {sigmas}");
            }
        }
    }

    fn chars_twin(text: &str, n: usize) -> Vec<u64> {
        let chars: Vec<char> = text.chars().collect();
        let windows: Vec<String> = if chars.is_empty() {
            vec![]
        } else if chars.len() < n {
            vec![text.to_owned()]
        } else {
            chars.windows(n).map(|window| window.iter().collect()).collect()
        };
        windows.iter().map(|window| xxh3_64(window.as_bytes())).collect()
    }

    proptest! {
        #[test]
        fn char_shingles_follow_the_twin(text in "\\PC{0,40}", n in 1_usize..12) {
            let mut out = vec![];
            char_shingle_hashes(&text, n, &mut out);
            prop_assert_eq!(out, chars_twin(&text, n));
        }

        #[test]
        fn similarities_follow_sets(a in prop::collection::vec(0_u64..30, 0..40), b in prop::collection::vec(0_u64..30, 0..40)) {
            let (x, y): (HashSet<u64>, HashSet<u64>) = (a.iter().copied().collect(), b.iter().copied().collect());
            let (mut a, mut b) = (a, b);
            to_set(&mut a);
            to_set(&mut b);
            let shared = x.intersection(&y).count();
            prop_assert_eq!(intersection_sorted(&a, &b), shared);
            let all = x.union(&y).count();
            prop_assert_eq!(jaccard_sorted(&a, &b), if all == 0 { 0.0 } else { shared as f64 / all as f64 });
            prop_assert_eq!(containment_sorted(&a, &b), if x.is_empty() { 0.0 } else { shared as f64 / x.len() as f64 });
        }
    }
}
