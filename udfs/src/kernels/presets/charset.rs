//! Sets of characters by the notation of regular expressions.

use regex_syntax::hir::{Class, HirKind};

/// A set of characters. A lookup is one bit test for ASCII and a binary search otherwise.
#[derive(Debug)]
pub struct CharSet {
    ascii: u128,
    ranges: Vec<(char, char)>,
}

impl CharSet {
    /// The characters of a bracketed class such as `[\p{Nd}]`. A pattern that is not a class gives the empty set; patterns
    /// are constants of this program and each has a test.
    pub fn new(pattern: &str) -> Self {
        let ranges = match regex_syntax::parse(pattern).map(|hir| hir.into_kind()) {
            Ok(HirKind::Class(Class::Unicode(class))) => class.iter().map(|r| (r.start(), r.end())).collect(),
            _ => vec![],
        };
        let has = |c: char| ranges.iter().any(|(start, end)| (*start..=*end).contains(&c));
        let ascii = (0..128_u8).filter(|c| has(char::from(*c))).fold(0, |bits, c| bits | (1_u128 << c));
        Self { ascii, ranges }
    }

    /// Whether `c` is in the set.
    pub fn contains(&self, c: char) -> bool {
        if c.is_ascii() {
            return (self.ascii >> u32::from(c)) & 1 == 1;
        }
        let after = self.ranges.partition_point(|(start, _)| *start <= c);
        after > 0 && c <= self.ranges[after - 1].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_regex() {
        let pattern = r"[a-cx\p{Nd}\x{10000}-\x{10010}]";
        let (set, regex) = (CharSet::new(pattern), regex::Regex::new(pattern).unwrap());
        for c in '\0'..=char::MAX {
            assert_eq!(set.contains(c), regex.is_match(c.encode_utf8(&mut [0; 4])), "{c:?}");
        }
    }
}
