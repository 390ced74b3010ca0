//! Finds all ranges that contain a given one: orthogonal range search in two dimensions.

/// Ranges with a lower and an upper bound, searched by both.
///
/// They are sorted by lower bound, with a tree of the greatest upper bounds on top. A search costs O((found + 1) log n).
#[derive(Debug)]
pub struct Ranges {
    /// Lower bound and position given, ascending.
    order: Vec<(u32, u32)>,
    /// Heap-ordered tree over `order`, padded to a power of two: the greatest upper bound below each node.
    greatest: Vec<u32>,
    leaves: usize,
}

impl Ranges {
    /// Builds the index of `bounds`, (lower, upper) each.
    pub fn new(bounds: &[(u32, u32)]) -> Self {
        let mut order: Vec<(u32, u32)> =
            bounds.iter().enumerate().map(|(at, &(lower, _))| (lower, at as u32)).collect();
        order.sort_unstable();
        let leaves = order.len().next_power_of_two();
        let mut greatest = vec![0; 2 * leaves];
        for (leaf, &(_, at)) in order.iter().enumerate() {
            greatest[leaves + leaf] = bounds[at as usize].1;
        }
        for node in (1..leaves).rev() {
            greatest[node] = greatest[2 * node].max(greatest[2 * node + 1]);
        }
        Self { order, greatest, leaves }
    }

    /// Calls `found` with the position of every range with a lower bound of at most `lower` and an upper bound of at least
    /// `upper`, in no particular order.
    pub fn holding(&self, lower: u32, upper: u32, found: &mut impl FnMut(u32)) {
        let end = self.order.partition_point(|&(bound, _)| bound <= lower);
        if end > 0 {
            self.descend(1, 0, self.leaves, end, upper, found);
        }
    }

    fn descend(&self, node: usize, from: usize, to: usize, end: usize, upper: u32, found: &mut impl FnMut(u32)) {
        if from >= end || self.greatest[node] < upper {
            return;
        }
        if to - from == 1 {
            found(self.order[from].1);
            return;
        }
        let middle = usize::midpoint(from, to);
        self.descend(2 * node, from, middle, end, upper, found);
        self.descend(2 * node + 1, middle, to, end, upper, found);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_trying_all(bounds in prop::collection::vec((0_u32..20, 0_u32..20), 0..70), lower in 0_u32..21, upper in 0_u32..21) {
            let mut found = vec![];
            Ranges::new(&bounds).holding(lower, upper, &mut |at| found.push(at as usize));
            found.sort_unstable();
            let expected: Vec<usize> =
                (0..bounds.len()).filter(|&at| bounds[at].0 <= lower && bounds[at].1 >= upper).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
