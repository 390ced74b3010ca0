//! Decides the contents of one component: no content outside shares a bucket with them.

use datafusion::common::Result;

use super::sets::Comparer;
use crate::kernels::union_find::UnionFind;
use crate::operators::dedup::{Linkage, Similar};

/// Contents that share buckets, directly or through others. Contents are numbered in survivor order.
#[derive(Debug, Default)]
pub struct Component {
    /// The members of each bucket, ascending.
    pub buckets: Vec<Vec<u32>>,
}

/// What became of a content.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// The content.
    pub content: u32,
    /// The kept content it duplicates; itself where it is kept.
    pub duplicate_of: u32,
    /// Exact similarity to that content.
    pub similarity: f64,
    /// First content, in survivor order, of its connected component in the verified graph.
    pub cluster: u32,
}

/// What was counted on the way.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Counts {
    /// Pairs that share a bucket and were within the bucket limit.
    pub candidate_pairs: usize,
    /// Pairs whose exact similarity was computed or bounded by their sizes.
    pub verified_pairs: usize,
    /// Pairs of a bucket that its limit left out; another bucket may have brought the pair.
    pub skipped_pairs: usize,
    /// Members of the largest bucket.
    pub largest_bucket: usize,
}

impl Component {
    /// Takes the contents in survivor order and compares each with earlier ones that share a bucket: with the kept ones
    /// until one is similar enough, then with those it is not yet connected to. A pair within a connected component is
    /// not compared again, so that a cluster of m copies costs m comparisons, not m squared.
    pub fn decide(self, rule: &Similar, comparer: &mut Comparer, counts: &mut Counts) -> Result<Vec<Decision>> {
        let mut buckets = self.buckets;
        buckets.sort_unstable();
        buckets.dedup();
        let mut members: Vec<u32> = buckets.iter().flatten().copied().collect();
        members.sort_unstable();
        members.dedup();
        let local = |content: u32| members.partition_point(|&m| m < content) as u32;
        let mut places: Vec<Vec<(u32, u32)>> = vec![vec![]; members.len()];
        for (number, bucket) in buckets.iter_mut().enumerate() {
            counts.largest_bucket = counts.largest_bucket.max(bucket.len());
            for (place, member) in bucket.iter_mut().enumerate() {
                *member = local(*member);
                places[*member as usize].push((number as u32, place as u32));
            }
        }

        let threshold = rule.threshold();
        let mut clusters = UnionFind::new(members.len());
        let mut decisions: Vec<Decision> = Vec::with_capacity(members.len());
        let mut stamp = vec![u32::MAX; members.len()];
        let mut candidates: Vec<u32> = vec![];
        for (b, &content) in members.iter().enumerate() {
            let b = b as u32;
            candidates.clear();
            for &(bucket, place) in &places[b as usize] {
                let compared = place.min(rule.bucket_limit);
                counts.skipped_pairs += (place - compared) as usize;
                for &a in &buckets[bucket as usize][..compared as usize] {
                    if stamp[a as usize] != b {
                        stamp[a as usize] = b;
                        candidates.push(a);
                    }
                }
            }
            counts.candidate_pairs += candidates.len();
            candidates.sort_unstable();
            let is_kept = |a: u32| decisions[a as usize].duplicate_of == decisions[a as usize].content;
            let mut decision = Decision { content, duplicate_of: content, similarity: 1.0, cluster: content };
            for &a in candidates.iter().filter(|a| is_kept(**a)) {
                counts.verified_pairs += 1;
                stamp[a as usize] = u32::MAX;
                if let Some(similarity) = comparer.similarity(members[a as usize], content, threshold)? {
                    (decision.duplicate_of, decision.similarity) = (members[a as usize], similarity);
                    clusters.union(a, b);
                    break;
                }
            }
            // The stamp tells candidates compared above from those still open.
            for &a in &candidates {
                if stamp[a as usize] == b && clusters.find(a) != clusters.find(b) {
                    counts.verified_pairs += 1;
                    if comparer.similarity(members[a as usize], content, threshold)?.is_some() {
                        clusters.union(a, b);
                    }
                }
            }
            decisions.push(decision);
        }

        for at in 0..members.len() as u32 {
            let first = clusters.find(at);
            let decision = &mut decisions[at as usize];
            decision.cluster = members[first as usize];
            if rule.linkage == Linkage::Transitive && first != at {
                let similarity = comparer.similarity(decision.cluster, decision.content, 0.0)?;
                (decision.duplicate_of, decision.similarity) = (decision.cluster, similarity.unwrap_or(0.0));
            }
        }
        Ok(decisions)
    }
}
