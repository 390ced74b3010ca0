//! SimHash (Charikar, Similarity estimation techniques from rounding algorithms, STOC 2002; 64 bits as in Manku, Jain and
//! Das Sarma, Detecting near-duplicates for web crawling, WWW 2007): similar multisets differ in few bits.

/// The SimHash of a multiset of 64-bit hashes: bit `i` is set if most of the hashes have it set; a tie clears it.
///
/// `None` for the empty multiset.
pub fn simhash(hashes: &[u64]) -> Option<u64> {
    if hashes.is_empty() {
        return None;
    }
    let mut ones = [0_u64; 64];
    // 32-bit counters make better use of vector registers, and a chunk is far too short to overflow them.
    for chunk in hashes.chunks(1 << 20) {
        let mut counts = [0_u32; 64];
        for hash in chunk {
            for (bit, count) in counts.iter_mut().enumerate() {
                *count += (hash >> bit & 1) as u32;
            }
        }
        for (total, count) in ones.iter_mut().zip(counts) {
            *total += u64::from(count);
        }
    }
    let bits = ones.iter().enumerate().map(|(bit, count)| u64::from(2 * count > hashes.len() as u64) << bit);
    Some(bits.fold(0, |all, bit| all | bit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::random::SplitMix64;

    #[test]
    fn the_majority_decides_each_bit() {
        assert_eq!(simhash(&[]), None);
        assert_eq!(simhash(&[0b1010]), Some(0b1010));
        assert_eq!(simhash(&[0b1100, 0b1010]), Some(0b1000));
        assert_eq!(simhash(&[0b1100, 0b1010, 0b0110]), Some(0b1110));
        assert_eq!(simhash(&[u64::MAX, u64::MAX, 0]), Some(u64::MAX));
    }

    #[test]
    fn similar_sets_are_near_and_others_far() {
        let mut random = SplitMix64::new(3);
        let a: Vec<u64> = (0..1000).map(|_| random.next_u64()).collect();
        let mut b = a.clone();
        b[..20].fill_with(|| random.next_u64());
        let c: Vec<u64> = (0..1000).map(|_| random.next_u64()).collect();
        let distance = |x: &[u64], y: &[u64]| (simhash(x).unwrap() ^ simhash(y).unwrap()).count_ones();
        assert!(distance(&a, &b) <= 12, "{}", distance(&a, &b));
        assert!((18..=46).contains(&distance(&a, &c)), "{}", distance(&a, &c));
    }
}
