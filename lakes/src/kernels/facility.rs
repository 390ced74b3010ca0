//! Uncapacitated facility location: which items to keep if the others can be rebuilt from kept ones.
//!
//! Keeping `v` costs `keep[v]` and serves `v` itself for free. Rebuilding `v` from a kept `u` costs the price listed in
//! `rebuild[v]` for `u`. The problem is NP-hard. Each weakly connected component is bounded from below by dual ascent
//! (Erlenkotter, A dual-based procedure for uncapacitated facility location, 1978), and from above by the solution that the
//! dual suggests, improved by local search. A remaining gap is closed by branch and bound within a budget. Components that
//! are trees need no search: a dynamic program is exact in linear time.

use limpid_udfs::kernels::union_find::UnionFind;

/// The costs.
#[derive(Debug, Clone, Default)]
pub struct Costs {
    /// Cost of keeping each item.
    pub keep: Vec<f64>,
    /// For each item, the items from which it can be rebuilt, and the cost.
    pub rebuild: Vec<Vec<(u32, f64)>>,
}

/// A solution.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// For each item, the item from which it is rebuilt; itself if it is kept.
    pub from: Vec<u32>,
    /// Total cost.
    pub cost: f64,
    /// Lower bound: no solution costs less.
    pub bound: f64,
}

/// Differences below this fraction of the costs are rounding errors.
const EPSILON: f64 = 1e-9;

/// Solves `costs`, visiting at most `budget` nodes of the search tree per component.
pub fn solve(costs: &Costs, budget: usize) -> Solution {
    let n = costs.keep.len();
    let mut joined = UnionFind::new(n);
    let useful = |v: usize| costs.rebuild[v].iter().filter(move |(_, price)| *price < costs.keep[v]);
    for v in 0..n {
        // Never rebuild at a price at or above that of keeping.
        useful(v).for_each(|&(u, _)| {
            joined.union(v as u32, u);
        });
    }
    let mut members: std::collections::BTreeMap<u32, Vec<u32>> = std::collections::BTreeMap::new();
    for v in 0..n as u32 {
        members.entry(joined.find(v)).or_default().push(v);
    }
    let mut solution = Solution { from: (0..n as u32).collect(), cost: 0.0, bound: 0.0 };
    for members in members.values() {
        let place = |v: u32| members.binary_search(&v).unwrap_or(0) as u32;
        let part = Part {
            keep: members.iter().map(|&v| costs.keep[v as usize]).collect(),
            serve: members
                .iter()
                .map(|&v| {
                    let others = useful(v as usize).filter(|(u, _)| *u != v).map(|&(u, price)| (price, place(u)));
                    let mut all: Vec<(f64, u32)> = others.chain([(0.0, place(v))]).collect();
                    // Put the item itself before others at the same price, so that kept items are never rebuilt.
                    let rank = |&(price, u): &(f64, u32)| (price, u != place(v), u);
                    all.sort_by(|a, b| {
                        let (a, b) = (rank(a), rank(b));
                        a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2)))
                    });
                    all
                })
                .collect(),
        };
        let (from, cost, bound) = match part.forest() {
            Some((from, cost)) => (from, cost, cost),
            None => part.solve(budget),
        };
        for (&v, u) in members.iter().zip(from) {
            solution.from[v as usize] = members[u as usize];
        }
        solution.cost += cost;
        solution.bound += bound;
    }
    solution
}

/// One component. `serve[v]` lists price and position of everything that can serve `v`, including itself, cheapest first.
struct Part {
    keep: Vec<f64>,
    serve: Vec<Vec<(f64, u32)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Free,
    Open,
    Closed,
}

/// A node of the search tree after bounding: the dual's solution and where it is not tight.
struct Bounded {
    bound: f64,
    open: Vec<bool>,
    branch: Option<u32>,
}

