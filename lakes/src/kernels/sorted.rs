//! Containment of sorted lists of row hashes.

/// Whether repeated rows count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Rows {
    /// A row that occurs n times in the child must occur at least n times in the parent.
    #[default]
    Multiset,
    /// A row of the child must occur in the parent.
    Set,
}

/// The overlap of one list with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overlap {
    /// Number of rows of the child that count; distinct ones for sets.
    pub rows: u64,
    /// Number of those that the parent has.
    pub matched: u64,
}

impl Overlap {
    /// Fraction of the child in the parent; 1 for an empty child.
    pub fn containment(self) -> f64 {
        if self.rows == 0 { 1.0 } else { self.matched as f64 / self.rows as f64 }
    }
}

/// Whether every row of `child` is in `parent`; both must be ascending. Stops at the first missing row. For random hashes and
/// a fraction c of common rows, that is after about 1 / (1 - c) rows.
pub fn contained(child: &[u128], parent: &[u128], rows: Rows) -> bool {
    let mut rest = parent;
    let mut previous = None;
    for &row in child {
        if rows == Rows::Set && previous == Some(row) {
            continue;
        }
        previous = Some(row);
        rest = from(rest, row);
        match rest.split_first() {
            Some((&first, after)) if first == row => rest = after,
            _ => return false,
        }
    }
    true
}

/// How many rows of `child` are in `parent`; both ascend.
pub fn overlap(child: &[u128], parent: &[u128], rows: Rows) -> Overlap {
    let mut rest = parent;
    let mut previous = None;
    let mut found = Overlap::default();
    for &row in child {
        if rows == Rows::Set && previous == Some(row) {
            continue;
        }
        previous = Some(row);
        found.rows += 1;
        rest = from(rest, row);
        if let Some((&first, after)) = rest.split_first()
            && first == row
        {
            found.matched += 1;
            rest = after;
        }
    }
    found
}

/// Whether an ascending list holds `row`.
pub fn holds(list: &[u128], row: u128) -> bool {
    list.binary_search(&row).is_ok()
}

/// The part of an ascending list from the first element of at least `least` on. Uses galloping search, because children are
/// often far smaller than parents.
fn from(list: &[u128], least: u128) -> &[u128] {
    let mut step = 1;
    while step < list.len() && list[step - 1] < least {
        step *= 2;
    }
    let (low, high) = (step / 2, step.min(list.len()));
    &list[low + list[low..high].partition_point(|&row| row < least)..]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn counts(list: &[u128]) -> BTreeMap<u128, u64> {
        let mut counts = BTreeMap::new();
        list.iter().for_each(|&row| *counts.entry(row).or_default() += 1);
        counts
    }

    proptest! {
        #[test]
        fn agrees_with_counting(mut child in prop::collection::vec(0_u128..30, 0..40), mut parent in prop::collection::vec(0_u128..30, 0..200)) {
            child.sort_unstable();
            parent.sort_unstable();
            let (c, p) = (counts(&child), counts(&parent));
            let have = |row: &u128| p.get(row).copied().unwrap_or(0);
            let multiset = Overlap { rows: child.len() as u64, matched: c.iter().map(|(r, n)| have(r).min(*n)).sum() };
            let set = Overlap { rows: c.len() as u64, matched: c.keys().filter(|r| have(r) > 0).count() as u64 };
            for (rows, expected) in [(Rows::Multiset, multiset), (Rows::Set, set)] {
                prop_assert_eq!(overlap(&child, &parent, rows), expected);
                prop_assert_eq!(contained(&child, &parent, rows), expected.rows == expected.matched);
            }
            for row in 0..31 {
                prop_assert_eq!(holds(&parent, row), have(&row) > 0);
            }
        }
    }
}
