//! IVF lists ("cells"): only pairs of vectors within a list are compared.

use std::ops::Range;

use datafusion::common::Result;
use datafusion::physical_plan::metrics::MetricBuilder;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::distinct::Distinct;
use super::parameters::NAME;
use super::parameters::SemanticDedup;
use crate::kernels::random::mix;
use crate::kernels::vector::arithmetic::{dot, squared_norm};
use crate::kernels::vector::bytes::little_endian;
use crate::kernels::vector::code_scores::CodeScores;
use crate::kernels::vector::codes::Codes;
use crate::kernels::vector::search::{Metric, at_least, largest};
use crate::operators::frame::OperatorContext;
use crate::operators::kmeans::fit::fit;
use crate::operators::kmeans::problem::{Model, Problem};
use crate::operators::kmeans::sample::Sample;
use crate::operators::workers::Workers;
use crate::storage::numbers::Numbers;
use crate::storage::records::RecordSorter;
use crate::storage::vectors::CHUNK;

/// Up to this many vectors, all pairs are compared, which is faster than building lists.
const FEW: usize = 32_768;
/// Number of lists, as a factor of the square root of the number of vectors. With m lists, fitting them costs O(m^2), and
/// comparing the vectors within them O(1 / m).
const SHARE: f64 = 3.0;
/// Number of sampled vectors per list to which the centroids are fitted.
const SAMPLE: u64 = 32;
/// Number of k-means rounds. Few suffice, as lists need not be good clusters.
const ROUNDS: usize = 8;
/// Approximate number of dot products that a thread holds at once.
const PRODUCTS: usize = 1 << 18;
/// Number of synthetic pairs on which the margin is measured.
const TRIALS: usize = 4096;

/// The vectors of each list: first its own, which are nearest to its centroid, then visitors from other lists.
pub(super) struct Cells {
    rows: Numbers<u32>,
    starts: Vec<usize>,
    own: Vec<usize>,
}

impl Cells {
    /// Number of lists.
    pub(super) fn len(&self) -> usize {
        self.own.len()
    }

    /// Number of vectors in a list, including visitors.
    pub(super) fn size(&self, cell: usize) -> usize {
        self.starts[cell + 1] - self.starts[cell]
    }

    /// Writes a range of a list's vectors to `out`. Both parts of a list, own vectors and visitors, are ascending.
    pub(super) fn read(&self, cell: usize, some: Range<usize>, out: &mut Vec<u32>) -> Result<()> {
        let start = self.starts[cell];
        self.rows.read(start + some.start..start + some.end, out)
    }

    /// Number of a list's own vectors, which are nearest to its centroid.
    pub(super) fn own(&self, cell: usize) -> usize {
        self.own[cell]
    }
}