impl Part {
    /// Solves a component in which every item can be rebuilt from at most one other, without cycles: the optimum in linear
    /// time. Let `keep(v)` and `rebuild(v)` be the minimum costs of the subtree below `v` if `v` is kept or rebuilt. Then
    /// `keep(v) = its price + sum of min(keep, rebuild)` over its children, and `rebuild(v) = its price + sum of keep`.
    fn forest(&self) -> Option<(Vec<u32>, f64)> {
        let n = self.keep.len();
        let mut above: Vec<Option<(u32, f64)>> = vec![None; n];
        let mut waiting = vec![0_u32; n];
        for (v, all) in self.serve.iter().enumerate() {
            let mut others = all.iter().filter(|(_, u)| *u as usize != v);
            above[v] = others.next().map(|&(price, u)| (u, price));
            if others.next().is_some() {
                return None;
            }
            if let Some((u, _)) = above[v] {
                waiting[u as usize] += 1;
            }
        }
        let mut keep = self.keep.clone();
        let mut rebuild: Vec<f64> = above.iter().map(|above| above.map_or(f64::INFINITY, |(_, price)| price)).collect();
        // Children come before parents; items on a cycle never become ready.
        let mut order: Vec<u32> = (0..n as u32).filter(|&v| waiting[v as usize] == 0).collect();
        let mut next = 0;
        while let Some(&v) = order.get(next) {
            next += 1;
            if let Some((u, _)) = above[v as usize] {
                keep[u as usize] += keep[v as usize].min(rebuild[v as usize]);
                rebuild[u as usize] += keep[v as usize];
                waiting[u as usize] -= 1;
                if waiting[u as usize] == 0 {
                    order.push(u);
                }
            }
        }
        if order.len() < n {
            return None;
        }
        let mut from: Vec<u32> = (0..n as u32).collect();
        let mut cost = 0.0;
        for &v in order.iter().rev() {
            match above[v as usize] {
                Some((u, price)) if from[u as usize] == u && rebuild[v as usize] < keep[v as usize] => {
                    from[v as usize] = u;
                    cost += price;
                }
                _ => cost += self.keep[v as usize],
            }
        }
        Some((from, cost))
    }

    fn solve(&self, budget: usize) -> (Vec<u32>, f64, f64) {
        let n = self.keep.len();
        let mut best = self.improved(vec![true; n]);
        let mut stack = vec![(vec![Status::Free; n], 0.0)];
        let mut left = budget.max(1);
        let close = |bound: f64, cost: f64| bound >= cost - EPSILON * (1.0 + cost.abs());
        while left > 0
            && let Some((status, above)) = stack.pop()
        {
            left -= 1;
            let Some(node) = self.bound(&status) else { continue };
            let bound = node.bound.max(above);
            let here = self.improved(node.open);
            if here.1 < best.1 {
                best = here;
            }
            if close(bound, best.1) {
                continue;
            }
            let free = || status.iter().position(|status| *status == Status::Free).map(|at| at as u32);
            let Some(at) = node.branch.or_else(free) else { continue };
            for choice in [Status::Closed, Status::Open] {
                let mut status = status.clone();
                status[at as usize] = choice;
                stack.push((status, bound));
            }
        }
        stack.retain(|(_, bound)| !close(*bound, best.1));
        let bound = stack.iter().map(|(_, bound)| *bound).fold(best.1, f64::min);
        (best.0, best.1, bound)
    }

