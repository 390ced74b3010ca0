//! Decides the contents of one component. No content outside it shares a bucket with a member.

use std::ops::Range;

use datafusion::common::Result;

use super::buckets::Components;
use super::sets::Comparer;
use super::{Linkage, MinhashDedup};
use crate::kernels::union_find::UnionFind;
use crate::operators::dedup::decisions::Decisions;

/// Number of decisions that are handed over at once.
const BATCH: usize = 1024;

/// Bytes per member while its component is being decided.
pub const ENTRY: usize = 13;

/// Counts of compared pairs.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Counts {
    /// Pairs that share a bucket and lie within the bucket limit.
    pub candidate_pairs: usize,
    /// Pairs whose exact similarity was computed, or ruled out by the sizes of the sets.
    pub verified_pairs: usize,
    /// Pairs left out by a bucket's limit. Another bucket may still have proposed them.
    pub skipped_pairs: usize,
}

impl Counts {
    /// The sum of two counts.
    pub fn plus(self, other: Self) -> Self {
        Self {
            candidate_pairs: self.candidate_pairs + other.candidate_pairs,
            verified_pairs: self.verified_pairs + other.verified_pairs,
            skipped_pairs: self.skipped_pairs + other.skipped_pairs,
        }
    }
}

/// Decides components; each thread has its own.
pub struct Decider<'a> {
    rule: &'a MinhashDedup,
    components: &'a Components,
    comparer: Comparer<'a>,
    decisions: &'a Decisions<'a>,
    /// Counts so far.
    pub counts: Counts,
    decided: Vec<(u32, (u32, f64))>,
    buckets: Vec<(u64, u32)>,
    members: Vec<u32>,
    candidates: Vec<u32>,
}

impl<'a> Decider<'a> {
    /// Creates a decider that has decided nothing yet.
    pub fn new(
        rule: &'a MinhashDedup,
        components: &'a Components,
        comparer: Comparer<'a>,
        decisions: &'a Decisions<'a>,
    ) -> Self {
        let (decided, buckets, members, candidates) = (vec![], vec![], vec![], vec![]);
        Self { rule, components, comparer, decisions, counts: Counts::default(), decided, buckets, members, candidates }
    }

    /// Decides the component at `places`. Contents are taken in survivor order. Each is compared with earlier ones that share
    /// a bucket: first with kept ones until one is similar enough, then with those not yet connected to it. Pairs that are
    /// already connected are not compared, so a cluster of m copies costs m comparisons, not m squared.
    pub fn decide(&mut self, places: Range<usize>, check: impl Fn() -> Result<()>) -> Result<()> {
        let threshold = self.rule.threshold.get();
        let mut contents = vec![];
        self.components.contents.read(places.clone(), &mut contents)?;
        let mut clusters = UnionFind::new(contents.len());
        let mut is_kept = vec![true; contents.len()];
        let mut stamp = vec![u32::MAX; contents.len()];
        for (b, &content) in (0..).zip(&contents) {
            check()?;
            self.candidates(places.start as u32, b, &mut stamp)?;
            for &a in self.candidates.iter().filter(|a| is_kept[**a as usize]) {
                self.counts.verified_pairs += 1;
                stamp[a as usize] = u32::MAX;
                if let Some(similarity) = self.comparer.similarity(contents[a as usize], content, threshold)? {
                    is_kept[b as usize] = false;
                    self.decided.push((content, (contents[a as usize], similarity)));
                    clusters.union(a, b);
                    break;
                }
            }
            // The stamp distinguishes candidates already compared above from open ones.
            for &a in &self.candidates {
                if stamp[a as usize] == b && clusters.find(a) != clusters.find(b) {
                    self.counts.verified_pairs += 1;
                    if self.comparer.similarity(contents[a as usize], content, threshold)?.is_some() {
                        clusters.union(a, b);
                    }
                }
            }
            if self.decided.len() >= BATCH {
                self.hand_over()?;
            }
        }
        self.hand_over()?;
        self.clusters(&contents, &mut clusters)
    }

    fn hand_over(&mut self) -> Result<()> {
        self.decisions.change(&mut self.decided, |content, (duplicate_of, similarity)| {
            (content.duplicate_of, content.similarity) = (duplicate_of, similarity);
        })
    }

    /// Finds the earlier members of the component that share a bucket with `b` within the bucket limit, ascending, and sets
    /// their stamp to `b`.
    fn candidates(&mut self, start: u32, b: u32, stamp: &mut [u32]) -> Result<()> {
        let place = (start + b) as usize;
        self.components.buckets.read(self.components.bucket_ends.piece(place)?, &mut self.buckets)?;
        self.candidates.clear();
        for &(bucket, before) in &self.buckets {
            let compared = before.min(self.rule.bucket_limit);
            self.counts.skipped_pairs += (before - compared) as usize;
            let bucket = bucket as usize;
            self.components.members.read(bucket..bucket + compared as usize, &mut self.members)?;
            for a in self.members.iter().map(|member| member - start) {
                if stamp[a as usize] != b {
                    stamp[a as usize] = b;
                    self.candidates.push(a);
                }
            }
        }
        self.counts.candidate_pairs += self.candidates.len();
        self.candidates.sort_unstable();
        Ok(())
    }

    /// Assigns the first member of each cluster as the cluster's name. With transitive linkage it is also what the other
    /// members are duplicates of.
    fn clusters(&mut self, contents: &[u32], clusters: &mut UnionFind) -> Result<()> {
        let mut decided = vec![];
        for (at, &content) in (0..).zip(contents) {
            let first = clusters.find(at);
            if first != at {
                let cluster = contents[first as usize];
                let mut similarity = None;
                if self.rule.linkage == Linkage::Transitive {
                    similarity = Some(self.comparer.similarity(cluster, content, 0.0)?.unwrap_or(0.0));
                }
                decided.push((content, (cluster, similarity)));
            }
            if decided.len() >= BATCH || at as usize + 1 == contents.len() {
                self.decisions.change(&mut decided, |content, (cluster, similarity)| {
                    content.cluster = cluster;
                    if let Some(similarity) = similarity {
                        (content.duplicate_of, content.similarity) = (cluster, similarity);
                    }
                })?;
            }
        }
        Ok(())
    }
}
