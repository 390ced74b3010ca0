//! Determines which schemas contain which: containment of sets of column numbers.

/// For each set, returns the sets that contain it, including itself, ascending. Sets are ascending lists of numbers below
/// `columns`.
///
/// Intersects the inverted lists of a set's columns, rarest first, so pairs of sets without a common column are never
/// visited. The empty set is contained in none.
pub fn supersets(sets: &[Vec<u32>], columns: usize) -> Vec<Vec<u32>> {
    let mut holders = vec![vec![]; columns];
    for (set, members) in sets.iter().enumerate() {
        for &column in members {
            holders[column as usize].push(set as u32);
        }
    }
    let of = |set: &Vec<u32>| {
        let mut lists: Vec<&[u32]> = set.iter().map(|&column| holders[column as usize].as_slice()).collect();
        lists.sort_unstable_by_key(|list| list.len());
        let Some((rarest, others)) = lists.split_first() else { return vec![] };
        let mut found = rarest.to_vec();
        for list in others {
            if found.len() <= 1 {
                break;
            }
            found.retain(|set| list.binary_search(set).is_ok());
        }
        found
    };
    sets.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_comparing_all(sets in prop::collection::vec(prop::collection::btree_set(0_u32..12, 0..6), 0..40)) {
            let lists: Vec<Vec<u32>> = sets.iter().map(|set| set.iter().copied().collect()).collect();
            let expected: Vec<Vec<u32>> = sets
                .iter()
                .map(|a: &BTreeSet<u32>| {
                    let holds = |b: &BTreeSet<u32>| !a.is_empty() && a.is_subset(b);
                    (0..sets.len()).filter(|&b| holds(&sets[b])).map(|b| b as u32).collect()
                })
                .collect();
            prop_assert_eq!(supersets(&lists, 12), expected);
        }
    }
}
