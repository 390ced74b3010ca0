//! `MinhashDedup` on texts: LSH bands of the sketches propose pairs, shingle sets decide.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::UInt64Type;
use datafusion::common::{Result, exec_err, internal_datafusion_err, internal_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::metrics::MetricBuilder;

use super::MinhashDedup;
use super::buckets::{Buckets, Components};
use super::component::{Counts, Decider, ENTRY};
use super::sets::{Comparer, Sets, to_bytes};
use crate::operators::dedup::contents::{Contents, Same};
use crate::operators::dedup::decisions::Decisions;
use crate::operators::dedup::matcher::Matcher;
use crate::operators::dedup::ranks::Ranks;
use crate::operators::dedup::resolution::{Content, NONE, Resolution};
use crate::operators::frame::OperatorContext;
use crate::operators::workers::Workers;
use crate::storage::blobs::BlobWriter;
use crate::storage::numbers::Numbers;

/// Marks a content of which only the hash is known so far, not the size of its shingle set.
const UNKNOWN: u32 = u32::MAX;

/// Number of components that a thread decides before it fetches more.
const TASK: usize = 64;

/// Finds rows of similar text. Memory: 4 bytes per distinct text, plus 13 bytes per text of the component being decided;
/// everything else spills.
pub struct SimilarMatcher {
    rule: MinhashDedup,
    context: OperatorContext,
    contents: Contents,
    sets: BlobWriter,
    spans: Numbers<(u64, u32)>,
    cells: BlobWriter,
    bands: usize,
    bytes: Vec<u8>,
}

impl SimilarMatcher {
    /// Creates a matcher without rows.
    pub fn new(rule: MinhashDedup, context: &OperatorContext) -> Self {
        let env = context.task.runtime_env();
        Self {
            rule,
            context: context.clone(),
            contents: Contents::new(context),
            sets: BlobWriter::new("shingle sets of minhash_dedup", &env),
            spans: context.numbers("places of shingle sets"),
            cells: BlobWriter::new("sketches of minhash_dedup", &env),
            bands: 0,
            bytes: vec![],
        }
    }

    fn keep(&mut self, set: Option<&[u64]>, cells: &[u64]) -> Result<()> {
        let mut span = (0, UNKNOWN);
        if let Some(set) = set {
            let Some(size) = u32::try_from(set.len()).ok().filter(|size| *size != UNKNOWN) else {
                return exec_err!(
                    "minhash_dedup: a text has {} distinct shingles, more than a text may have",
                    set.len()
                );
            };
            to_bytes(set, &mut self.bytes);
            span = (self.sets.append(&self.bytes)?, size);
        }
        self.spans.push(span)?;
        to_bytes(cells, &mut self.bytes);
        self.cells.append(&self.bytes)?;
        Ok(())
    }
}

/// Whether two contents with equal hashes are the same. The hashes have 128 bits and cover all words; the set sizes must
/// agree too.
fn same(earlier: u32, size: u32) -> Same {
    match (earlier, size) {
        (UNKNOWN, UNKNOWN) => Same::Yes,
        (UNKNOWN, _) => Same::Replaces,
        (_, UNKNOWN) => Same::Yes,
        (a, b) if a == b => Same::Yes,
        _ => Same::No,
    }
}

impl Matcher for SimilarMatcher {
    fn add(&mut self, sketches: &ArrayRef, _: &ArrayRef) -> Result<()> {
        let sketches = sketches.as_struct();
        let [content, cells, sets] = sketches.columns() else {
            return Err(internal_datafusion_err!("a sketch has three fields, not {}", sketches.num_columns()));
        };
        let (content, cells, sets) =
            (content.as_fixed_size_binary(), cells.as_fixed_size_list(), sets.as_list::<i64>());
        self.bands = cells.value_length() as usize;
        let all_cells = cells.values().as_primitive::<UInt64Type>().values();
        let all_sets = sets.values().as_primitive::<UInt64Type>().values();
        for row in 0..sketches.len() {
            if sketches.is_null(row) {
                self.contents.add_null()?;
                continue;
            }
            let key = content.value(row).first_chunk::<16>().copied().map(u128::from_le_bytes);
            let key = key.ok_or_else(|| internal_datafusion_err!("a content hash has 16 bytes"))?;
            let offsets = sets.value_offsets();
            let set = sets.is_valid(row).then(|| &all_sets[offsets[row] as usize..offsets[row + 1] as usize]);
            let size = set.map_or(UNKNOWN, |set| set.len() as u32);
            let spans = &self.spans;
            if self.contents.add(key, |number| Ok(same(spans.get(number as usize)?.1, size)))? {
                let first = cells.value_offset(row) as usize;
                self.keep(set, &all_cells[first..first + self.bands])?;
            }
        }
        Ok(())
    }

    fn resolve(self: Box<Self>, ranks: &Ranks, workers: &Workers) -> Result<Resolution> {
        let count = self.contents.count();
        let spans = self.spans;
        let of_row = self.contents.finish(|a, b| Ok(same(spans.get(a as usize)?.1, spans.get(b as usize)?.1)))?;
        let (mut resolution, moved) = Resolution::by_survivor_order(of_row, count, ranks, &self.context)?;

        let cells = self.cells.finish()?;
        let mut buckets = Buckets::new(&self.context);
        let mut row = vec![0; self.bands * 8];
        let mut survivors = self.context.filled("places of shingle sets", resolution.contents.len(), (0, 0))?;
        for (number, (content, span)) in moved.iter().zip(spans.iter()).enumerate() {
            let (content, span) = (content?, span?);
            if content == NONE {
                continue;
            }
            survivors.set(content as usize, span)?;
            match span.1 {
                0 => continue,
                UNKNOWN => return internal_err!("a copy came without the text it is a copy of"),
                _ => {}
            }
            cells.read((number * row.len()) as u64, &mut row)?;
            for cell in row.as_chunks::<8>().0 {
                buckets.add(u64::from_le_bytes(*cell), content)?;
            }
        }
        drop((cells, moved, spans));
        let components = buckets.components(resolution.contents.len())?;
        let sets = Sets { blobs: self.sets.finish()?, spans: survivors };

        let counts = decide(&components, &self.rule, &sets, &mut resolution.contents, &self.context, workers)?;
        report(&self.context, &self.rule, resolution.contents.len(), components.largest_bucket, counts);
        Ok(resolution)
    }
}

/// Decides the components on all threads. Components are independent, so the result does not depend on the number of threads.
fn decide(
    components: &Components,
    rule: &MinhashDedup,
    sets: &Sets,
    contents: &mut Numbers<Content>,
    context: &OperatorContext,
    workers: &Workers,
) -> Result<Counts> {
    let reservation =
        MemoryConsumer::new("components of minhash_dedup").register(&context.task.runtime_env().memory_pool);
    let decisions = Decisions::new(contents);
    let count = components.ends.len();
    let counts = workers.map(count.div_ceil(TASK), |task, (): &mut ()| {
        let mut decider = Decider::new(rule, components, Comparer::new(sets), &decisions);
        for component in task * TASK..count.min((task + 1) * TASK) {
            let places = components.ends.piece(component)?;
            let bytes = places.len() * ENTRY;
            reservation.grow(bytes);
            decider.decide(places, || workers.check())?;
            reservation.shrink(bytes);
        }
        Ok(decider.counts)
    })?;
    Ok(counts.into_iter().fold(Counts::default(), Counts::plus))
}

fn report(context: &OperatorContext, rule: &MinhashDedup, contents: usize, largest_bucket: usize, counts: Counts) {
    let counter = |name| MetricBuilder::new(&context.metrics).counter(name, 0);
    counter("distinct_texts").add(contents);
    counter("candidate_pairs").add(counts.candidate_pairs);
    counter("verified_pairs").add(counts.verified_pairs);
    counter("skipped_pairs").add(counts.skipped_pairs);
    MetricBuilder::new(&context.metrics).gauge("largest_bucket", 0).set(largest_bucket);
    if counts.skipped_pairs > 0 {
        log::warn!(
            "minhash_dedup: {} pairs were not compared because a bucket had up to {} texts and bucket_limit is {}; \
             similar texts among them may both be kept. Raise bucket_limit to compare more.",
            counts.skipped_pairs,
            largest_bucket,
            rule.bucket_limit
        );
    }
}