    /// Dual ascent given the fixed items; `None` if an item cannot be served.
    fn bound(&self, status: &[Status]) -> Option<Bounded> {
        let n = self.keep.len();
        let fixed: f64 = (0..n).filter(|&u| status[u] == Status::Open).map(|u| self.keep[u]).sum();
        let mut slack: Vec<f64> = (0..n).map(|u| if status[u] == Status::Open { 0.0 } else { self.keep[u] }).collect();
        let serve: Vec<Vec<(f64, u32)>> = self
            .serve
            .iter()
            .map(|all| all.iter().filter(|(_, u)| status[*u as usize] != Status::Closed).copied().collect())
            .collect();
        let mut value: Vec<f64> =
            serve.iter().map(|all| all.first().map(|(price, _)| *price)).collect::<Option<_>>()?;
        loop {
            let mut raised = false;
            for (v, all) in serve.iter().enumerate() {
                // Those that `v` already pays for, and the next price at which it would pay for more.
                let within = all.partition_point(|(price, _)| *price <= value[v]);
                let next = all.get(within).map_or(f64::INFINITY, |(price, _)| *price);
                let room = all[..within].iter().map(|(_, u)| slack[*u as usize]).fold(f64::INFINITY, f64::min);
                let step = room.min(next - value[v]);
                if step > EPSILON * (1.0 + value[v]) && step.is_finite() {
                    value[v] += step;
                    all[..within].iter().for_each(|(_, u)| slack[*u as usize] -= step);
                    raised = true;
                }
            }
            if !raised {
                break;
            }
        }
        let tight = |u: u32| slack[u as usize] <= EPSILON * (1.0 + self.keep[u as usize]);
        let mut open: Vec<bool> = status.iter().map(|status| *status == Status::Open).collect();
        for all in &serve {
            if !all.iter().any(|(_, u)| open[*u as usize])
                && let Some((_, u)) = all.iter().find(|(_, u)| tight(*u))
            {
                open[*u as usize] = true;
            }
        }
        let twice = |(all, value): (&Vec<(f64, u32)>, &f64)| {
            let mut paid = all.iter().filter(|(price, u)| price < value && open[*u as usize]).map(|(_, u)| *u);
            let (first, second) = (paid.next()?, paid.next()?);
            [first, second].into_iter().find(|u| status[*u as usize] == Status::Free)
        };
        let branch = serve.iter().zip(&value).find_map(twice);
        Some(Bounded { bound: fixed + value.iter().sum::<f64>(), open, branch })
    }

