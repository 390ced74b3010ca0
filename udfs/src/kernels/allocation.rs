//! Division of a whole number (a budget) among groups.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// How a budget is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// As evenly as the sizes allow, in whole numbers.
    Equal,
    /// In proportion to the weights, within the bounds.
    Proportional,
    /// The allocation within the bounds that is nearest to the proportional one in least squares.
    Projection,
}

/// How fractional shares are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Rounds down, then adds one to the shares with the largest remainders until the budget is spent.
    LargestRemainder,
    /// Rounds down; the rest is not spent.
    Floor,
}

/// A group's bounds and weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group {
    /// Maximum share.
    pub size: u64,
    /// Minimum share; at most `size`.
    pub floor: u64,
    /// Weight, at least 0.
    pub weight: f64,
}

/// Divides `budget`, which must lie between the sum of the floors and the sum of the sizes. If two groups are equal in every
/// respect, the first one takes precedence, so the caller's order of groups breaks ties. O(k log k).
pub fn allocate(groups: &[Group], budget: u64, method: Method, rounding: Rounding) -> Vec<u64> {
    match method {
        Method::Equal => equal(groups, budget),
        Method::Proportional => round(groups, &proportional(groups, budget as f64), budget, rounding),
        Method::Projection => round(groups, &projection(groups, budget as f64), budget, rounding),
    }
}

/// Visits the smallest groups first. Each receives its size or an equal share of what is left; the last one takes the rest.
fn equal(groups: &[Group], budget: u64) -> Vec<u64> {
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|&at| (groups[at].size, at));
    let mut taken = vec![0; groups.len()];
    let mut rest = budget;
    for (done, &at) in order.iter().enumerate() {
        let left = (groups.len() - done) as u64;
        taken[at] = groups[at].size.min(rest / left);
        rest -= taken[at];
    }
    // The last group is the largest, so a remainder that exceeds it would exceed the sum of sizes. Floors are met because
    // shares are even.
    taken
}

/// Computes `clip(a w, floor, size)` with `a` such that the sum is the budget: what a capped group leaves goes to the others
/// in proportion. Once all groups with weight are full, those without weight share the rest evenly.
pub fn proportional(groups: &[Group], budget: f64) -> Vec<f64> {
    let share =
        |a: f64| -> Vec<f64> { groups.iter().map(|g| (a * g.weight).clamp(g.floor as f64, g.size as f64)).collect() };
    let full: f64 = groups.iter().map(|g| if g.weight > 0.0 { g.size as f64 } else { g.floor as f64 }).sum();
    if full < budget {
        let open: Vec<Group> =
            groups.iter().map(|g| if g.weight > 0.0 { Group { floor: g.size, ..*g } } else { *g }).collect();
        let zero = vec![0.0; groups.len()];
        return shift(&open, &zero, budget);
    }
    // Beyond this factor every group with weight is full.
    let most = groups.iter().filter(|g| g.weight > 0.0).map(|g| g.size as f64 / g.weight).fold(0.0, f64::max);
    share(bisect(0.0, most, |a| share(a).iter().sum::<f64>() >= budget))
}

/// The Euclidean projection of the proportional targets onto the allocations within the bounds: `clip(t + m, floor, size)`.
pub fn projection(groups: &[Group], budget: f64) -> Vec<f64> {
    let weights: f64 = groups.iter().map(|g| g.weight).sum();
    let target = |g: &Group| if weights > 0.0 { budget * (g.weight / weights) } else { 0.0 };
    let targets: Vec<f64> = groups.iter().map(target).collect();
    shift(groups, &targets, budget)
}

fn shift(groups: &[Group], targets: &[f64], budget: f64) -> Vec<f64> {
    let share = |m: f64| -> Vec<f64> {
        groups.iter().zip(targets).map(|(g, t)| (t + m).clamp(g.floor as f64, g.size as f64)).collect()
    };
    let largest = groups.iter().zip(targets).map(|(g, t)| g.size as f64 + t).fold(1.0, f64::max);
    share(bisect(-largest, largest, |m| share(m).iter().sum::<f64>() >= budget))
}

/// Returns the smallest `x` between the ends for which `reached` is true, almost to the last bit. `reached` must be monotone.
fn bisect(mut low: f64, mut high: f64, reached: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if reached(middle) { high = middle } else { low = middle }
    }
    high
}

