//! Finds runs of bytes, sixty-four at a time.

/// Length of the longest ASCII prefix.
pub(super) fn ascii_prefix(bytes: &[u8]) -> usize {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    for eight in bytes.as_chunks().0 {
        let high = u64::from_le_bytes(*eight) & HIGH;
        if high != 0 {
            return at + high.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + bytes[at..].iter().take_while(|byte| byte.is_ascii()).count()
}

/// Calls `found(start, end)` for every word, in order. A word is a run of ASCII lower-case letters, digits and underscores
/// and of non-ASCII bytes.
pub(super) fn for_each_word(bytes: &[u8], found: impl FnMut(usize, usize)) {
    for_each::<false>(bytes, found);
}

/// Like [`for_each_word`], but words include capitals, and every other visible ASCII character is a token of its own.
pub(super) fn for_each_token(bytes: &[u8], found: impl FnMut(usize, usize)) {
    for_each::<true>(bytes, found);
}

#[inline(always)]
fn for_each<const SYMBOLS: bool>(bytes: &[u8], mut found: impl FnMut(usize, usize)) {
    let mut base = 0;
    let mut start = 0;
    let mut inside = false;
    let mut block = |base: usize, bytes: &[u8; 64]| {
        let words = mask(bytes, if SYMBOLS { in_any_word } else { in_lower_word });
        let symbols = if SYMBOLS { mask(bytes, |byte| byte.wrapping_sub(b'!') < 94) & !words } else { 0 };
        // A bit is set wherever a byte differs in kind from the previous one.
        let edges = words ^ (words << 1 | u64::from(inside));
        let mut stops = edges | symbols;
        while stops != 0 {
            let bit = stops & stops.wrapping_neg();
            let at = base + stops.trailing_zeros() as usize;
            stops &= stops - 1;
            if !SYMBOLS || edges & bit != 0 {
                if inside {
                    found(start, at);
                } else {
                    start = at;
                }
                inside = !inside;
            }
            if SYMBOLS && symbols & bit != 0 {
                found(at, at + 1);
            }
        }
    };
    let (blocks, tail) = bytes.as_chunks::<64>();
    for bytes in blocks {
        block(base, bytes);
        base += 64;
    }
    // The padding ends a word that reaches the end of the text.
    let mut last = [0; 64];
    last[..tail.len()].copy_from_slice(tail);
    block(base, &last);
}

#[inline(always)]
fn in_lower_word(byte: u8) -> bool {
    let letter = byte.wrapping_sub(b'a') < 26;
    let digit = byte.wrapping_sub(b'0') < 10;
    letter | digit | (byte == b'_') | (byte >= 0x80)
}

#[inline(always)]
fn in_any_word(byte: u8) -> bool {
    in_lower_word(byte) | (byte.wrapping_sub(b'A') < 26)
}

/// One bit per byte, set where `is` returns true.
#[inline(always)]
fn mask(bytes: &[u8; 64], is: impl Fn(u8) -> bool) -> u64 {
    let mut flags = [0u8; 64];
    for (flag, &byte) in flags.iter_mut().zip(bytes) {
        *flag = u8::from(is(byte));
    }
    let mut mask = 0;
    for (at, eight) in flags.as_chunks().0.iter().enumerate() {
        // The product gathers the low bits of eight bytes in its top byte, without carries.
        let bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= bits << (8 * at);
    }
    mask
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    proptest! {
        #[test]
        fn runs_are_those_of_patterns(text in "[a-cA-C0_+. é漢\u{1}\u{7f}]{0,300}") {
            for (pattern, tokens) in [(r"[a-z0-9_[^\x00-\x7f]]+", false), (r"[a-zA-Z0-9_[^\x00-\x7f]]+|[!-~]", true)] {
                let pattern = Regex::new(pattern).unwrap();
                let expected: Vec<_> = pattern.find_iter(&text).map(|found| (found.start(), found.end())).collect();
                let mut found = vec![];
                let push = |start, end| found.push((start, end));
                if tokens { for_each_token(text.as_bytes(), push) } else { for_each_word(text.as_bytes(), push) }
                prop_assert_eq!(found, expected);
            }
        }
    }
}
