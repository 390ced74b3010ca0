//! Takes all vectors, then decides.

use arrow::array::ArrayRef;
use datafusion::common::{Result, exec_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::metrics::MetricBuilder;
use xxhash_rust::xxh3::xxh3_128;

use super::decide::decide;
use super::plan::NAME;
use super::{Semantic, cells, pairs};
use crate::functions::vector::embeddings::Embeddings;
use crate::kernels::union_find::UnionFind;
use crate::kernels::vector::bytes::little_endian;
use crate::kernels::vector::codes::MOST_DIMENSIONS;
use crate::kernels::vector::search::Metric;
use crate::operators::call::codes::CodeStore;
use crate::operators::call::table::{Id, comparable};
use crate::operators::call::workers::Workers;
use crate::operators::dedup::contents::{Contents, Same};
use crate::operators::dedup::matcher::{Matcher, Surroundings};
use crate::operators::dedup::ranks::Ranks;
use crate::operators::dedup::resolution::{NONE, Resolution};
use crate::storage::vectors::{VectorStore, Vectors};

/// Bytes a vector costs in memory beyond its values, which spill.
const ENTRY: usize = 64;

/// The distinct vectors, in survivor order.
pub(super) struct Distinct {
    pub(super) vectors: Vectors,
    pub(super) squared: Vec<f64>,
    pub(super) codes: CodeStore,
}

impl Distinct {
    /// The exact cosine of two vectors. `buffers` is memory that may be used.
    pub(super) fn cosine(&self, a: u32, b: u32, [left, right]: &mut [Vec<f32>; 2]) -> Result<f64> {
        let (a, b) = (a as usize, b as usize);
        let (x, y) = (self.vectors.block(a, a + 1, left)?, self.vectors.block(b, b + 1, right)?);
        Ok(Metric::Cosine.score(x, y, self.squared[a], self.squared[b]))
    }
}

/// Finds rows of similar vectors.
pub struct SemanticMatcher {
    rule: Semantic,
    around: Surroundings,
    contents: Contents,
    reservation: MemoryReservation,
    vectors: VectorStore,
    squared: Vec<f64>,
    bytes: Vec<u8>,
    without_vector: usize,
}

impl SemanticMatcher {
    /// No rows yet.
    pub fn new(rule: Semantic, around: &Surroundings) -> Self {
        let env = around.context.runtime_env();
        Self {
            rule,
            around: around.clone(),
            contents: Contents::new(around),
            reservation: MemoryConsumer::new("numbers of semantic_dedup").register(&env.memory_pool),
            vectors: VectorStore::new("vectors of semantic_dedup", &env, around.spills.clone()),
            squared: vec![],
            bytes: vec![],
            without_vector: 0,
        }
    }
}

impl Matcher for SemanticMatcher {
    fn add(&mut self, sketches: &ArrayRef, ids: &ArrayRef) -> Result<()> {
        let found = Embeddings::try_new(NAME, sketches)?;
        self.reservation.try_grow(found.len() * ENTRY)?;
        for row in 0..found.len() {
            let at = |error| Id { op: NAME, ids, row }.at(error);
            let Some((vector, squared)) = comparable(&found, row, Metric::Cosine).map_err(at)? else {
                self.contents.add_null();
                self.without_vector += 1;
                continue;
            };
            little_endian(vector, &mut self.bytes);
            let vectors = &self.vectors;
            let same = |number: u32| Ok(equal(vectors.get(number as usize, &mut vec![])?, vector));
            if self.contents.add(xxh3_128(&self.bytes), same)? {
                self.vectors.push(vector).map_err(at)?;
                self.squared.push(squared);
            }
        }
        Ok(())
    }

    fn resolve(self: Box<Self>, ranks: &Ranks) -> Result<Resolution> {
        let count = self.contents.count();
        let unordered = self.vectors.finish()?;
        let same = |a: u32, b: u32| {
            let (mut x, mut y) = (vec![], vec![]);
            let (a, b) = (a as usize, b as usize);
            Ok(equal(unordered.block(a, a + 1, &mut x)?, unordered.block(b, b + 1, &mut y)?))
        };
        let of_row = self.contents.finish(same)?;
        let (mut resolution, moved) = Resolution::by_survivor_order(of_row, count, ranks);
        let mut order = vec![0_u32; resolution.contents.len()];
        for (number, &content) in moved.iter().enumerate().filter(|(_, content)| **content != NONE) {
            order[content as usize] = number as u32;
        }
        let env = self.around.context.runtime_env();
        let mut ordered = VectorStore::new("vectors of semantic_dedup", &env, self.around.spills.clone());
        let mut buffer = vec![];
        for &at in &order {
            ordered.push(unordered.block(at as usize, at as usize + 1, &mut buffer)?)?;
        }
        drop(unordered);
        let squared = order.iter().map(|&at| self.squared[at as usize]).collect();
        let vectors = ordered.finish()?;
        if vectors.dimensions() > MOST_DIMENSIONS {
            return exec_err!("{NAME}: vectors have {} dimensions; at most {MOST_DIMENSIONS}", vectors.dimensions());
        }
        let workers = Workers::new(&self.around.context);
        let codes = CodeStore::new("codes of semantic_dedup", &vectors, &env, &workers)?;
        let distinct = Distinct { vectors, squared, codes };
        let cells = cells::assign(&self.rule, &distinct, &self.around, &workers, &self.reservation)?;
        let (mut joined, counts) = pairs::join(&self.rule, &distinct, &cells, &workers)?;
        drop(cells);
        let components = components(&mut joined, distinct.squared.len());
        for decision in decide(&self.rule, &distinct, &components, &workers)? {
            let content = &mut resolution.contents[decision.content as usize];
            content.cluster = decision.cluster;
            if let Some((kept, similarity)) = decision.duplicate_of {
                (content.duplicate_of, content.similarity) = (kept, similarity);
            }
        }
        let counter = |name| MetricBuilder::new(&self.around.metrics).counter(name, 0);
        counter("rows_without_vector").add(self.without_vector);
        counter("distinct_vectors").add(distinct.squared.len());
        counter("candidate_pairs").add(counts.compared);
        counter("verified_pairs").add(counts.verified);
        Ok(resolution)
    }
}

fn equal(a: &[f32], b: &[f32]) -> Same {
    if a == b { Same::Yes } else { Same::No }
}

/// The components of more than one vector, each ascending.
fn components(joined: &mut UnionFind, count: usize) -> Vec<Vec<u32>> {
    let mut rooted: Vec<(u32, u32)> = (0..count as u32).map(|at| (joined.find(at), at)).collect();
    rooted.sort_unstable();
    let components = rooted.chunk_by(|a, b| a.0 == b.0).filter(|members| members.len() > 1);
    components.map(|members| members.iter().map(|(_, at)| *at).collect()).collect()
}
