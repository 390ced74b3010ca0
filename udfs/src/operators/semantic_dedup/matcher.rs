//! Collects all vectors, then decides which are duplicates.

use arrow::array::ArrayRef;
use datafusion::common::{Result, exec_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::metrics::MetricBuilder;
use xxhash_rust::xxh3::xxh3_128;

use super::components::Components;
use super::decide::decide;
use super::distinct::Distinct;
use super::parameters::NAME;
use super::parameters::SemanticDedup;
use super::{cells, pairs};
use crate::functions::vector::embeddings::Embeddings;
use crate::kernels::vector::bytes::little_endian;
use crate::kernels::vector::codes::MOST_DIMENSIONS;
use crate::kernels::vector::search::Metric;
use crate::operators::dedup::contents::{Contents, Same};
use crate::operators::dedup::decisions::Decisions;
use crate::operators::dedup::matcher::Matcher;
use crate::operators::dedup::ranks::Ranks;
use crate::operators::dedup::resolution::{NONE, Resolution};
use crate::operators::frame::OperatorContext;
use crate::operators::vectors::codes::CodeStore;
use crate::operators::vectors::table::{Id, comparable};
use crate::operators::workers::Workers;
use crate::storage::numbers::Numbers;
use crate::storage::vectors::VectorStore;

/// Finds rows with similar vectors.
pub struct SemanticMatcher {
    rule: SemanticDedup,
    context: OperatorContext,
    contents: Contents,
    vectors: VectorStore,
    squared: Numbers<f64>,
    bytes: Vec<u8>,
    without_vector: usize,
}

impl SemanticMatcher {
    /// Creates a matcher without rows.
    pub fn new(rule: SemanticDedup, context: &OperatorContext) -> Self {
        let env = context.task.runtime_env();
        Self {
            rule,
            context: context.clone(),
            contents: Contents::new(context),
            vectors: VectorStore::new("vectors of semantic_dedup", &env, context.spills.clone()),
            squared: context.numbers("lengths of vectors"),
            bytes: vec![],
            without_vector: 0,
        }
    }
}

impl Matcher for SemanticMatcher {
    fn add(&mut self, sketches: &ArrayRef, ids: &ArrayRef) -> Result<()> {
        let found = Embeddings::try_new(NAME, sketches)?;
        for row in 0..found.len() {
            let at = |error| Id { op: NAME, ids, row }.at(error);
            let Some((vector, squared)) = comparable(&found, row, Metric::Cosine).map_err(at)? else {
                self.contents.add_null()?;
                self.without_vector += 1;
                continue;
            };
            little_endian(vector, &mut self.bytes);
            let vectors = &self.vectors;
            let same = |number: u32| Ok(equal(vectors.get(number as usize, &mut vec![])?, vector));
            if self.contents.add(xxh3_128(&self.bytes), same)? {
                self.vectors.push(vector).map_err(at)?;
                self.squared.push(squared)?;
            }
        }
        Ok(())
    }

    fn resolve(self: Box<Self>, ranks: &Ranks, workers: &Workers) -> Result<Resolution> {
        let count = self.contents.count();
        let unordered = self.vectors.finish()?;
        let same = |a: u32, b: u32| {
            let (mut x, mut y) = (vec![], vec![]);
            let (a, b) = (a as usize, b as usize);
            Ok(equal(unordered.block(a, a + 1, &mut x)?, unordered.block(b, b + 1, &mut y)?))
        };
        let of_row = self.contents.finish(same)?;
        let (mut resolution, moved) = Resolution::by_survivor_order(of_row, count, ranks, &self.context)?;
        let mut order = self.context.filled("order of vectors", resolution.contents.len(), 0_u32)?;
        for (number, content) in (0_u32..).zip(moved.iter()) {
            let content = content?;
            if content != NONE {
                order.set(content as usize, number)?;
            }
        }
        drop(moved);
        let env = self.context.task.runtime_env();
        let mut ordered = VectorStore::new("vectors of semantic_dedup", &env, self.context.spills.clone());
        let mut buffer = vec![];
        let mut squared = self.context.numbers("lengths of vectors");
        for at in order.iter() {
            let at = at? as usize;
            ordered.push(unordered.block(at, at + 1, &mut buffer)?)?;
            squared.push(self.squared.get(at)?)?;
        }
        drop((unordered, order, self.squared));
        let vectors = ordered.finish()?;
        if vectors.dimensions() > MOST_DIMENSIONS {
            return exec_err!("{NAME}: vectors have {} dimensions; at most {MOST_DIMENSIONS}", vectors.dimensions());
        }
        let codes = CodeStore::new("codes of semantic_dedup", &vectors, &env, workers)?;
        let distinct = Distinct { vectors, squared, codes };
        let cells = cells::assign(&self.rule, &distinct, &self.context, workers)?;
        let reservation = MemoryConsumer::new("components of semantic_dedup").register(&env.memory_pool);
        reservation.grow(distinct.squared.len() * size_of::<u32>());
        let (joined, counts) = pairs::join(&self.rule, &distinct, &cells, workers)?;
        drop(cells);
        let components = Components::of(joined, distinct.squared.len(), &self.context)?;
        drop(reservation);
        let decisions = Decisions::new(&mut resolution.contents);
        decide(&self.rule, &distinct, &components, &decisions, workers)?;
        let counter = |name| MetricBuilder::new(&self.context.metrics).counter(name, 0);
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