/// Assigns every vector to its lists.
pub(super) fn assign(
    rule: &SemanticDedup,
    distinct: &Distinct,
    context: &OperatorContext,
    workers: &Workers,
) -> Result<Cells> {
    let count = distinct.squared.len();
    let wanted = match rule.cells {
        0 if count <= FEW => 1,
        0 => (SHARE * (count as f64).sqrt()) as usize,
        given => usize::try_from(given).unwrap_or(count).min(count),
    };
    if wanted <= 1 || rule.recall.get() >= 1.0 {
        let mut rows = context.numbers("vectors of cells");
        (0..count as u32).try_for_each(|vector| rows.push(vector))?;
        return Ok(Cells { rows, starts: vec![0, count], own: vec![count] });
    }
    let model = centroids(rule, distinct, wanted, context, workers)?;
    let centroids = Codes::of(&model.centroids, model.dimensions);
    let margin = margin(rule, distinct, &model, &centroids, workers)?;
    MetricBuilder::new(&context.metrics).gauge("cells", 0).set(wanted);
    MetricBuilder::new(&context.metrics).gauge("cell_margin_millionths", 0).set((f64::from(margin) * 1e6) as usize);

    let step = (PRODUCTS / wanted).clamp(24, CHUNK);
    let visits_of = |block: usize, scratch: &mut Scratch| {
        let Scratch { codes, bytes, scores, .. } = scratch;
        let mut found: Vec<[u64; 1]> = vec![];
        for first in (block * CHUNK..((block + 1) * CHUNK).min(count)).step_by(step) {
            let end = (first + step).min((block + 1) * CHUNK).min(count);
            distinct.codes.range(first..end, codes, bytes)?;
            scores.fill(codes, &centroids);
            for at in 0..end - first {
                let row = scores.row(at);
                let (nearest, best) = best(row);
                at_least(row, best - margin, |cell| found.push(visit(cell, cell != nearest, first + at)));
            }
        }
        Ok(found)
    };
    let env = context.task.runtime_env();
    let mut visits = RecordSorter::new("vectors of cells", &env, context.spills.clone());
    in_steps(count.div_ceil(CHUNK), workers, visits_of, |visit| visits.push(visit))?;

    let (mut starts, mut own) = (vec![0; wanted + 1], vec![0; wanted]);
    let mut rows = context.numbers("vectors of cells");
    for record in visits.finish()? {
        let [visit] = record?;
        let cell = (visit >> 33) as usize;
        starts[cell + 1] += 1;
        own[cell] += usize::from(visit >> 32 & 1 == 0);
        rows.push(visit as u32)?;
    }
    for cell in 0..wanted {
        starts[cell + 1] += starts[cell];
    }
    MetricBuilder::new(&context.metrics).counter("cell_memberships", 0).add(rows.len());
    Ok(Cells { rows, starts, own })
}

/// The sort key of a vector in a list. Own vectors sort before visitors.
fn visit(cell: usize, is_visitor: bool, vector: usize) -> [u64; 1] {
    [(cell as u64) << 33 | u64::from(is_visitor) << 32 | vector as u64]
}

/// Runs tasks and passes their results to `take` in the order of the tasks. Only a few run at a time, since all results
/// together might not fit in memory.
fn in_steps<S: Default, T: Send>(
    tasks: usize,
    workers: &Workers,
    work: impl Fn(usize, &mut S) -> Result<Vec<T>> + Sync,
    mut take: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let step = workers.threads() * 16;
    for first in (0..tasks).step_by(step) {
        let done = workers.map(step.min(tasks - first), |task, scratch: &mut S| work(first + task, scratch))?;
        done.into_iter().flatten().try_for_each(&mut take)?;
    }
    Ok(())
}

/// Buffers that one thread reuses.
#[derive(Default)]
struct Scratch {
    codes: Codes,
    buffer: Vec<f32>,
    bytes: Vec<u8>,
    scores: CodeScores,
}

/// Returns the position of the largest cosine (ties: the first) and its value.
fn best(row: &[f32]) -> (usize, f32) {
    let best = largest(row);
    (row.iter().position(|cosine| *cosine == best).unwrap_or_default(), best)
}

/// Fits centroids to a sample that depends on the values alone.
fn centroids(
    rule: &SemanticDedup,
    distinct: &Distinct,
    cells: usize,
    context: &OperatorContext,
    workers: &Workers,
) -> Result<Model> {
    let count = distinct.squared.len();
    let bits_of = |block: usize, (buffer, bytes): &mut (Vec<f32>, Vec<u8>)| {
        let (first, end) = (block * CHUNK, ((block + 1) * CHUNK).min(count));
        let values = distinct.vectors.block(first, end, buffer)?;
        let hash = |vector: &[f32]| {
            little_endian(vector, bytes);
            xxh3_64_with_seed(bytes, mix(rule.seed))
        };
        Ok(values.chunks_exact(distinct.vectors.dimensions()).map(hash).collect::<Vec<u64>>())
    };
    let mut bits = context.numbers("bits of vectors");
    in_steps(count.div_ceil(CHUNK), workers, bits_of, |of_vector| bits.push(of_vector))?;
    let squared = |at: u32| distinct.squared.get(at as usize);
    let most = SAMPLE * cells as u64;
    let sample = Sample::of("sample of semantic_dedup", &distinct.vectors, squared, bits.iter(), most, context)?;
    let env = context.task.runtime_env();
    let problem = Problem {
        env: &env,
        op: NAME,
        balanced: false,
        rough: true,
        vectors: &sample.vectors,
        squared: &sample.squared,
        metric: Metric::Cosine,
        k: cells,
        iterations: ROUNDS,
        seed: rule.seed,
    };
    fit(&problem, workers)
}