fn round(groups: &[Group], shares: &[f64], budget: u64, rounding: Rounding) -> Vec<u64> {
    // A share of 2.9999999999 is 3 with a bisection error.
    let down = |share: f64| (share + 1e-9 * share.max(1.0)).floor();
    let mut taken: Vec<u64> =
        groups.iter().zip(shares).map(|(g, &share)| (down(share) as u64).clamp(g.floor, g.size)).collect();
    if rounding == Rounding::Floor {
        return taken;
    }
    let remainder: Vec<f64> = shares.iter().zip(&taken).map(|(&share, &taken)| share - taken as f64).collect();
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by(|&a, &b| remainder[b].partial_cmp(&remainder[a]).unwrap_or(Ordering::Equal).then(a.cmp(&b)));
    let mut spent: u64 = taken.iter().sum();
    while spent < budget {
        let before = spent;
        for &at in &order {
            if spent < budget && taken[at] < groups[at].size {
                taken[at] += 1;
                spent += 1;
            }
        }
        if spent == before {
            break;
        }
    }
    for &at in order.iter().rev() {
        if spent > budget && taken[at] > groups[at].floor {
            taken[at] -= 1;
            spent -= 1;
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn groups() -> impl Strategy<Value = (Vec<Group>, u64)> {
        let group = (0_u64..200, 0_u64..5, prop_oneof![Just(0.0), 0.0..10.0_f64]);
        (proptest::collection::vec(group, 1..30), 0.0..1.0_f64).prop_map(|(groups, part)| {
            let groups: Vec<Group> = groups
                .into_iter()
                .map(|(size, floor, weight)| Group { size, floor: floor.min(size), weight })
                .collect();
            let least: u64 = groups.iter().map(|g| g.floor).sum();
            let most: u64 = groups.iter().map(|g| g.size).sum();
            let budget = least + ((most - least) as f64 * part) as u64;
            (groups, budget)
        })
    }

    proptest! {
        #[test]
        fn the_budget_is_spent_within_the_bounds((groups, budget) in groups()) {
            for method in [Method::Proportional, Method::Projection] {
                let taken = allocate(&groups, budget, method, Rounding::LargestRemainder);
                prop_assert_eq!(taken.iter().sum::<u64>(), budget, "{:?}", method);
                let bounded = taken.iter().zip(&groups).all(|(taken, g)| (g.floor..=g.size).contains(taken));
                prop_assert!(bounded, "{:?} {:?}", method, taken);
                let floor = allocate(&groups, budget, method, Rounding::Floor);
                prop_assert!(floor.iter().zip(&taken).all(|(floor, taken)| floor <= taken));
            }
            let taken = allocate(&groups, budget, Method::Equal, Rounding::LargestRemainder);
            prop_assert_eq!(taken.iter().sum::<u64>(), budget);
            prop_assert!(taken.iter().zip(&groups).all(|(taken, g)| *taken <= g.size));
        }

        #[test]
        fn shares_grow_with_the_budget((groups, budget) in groups()) {
            let least: u64 = groups.iter().map(|g| g.floor).sum();
            let smaller = least + (budget - least) / 2;
            for shares in [proportional, projection] {
                let (a, b) = (shares(&groups, smaller as f64), shares(&groups, budget as f64));
                if groups.iter().all(|g| g.floor == 0) {
                    prop_assert!(a.iter().zip(&b).all(|(a, b)| *a <= b + 1e-6), "{:?} {:?}", a, b);
                }
            }
        }

        #[test]
        fn equal_is_the_projection_of_equal_targets((groups, budget) in groups()) {
            let even: Vec<Group> = groups.iter().map(|g| Group { weight: 1.0, floor: 0, ..*g }).collect();
            let shares = projection(&even, budget as f64);
            let taken = allocate(&even, budget, Method::Equal, Rounding::LargestRemainder);
            prop_assert!(taken.iter().zip(&shares).all(|(taken, share)| (*taken as f64 - share).abs() < 1.0 + 1e-6));
        }

        /// Karush-Kuhn-Tucker conditions: shares that are not at a bound are all equally far from their targets.
        #[test]
        fn the_projection_is_optimal((groups, budget) in groups()) {
            let shares = projection(&groups, budget as f64);
            let weights: f64 = groups.iter().map(|g| g.weight).sum();
            let step = |at: usize| {
                let target = if weights > 0.0 { budget as f64 * groups[at].weight / weights } else { 0.0 };
                shares[at] - target
            };
            for a in 0..groups.len() {
                for b in 0..groups.len() {
                    // If something can be moved from a to b, moving it must not bring the two nearer to their targets.
                    let movable = shares[a] > groups[a].floor as f64 + 1e-6 && shares[b] < groups[b].size as f64 - 1e-6;
                    if movable {
                        prop_assert!(step(b) >= step(a) - 1e-6, "{} {}", step(a), step(b));
                    }
                }
            }
        }
    }

    #[test]
    fn examples() {
        let group = |size, weight| Group { size, floor: 0, weight };
        let groups = [group(2, 1.0), group(10, 1.0), group(10, 2.0)];
        let allocated = |method| allocate(&groups, 12, method, Rounding::LargestRemainder);
        assert_eq!(allocated(Method::Equal), [2, 5, 5]);
        // 3, 3, 6: one of the first group's is redistributed 1 to 2.
        assert_eq!(allocated(Method::Proportional), [2, 3, 7]);
        // 3, 3, 6: half of it goes to each of the others, and the first gets the half that makes a whole.
        assert_eq!(allocated(Method::Projection), [2, 4, 6]);
        let floors = [Group { size: 5, floor: 3, weight: 0.0 }, group(50, 1.0)];
        assert_eq!(allocate(&floors, 10, Method::Proportional, Rounding::LargestRemainder), [3, 7]);
        assert_eq!(allocate(&floors, 54, Method::Proportional, Rounding::LargestRemainder), [4, 50]);
    }
}