    /// The cheapest assignment to open items, after closing those that are better closed.
    fn improved(&self, mut open: Vec<bool>) -> (Vec<u32>, f64) {
        for (v, all) in self.serve.iter().enumerate() {
            if !all.iter().any(|(_, u)| open[*u as usize]) {
                open[v] = true;
            }
        }
        // The two cheapest open ones of each: closing the first sends its clients to the second.
        let mut order: Vec<usize> = (0..open.len()).filter(|&u| open[u]).collect();
        order.sort_by(|a, b| self.keep[*b].total_cmp(&self.keep[*a]).then(a.cmp(b)));
        let mut clients: Vec<Vec<u32>> = vec![vec![]; open.len()];
        for (v, all) in self.serve.iter().enumerate() {
            all.iter().for_each(|(_, u)| clients[*u as usize].push(v as u32));
        }
        for u in order {
            let mut change = -self.keep[u];
            for &v in &clients[u] {
                let mut served = self.serve[v as usize].iter().filter(|(_, u)| open[*u as usize]);
                match (served.next(), served.next()) {
                    (Some((price, first)), second) if *first as usize == u => {
                        change += second.map_or(f64::INFINITY, |(other, _)| other - price);
                    }
                    _ => {}
                }
            }
            open[u] = change >= 0.0;
        }
        let mut cost: f64 = (0..open.len()).filter(|&u| open[u]).map(|u| self.keep[u]).sum();
        let mut from = vec![0; open.len()];
        for (v, all) in self.serve.iter().enumerate() {
            // One of them is open: closing the last one that serves `v` would have cost without end.
            if let Some((price, u)) = all.iter().find(|(_, u)| open[*u as usize]) {
                cost += price;
                from[v] = *u;
            }
        }
        (from, cost)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by_trying_all(costs: &Costs) -> f64 {
        let n = costs.keep.len();
        let mut best = f64::INFINITY;
        for kept in 1_u32..1 << n {
            let is_kept = |v: usize| kept >> v & 1 == 1;
            let cost: f64 = (0..n)
                .map(|v| match is_kept(v) {
                    true => costs.keep[v],
                    false => {
                        let prices =
                            costs.rebuild[v].iter().filter(|(u, _)| is_kept(*u as usize)).map(|(_, price)| *price);
                        prices.fold(f64::INFINITY, f64::min)
                    }
                })
                .sum();
            best = best.min(cost);
        }
        best
    }

    fn check(costs: &Costs, solution: &Solution) {
        let mut cost = 0.0;
        for (v, &u) in solution.from.iter().enumerate() {
            assert_eq!(solution.from[u as usize], u, "what something is rebuilt from is kept");
            cost += match u as usize == v {
                true => costs.keep[v],
                false => costs.rebuild[v].iter().find(|(from, _)| *from == u).unwrap().1,
            };
        }
        assert!((cost - solution.cost).abs() < 1e-6, "{cost} {}", solution.cost);
        assert!(solution.bound <= solution.cost + 1e-6);
    }

    #[test]
    fn a_chain_keeps_its_root() {
        let costs =
            Costs { keep: vec![10.0, 5.0, 4.0], rebuild: vec![vec![], vec![(0, 1.0)], vec![(0, 1.5), (1, 0.5)]] };
        let solution = solve(&costs, 100);
        assert_eq!((solution.from.as_slice(), solution.cost, solution.bound), (&[0, 0, 0][..], 12.5, 12.5));
    }

    #[test]
    fn equal_tables_keep_the_cheapest() {
        let costs = Costs {
            keep: vec![3.0, 2.0, 4.0],
            rebuild: vec![vec![(1, 0.1), (2, 0.1)], vec![(0, 0.1), (2, 0.1)], vec![(0, 0.1), (1, 0.1)]],
        };
        let solution = solve(&costs, 100);
        assert_eq!(solution.from, [1, 1, 1]);
        assert!((solution.cost - 2.2).abs() < 1e-9 && (solution.bound - 2.2).abs() < 1e-6);
    }

    #[test]
    fn a_long_line_takes_no_search() {
        let n = 50_000_u32;
        let rebuild = (0..n).map(|v| if v == 0 { vec![] } else { vec![(v - 1, 1.0)] }).collect();
        let solution = solve(&Costs { keep: vec![10.0; n as usize], rebuild }, 1);
        // Every second one is kept.
        assert_eq!((solution.cost, solution.bound), (275_000.0, 275_000.0));
    }

    proptest! {
        #[test]
        fn trees_agree_with_trying_all(nodes in prop::collection::vec((0_u32..40, 0_u32..10, 0_u32..30), 1..12)) {
            let keep = nodes.iter().map(|(keep, ..)| f64::from(*keep)).collect();
            let above = |v: usize| nodes[v].1 % v as u32;
            let rebuild = (0..nodes.len())
                .map(|v| if v == 0 { vec![] } else { vec![(above(v), f64::from(nodes[v].2))] })
                .collect();
            let costs = Costs { keep, rebuild };
            let solution = solve(&costs, 1);
            check(&costs, &solution);
            let best = by_trying_all(&costs);
            prop_assert!((solution.cost - best).abs() < 1e-6 && (solution.bound - best).abs() < 1e-6);
        }

        #[test]
        fn agrees_with_trying_all(
            keep in prop::collection::vec(0_u32..40, 1..10),
            edges in prop::collection::vec((0_usize..10, 0_u32..10, 0_u32..30), 0..40),
        ) {
            let n = keep.len();
            let mut rebuild = vec![vec![]; n];
            for (v, u, price) in edges {
                let (v, u) = (v % n, u % n as u32);
                if v as u32 != u && !rebuild[v].iter().any(|(other, _)| *other == u) {
                    rebuild[v].push((u, f64::from(price)));
                }
            }
            let costs = Costs { keep: keep.into_iter().map(f64::from).collect(), rebuild };
            let solution = solve(&costs, 5000);
            check(&costs, &solution);
            let best = by_trying_all(&costs);
            prop_assert!((solution.cost - best).abs() < 1e-6, "{} instead of {}", solution.cost, best);
            prop_assert!(solution.bound >= best - 1e-6, "the gap is closed");
            // Whatever the budget, the bound is one.
            let hasty = solve(&costs, 1);
            check(&costs, &hasty);
            prop_assert!(hasty.bound <= best + 1e-6 && hasty.cost >= best - 1e-6);
        }
    }
}