/// Measures the margin within which a vector visits further lists, so that the wanted share of pairs at the threshold meet in
/// a list.
///
/// The measurement uses synthetic pairs: a vector of the data, and one at exactly the threshold from it, moved in the
/// direction in which another vector differs from its centroid. The assumption is that similar vectors differ in the way
/// vectors of one list do.
fn margin(
    rule: &SemanticDedup,
    distinct: &Distinct,
    model: &Model,
    centroids: &Codes,
    workers: &Workers,
) -> Result<f32> {
    let count = distinct.squared.len();
    let trials = count.min(TRIALS);
    // Spread the trials evenly over the vectors: survivor order is unrelated to the lists.
    let place = |trial: usize| trial * count / trials;
    let found = workers.map(trials.div_ceil(64), |block, scratch: &mut Scratch| {
        let Scratch { codes, buffer, bytes, scores } = scratch;
        let trials_here = block * 64..((block + 1) * 64).min(trials);
        let others: Vec<u32> =
            trials_here.clone().map(|trial| place((trial + trials / 2 + 1) % trials) as u32).collect();
        distinct.codes.gather(&others, codes, bytes)?;
        scores.fill(codes, centroids);
        let near: Vec<usize> = (0..others.len()).map(|at| best(scores.row(at)).0).collect();
        codes.clear(model.dimensions);
        for ((trial, other), near) in trials_here.zip(others).zip(near) {
            let z = unit(distinct.vectors.block(other as usize, other as usize + 1, buffer)?);
            let x = unit(distinct.vectors.block(place(trial), place(trial) + 1, buffer)?);
            let residual: Vec<f32> = z.iter().zip(model.rows().row(near)).map(|(z, c)| z - c).collect();
            if let Some(y) = at_cosine(&x, &residual, rule.threshold.get()) {
                codes.push(&x);
                codes.push(&y);
            }
        }
        scores.fill(codes, centroids);
        let needed = (0..codes.len()).step_by(2).map(|at| {
            let rows = [scores.row(at), scores.row(at + 1)];
            let [(x, x_best), (y, y_best)] = rows.map(best);
            (x_best - rows[0][y]).min(y_best - rows[1][x])
        });
        Ok(needed.collect::<Vec<f32>>())
    })?;
    let mut needed = found.concat();
    if needed.is_empty() {
        return Ok(2.0);
    }
    needed.sort_unstable_by(f32::total_cmp);
    // Half of the allowed misses is reserved for the difference between synthetic and real pairs.
    let share = 1.0 - (1.0 - rule.recall.get()) / 2.0;
    let at = ((needed.len() as f64 * share).ceil() as usize).clamp(1, needed.len());
    Ok(needed[at - 1])
}

fn unit(vector: &[f32]) -> Vec<f32> {
    let norm = squared_norm(vector).sqrt();
    vector.iter().map(|&value| (f64::from(value) / norm) as f32).collect()
}

/// Returns the unit vector at the given cosine from the unit vector `x`, on the side of `direction`; `None` if `direction` is
/// parallel to `x`.
fn at_cosine(x: &[f32], direction: &[f32], cosine: f64) -> Option<Vec<f32>> {
    let along = dot(x, direction);
    let across: Vec<f32> =
        direction.iter().zip(x).map(|(&d, &x)| (f64::from(d) - along * f64::from(x)) as f32).collect();
    let norm = squared_norm(&across).sqrt();
    let sine = (1.0 - cosine * cosine).max(0.0).sqrt();
    (norm > 1e-6).then(|| {
        let mixed = x.iter().zip(&across).map(|(&x, &a)| (cosine * f64::from(x) + sine * f64::from(a) / norm) as f32);
        mixed.collect()
    })
}
