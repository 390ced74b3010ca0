//! Searches the rows of a child among those of a parent.

use datafusion::common::Result;
use hashbrown::HashSet;
use limpid_udfs::kernels::random::SplitMix64;

use super::{Evidence, Found, State};
use crate::kernels::binomial::interval;
use crate::kernels::row_hash;
use crate::kernels::sorted::Overlap;
use crate::options::{Options, Rows, Stage};
use crate::rows::{RowHashes, TableRows};

/// Decides one pair from row hashes.
#[derive(Debug, Clone)]
pub struct Judge {
    options: Options,
}

impl Judge {
    /// The judge of these options.
    pub fn new(options: &Options) -> Self {
        Self { options: options.clone() }
    }

    /// Whether containment is transitive under these options.
    pub fn is_transitive(&self) -> bool {
        self.options.stage != Stage::Sampled && self.options.threshold >= 1.0
    }

    /// What is known of the pair; `None` when it is no containment.
    pub fn judge(&self, edge: (u32, u32), name: &str, child: &TableRows, parent: &RowHashes) -> Result<Option<Found>> {
        if self.options.stage == Stage::Sampled {
            return self.sampled(edge, name, child, parent);
        }
        let rows = self.options.rows;
        if self.options.threshold >= 1.0 {
            return match child.hashes.contained_in(parent, rows)? {
                true => Ok(Some(self.whole(edge, child, Evidence::Rows)?)),
                false => Ok(None),
            };
        }
        let overlap = child.hashes.overlap(parent, rows)?;
        Ok((overlap.containment() >= self.options.threshold).then(|| exact(edge, overlap, Evidence::Rows)))
    }

    /// A containment of all rows.
    pub fn whole(&self, edge: (u32, u32), child: &TableRows, evidence: Evidence) -> Result<Found> {
        let rows = match self.options.rows {
            Rows::Multiset => child.hashes.len(),
            Rows::Set => child.hashes.distinct()?,
        };
        Ok(exact(edge, Overlap { rows, matched: rows }, evidence))
    }

    /// The check of the R2D2 paper: searches a few uniformly drawn rows of the child; a missing one disproves containment.
    fn sampled(&self, edge: (u32, u32), name: &str, child: &TableRows, parent: &RowHashes) -> Result<Option<Found>> {
        let rows = child.hashes.len();
        let seed = self.options.seed ^ row_hash::cell(name.as_bytes()) as u64;
        let drawn = child.hashes.at(&positions(rows, self.options.sample_rows, seed))?;
        let (hits, draws) = (parent.hits(&drawn)?, drawn.len() as u64);
        let (low, high) = match draws == rows {
            true => (hits as f64 / draws as f64, hits as f64 / draws as f64),
            false => interval(hits, draws, self.options.confidence),
        };
        let accepted = if self.options.threshold >= 1.0 { hits == draws } else { low >= self.options.threshold };
        Ok(accepted.then(|| Found {
            child: edge.0,
            parent: edge.1,
            state: State::SampleConsistent,
            evidence: Evidence::Drawn(draws),
            similarity: Some(hits as f64 / draws as f64),
            interval: Some((low, high)),
            rows: None,
            mapping: None,
        }))
    }
}

fn exact((child, parent): (u32, u32), overlap: Overlap, evidence: Evidence) -> Found {
    Found {
        child,
        parent,
        state: State::HashExact,
        evidence,
        similarity: Some(overlap.containment()),
        interval: None,
        rows: Some((overlap.rows, overlap.matched)),
        mapping: None,
    }
}

/// `draws` different positions below `rows`, ascending (Floyd's sampling).
fn positions(rows: u64, draws: u64, seed: u64) -> Vec<u64> {
    if draws >= rows {
        return (0..rows).collect();
    }
    let mut random = SplitMix64::new(seed);
    let mut chosen = HashSet::new();
    for top in rows - draws..rows {
        // The upper 64 bits of the product: uniform but for a bias of rows / 2^64.
        let at = ((u128::from(random.next_u64()) * u128::from(top + 1)) >> 64) as u64;
        if !chosen.insert(at) {
            chosen.insert(top);
        }
    }
    let mut positions: Vec<u64> = chosen.into_iter().collect();
    positions.sort_unstable();
    positions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_different_and_uniform() {
        let mut seen = [0_u32; 20];
        for seed in 0..4000 {
            let drawn = positions(20, 5, seed);
            assert!(drawn.len() == 5 && drawn.windows(2).all(|pair| pair[0] < pair[1]));
            drawn.iter().for_each(|&at| seen[at as usize] += 1);
        }
        // 1000 expected each, standard deviation 27.
        assert!(seen.iter().all(|&n| (865..1135).contains(&n)), "{seen:?}");
        assert_eq!(positions(3, 5, 1), [0, 1, 2]);
    }
}
