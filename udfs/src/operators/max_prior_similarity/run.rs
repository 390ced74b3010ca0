//! Runs `max_prior_similarity`: reads all rows, then compares group by group.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::metrics::MetricBuilder;

use super::NAME;
use super::{MaxPriorSimilarity, Mode};
use crate::kernels::vector::search::{Best, Metric, NOBODY, Rows, Scores, improve};
use crate::operators::dedup::resolution::NONE;
use crate::operators::frame::Work;
use crate::operators::vectors::table::{Layout, Table};
use crate::operators::workers::Workers;

/// Number of rows compared at once with a tile of earlier ones.
const BLOCK: usize = 256;
/// Number of earlier rows in a tile.
const TILE: usize = 1024;

/// Adds the most similar earlier row to all rows. O(sum of squared group sizes * d) time, in blocks of dot products. Memory:
/// O(rows), for a few numbers per row; everything else spills.
pub(super) async fn run(call: MaxPriorSimilarity, work: Work) -> Result<SendableRecordBatchStream> {
    let Work { input, columns, order_by, schema, context, .. } = work;
    let columns = columns.concat();
    let partition_by = columns.get(2).copied();
    let layout = Layout { vec: columns[0], id: columns[1], partition_by, order_by, seed: None };
    let table = Table::read(NAME, Metric::Cosine, &layout, input, &context).await?;
    let workers = Workers::new(&context.task);
    let compared = MetricBuilder::new(&context.metrics).counter("compared_pairs", 0);
    let (table, best) = workers
        .run(NAME, move |workers| {
            let best = match call.mode {
                Mode::Prior => {
                    compared.add(table.groups.iter().map(|group| group.len() * (group.len().max(1) - 1) / 2).sum());
                    prior(&table, workers)?
                }
                Mode::Greedy(threshold) => {
                    let mut best = vec![];
                    for group in &table.groups {
                        let (found, pairs) = greedy(&table, group.clone(), threshold.get(), workers)?;
                        compared.add(pairs);
                        best.extend(found);
                    }
                    best
                }
            };
            Ok((table, best))
        })
        .await?;
    let (mut similarity, mut prior) = (vec![0.0; table.count], vec![NONE; table.count]);
    for (best, &row) in best.iter().zip(&table.row_of).filter(|(best, _)| best.number != NOBODY) {
        similarity[row as usize] = best.score;
        prior[row as usize] = table.row_of[best.number as usize];
    }
    let ids = table.ids(&prior).await?;
    let added: Vec<ArrayRef> = vec![Arc::new(Float64Array::from(similarity)), ids];
    table.stream(added, schema)
}

fn rows<'a>(table: &'a Table, span: &Range<usize>, buffer: &'a mut Vec<f32>) -> Result<Rows<'a>> {
    let values = table.vectors.block(span.start, span.end, buffer)?;
    Ok(Rows { values, squared: &table.squared[span.clone()], dimensions: table.vectors.dimensions() })
}

/// Finds the most similar earlier vector of each vector. Blocks of rows are independent of each other.
fn prior(table: &Table, workers: &Workers) -> Result<Vec<Best>> {
    let cut = |group: &Range<usize>| {
        let group = group.clone();
        group.clone().step_by(BLOCK).map(move |start| (group.start, start..(start + BLOCK).min(group.end)))
    };
    let blocks: Vec<(usize, Range<usize>)> = table.groups.iter().flat_map(cut).collect();
    let found = workers.map(blocks.len(), |block, (left, right, scores): &mut (Vec<f32>, Vec<f32>, Scores)| {
        let (start, block) = blocks[block].clone();
        let own = rows(table, &block, left)?;
        let mut best = vec![Best::NONE; block.len()];
        for tile in (start..block.end).step_by(TILE) {
            workers.check()?;
            let tile = tile..(tile + TILE).min(block.end);
            let earlier = rows(table, &tile, right)?;
            scores.fill(Metric::Cosine, own, earlier);
            for (at, best) in best.iter_mut().enumerate() {
                let limit = (block.start + at).saturating_sub(tile.start);
                let number = |there: usize| (tile.start + there) as u32;
                improve(Metric::Cosine, (own, earlier), scores, (at, limit), number, best);
            }
        }
        Ok(best)
    })?;
    Ok(found.concat())
}

/// Finds the most similar vector among the earlier ones that have none above the threshold. Also returns the number of
/// compared pairs.
fn greedy(table: &Table, group: Range<usize>, threshold: f64, workers: &Workers) -> Result<(Vec<Best>, usize)> {
    let (mut kept, mut found, mut pairs): (Vec<u32>, Vec<Best>, usize) = (vec![], vec![], 0);
    for start in group.clone().step_by(BLOCK) {
        let block = start..(start + BLOCK).min(group.end);
        let mut buffer = vec![];
        let own = rows(table, &block, &mut buffer)?;
        let tiles: Vec<&[u32]> = kept.chunks(TILE).collect();
        let of_tiles = workers.map(tiles.len(), |tile, (values, scores): &mut (Vec<f32>, Scores)| {
            let tile = tiles[tile];
            table.vectors.gather(tile, values)?;
            let squared: Vec<f64> = tile.iter().map(|&at| table.squared[at as usize]).collect();
            let earlier = Rows { values, squared: &squared, dimensions: own.dimensions };
            scores.fill(Metric::Cosine, own, earlier);
            let mut best = vec![Best::NONE; block.len()];
            for (at, best) in best.iter_mut().enumerate() {
                improve(Metric::Cosine, (own, earlier), scores, (at, tile.len()), |there| tile[there], best);
            }
            Ok(best)
        })?;
        pairs += block.len() * (kept.len() + block.len() / 2);
        let mut scores = Scores::default();
        scores.fill(Metric::Cosine, own, own);
        let mut dropped = vec![];
        for at in 0..block.len() {
            let mut best = Best::NONE;
            for tile in &of_tiles {
                best.offer(tile[at].score, tile[at].number);
            }
            dropped.iter().for_each(|&there| scores.exclude(at, there));
            let number = |there: usize| (start + there) as u32;
            improve(Metric::Cosine, (own, own), &scores, (at, at), number, &mut best);
            if best.number != NOBODY && best.score >= threshold {
                dropped.push(at);
            } else {
                kept.push((start + at) as u32);
            }
            found.push(best);
        }
    }
    Ok((found, pairs))
}
