//! Runs `farthest_first`: reads all rows, then ranks group by group.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array};
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::metrics::MetricBuilder;

use super::NAME;
use super::{FarthestFirst, Init};
use crate::kernels::vector::search::{Best, Rows, Scores, improve};
use crate::operators::frame::Work;
use crate::operators::vectors::table::{Layout, Table};
use crate::operators::workers::Workers;
use crate::storage::vectors::CHUNK;

/// Groups with fewer rows are not divided among threads.
const SMALL: usize = 4096;

/// Adds rank and distance to all rows. O(n k d) time. Memory: O(rows), for a few numbers per row; everything else spills.
pub(super) async fn run(call: FarthestFirst, work: Work) -> Result<SendableRecordBatchStream> {
    let Work { input, columns, order_by, schema, context, .. } = work;
    let columns = columns.concat();
    let seed = (call.init == Init::Random).then_some(call.seed);
    let layout = Layout { vec: columns[0], id: columns[1], partition_by: columns.get(2).copied(), order_by, seed };
    let table = Table::read(NAME, call.metric, &layout, input, &context).await?;
    let workers = Workers::new(&context.task);
    let compared = MetricBuilder::new(&context.metrics).counter("compared_pairs", 0);
    let (table, added) = workers
        .run(NAME, move |workers| {
            let small = table.groups.iter().all(|group| group.len() < SMALL);
            let picks = if small {
                workers.map(table.groups.len(), |group, (): &mut ()| {
                    rank(&call, &table, table.groups[group].clone(), &workers.alone())
                })?
            } else {
                let groups = table.groups.iter();
                groups.map(|group| rank(&call, &table, group.clone(), workers)).collect::<Result<_>>()?
            };
            let (mut ranks, mut distances) = (vec![None; table.count], vec![None; table.count]);
            for (group, picks) in table.groups.iter().zip(&picks) {
                compared.add(picks.len() * group.len());
                for (rank, (at, distance)) in picks.iter().enumerate() {
                    let row = table.row_of[*at] as usize;
                    (ranks[row], distances[row]) = (Some(rank as i64 + 1), *distance);
                }
            }
            let added: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(ranks)), Arc::new(Float64Array::from(distances))];
            Ok((table, added))
        })
        .await?;
    table.stream(added, schema)
}

/// Returns the vectors of a group in the order they are picked, each with its distance from the earlier picks.
fn rank(
    call: &FarthestFirst,
    table: &Table,
    group: Range<usize>,
    workers: &Workers,
) -> Result<Vec<(usize, Option<f64>)>> {
    let first = match call.init {
        Init::First => group.start,
        Init::Random => group.clone().min_by_key(|&at| (table.bits[at], at)).unwrap_or(group.start),
        Init::NeighbourMax => most_isolated(call, table, group.clone(), workers)?,
    };
    let mut picks = vec![(first, None)];
    // Score of the nearest pick; infinity marks rows already picked.
    let mut nearest = vec![f64::NEG_INFINITY; group.len()];
    let blocks = blocks(&group);
    while picks.len() < group.len().min(call.k as usize) {
        let (pick, _) = picks[picks.len() - 1];
        nearest[pick - group.start] = f64::INFINITY;
        let mut buffer = vec![];
        let picked = table.vectors.block(pick, pick + 1, &mut buffer)?;
        let updated = workers.map(blocks.len(), |block, buffer: &mut Vec<f32>| {
            let block = blocks[block].clone();
            let values = table.vectors.block(block.start, block.end, buffer)?;
            let own = nearest[block.start - group.start..block.end - group.start].iter();
            let scores = values.chunks_exact(table.vectors.dimensions()).zip(block.clone()).zip(own);
            let scores = scores.map(|((vector, at), &own)| {
                if own == f64::INFINITY {
                    return own;
                }
                own.max(call.metric.score(vector, picked, table.squared[at], table.squared[pick]))
            });
            Ok(scores.collect::<Vec<f64>>())
        })?;
        nearest = updated.concat();
        let farthest = nearest.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1).then(a.0.cmp(&b.0)));
        let Some((at, &score)) = farthest else { break };
        picks.push((group.start + at, Some(call.metric.distance(score))));
    }
    Ok(picks)
}

/// Returns the vector whose nearest neighbour is farthest (ties: the first). O(n^2 d), computed in blocks of dot products.
fn most_isolated(call: &FarthestFirst, table: &Table, group: Range<usize>, workers: &Workers) -> Result<usize> {
    let blocks = blocks(&group);
    let dimensions = table.vectors.dimensions();
    let found = workers.map(blocks.len(), |block, (left, right, scores): &mut (Vec<f32>, Vec<f32>, Scores)| {
        let block = blocks[block].clone();
        let values = table.vectors.block(block.start, block.end, left)?;
        let own = Rows { values, squared: &table.squared[block.clone()], dimensions };
        let mut best = vec![Best::NONE; block.len()];
        for other in &blocks {
            workers.check()?;
            let values = table.vectors.block(other.start, other.end, right)?;
            let others = Rows { values, squared: &table.squared[other.clone()], dimensions };
            scores.fill(call.metric, own, others);
            if *other == block {
                (0..block.len()).for_each(|at| scores.exclude(at, at));
            }
            for (at, best) in best.iter_mut().enumerate() {
                let number = |there: usize| (other.start + there) as u32;
                improve(call.metric, (own, others), scores, (at, others.len()), number, best);
            }
        }
        Ok(best.into_iter().map(|best| best.score).collect::<Vec<f64>>())
    })?;
    let least = found.iter().flatten().zip(group.clone()).min_by(|a, b| a.0.total_cmp(b.0).then(a.1.cmp(&b.1)));
    Ok(least.map_or(group.start, |(_, at)| at))
}

/// Cuts a group at the chunk boundaries of the vector store.
fn blocks(group: &Range<usize>) -> Vec<Range<usize>> {
    let chunks = group.start / CHUNK..group.end.div_ceil(CHUNK);
    let cut = |chunk: usize| (chunk * CHUNK).clamp(group.start, group.end);
    chunks.map(|chunk| cut(chunk)..cut(chunk + 1)).filter(|block| !block.is_empty()).collect()
}
