//! Decides the components of similar vectors. Components are independent of each other.

use datafusion::common::Result;

use super::components::Components;
use super::distinct::Distinct;
use super::parameters::{Mode, SemanticDedup};
use crate::kernels::vector::search::{Metric, Rows, Scores, first_similar};
use crate::operators::dedup::decisions::Decisions;
use crate::operators::workers::Workers;

/// Number of members compared at once with a tile of earlier ones.
const BLOCK: usize = 256;
/// Number of earlier members in a tile.
const TILE: usize = 1024;
/// A component with at least this many members is divided among threads.
const LARGE: usize = 8192;

/// Number of components that a thread decides before it fetches more.
const TASK: usize = 64;

/// The cluster of a vector and, if the vector is removed, the vector it duplicates with their cosine.
type Decision = (u32, Option<(u32, f64)>);

/// Decides all components. A vector is compared with every earlier vector of its component for which it may be removed,
/// whether or not they share a list.
pub(super) fn decide(
    rule: &SemanticDedup,
    distinct: &Distinct,
    components: &Components,
    decisions: &Decisions<'_>,
    workers: &Workers,
) -> Result<()> {
    let mut members = vec![];
    for component in 0..components.len() {
        let range = components.range(component)?;
        if range.len() > LARGE {
            components.read(range, &mut members)?;
            decide_one(rule, distinct, &members, decisions, workers)?;
        }
    }
    let alone = workers.alone();
    workers.map(components.len().div_ceil(TASK), |task, members: &mut Vec<u32>| {
        for component in task * TASK..components.len().min((task + 1) * TASK) {
            let range = components.range(component)?;
            if range.len() <= LARGE {
                components.read(range, members)?;
                decide_one(rule, distinct, members, decisions, &alone)?;
            }
        }
        Ok(())
    })?;
    Ok(())
}

fn decide_one(
    rule: &SemanticDedup,
    distinct: &Distinct,
    members: &[u32],
    decisions: &Decisions<'_>,
    workers: &Workers,
) -> Result<()> {
    let dimensions = distinct.vectors.dimensions();
    let cluster = members[0];
    let mut targets: Vec<u32> = vec![];
    let mut decided: Vec<(u32, Decision)> = vec![];
    for block in members.chunks(BLOCK) {
        let tiles: Vec<&[u32]> = targets.chunks(TILE).collect();
        let earlier = workers.map(tiles.len(), |tile, scratch: &mut Scratch| {
            let tile = tiles[tile];
            scratch.load_block(distinct, block)?;
            scratch.load_tile(distinct, tile)?;
            let (own, others, scores) = scratch.scored(dimensions);
            let first = |at: usize| {
                let found = first_similar((own, others), scores, (at, tile.len()), rule.threshold.get(), |_| true);
                found.map(|(there, similarity)| (tile[there], similarity))
            };
            Ok((0..block.len()).map(first).collect::<Vec<_>>())
        })?;
        let mut scratch = Scratch::default();
        scratch.load_block(distinct, block)?;
        scratch.load_tile(distinct, block)?;
        let (own, _, scores) = scratch.scored(dimensions);
        let mut is_target = vec![false; block.len()];
        for (at, &content) in block.iter().enumerate() {
            let found = earlier.iter().find_map(|tile| tile[at]).or_else(|| {
                let found = first_similar((own, own), scores, (at, at), rule.threshold.get(), |there| is_target[there]);
                found.map(|(there, similarity)| (block[there], similarity))
            });
            is_target[at] = found.is_none() || rule.mode == Mode::Prior;
            if is_target[at] {
                targets.push(content);
            }
            decided.push((content, (cluster, found)));
        }
        decisions.change(&mut decided, |content, (cluster, found)| {
            content.cluster = cluster;
            if let Some((kept, similarity)) = found {
                (content.duplicate_of, content.similarity) = (kept, similarity);
            }
        })?;
    }
    Ok(())
}

/// Gathered vectors of a block and of a tile.
#[derive(Default)]
struct Scratch {
    block: (Vec<f32>, Vec<f64>),
    tile: (Vec<f32>, Vec<f64>),
    scores: Scores,
}

impl Scratch {
    fn load_block(&mut self, distinct: &Distinct, members: &[u32]) -> Result<()> {
        load(distinct, members, &mut self.block)
    }

    fn load_tile(&mut self, distinct: &Distinct, members: &[u32]) -> Result<()> {
        load(distinct, members, &mut self.tile)
    }

    /// The block, the tile and the scores between them.
    fn scored(&mut self, dimensions: usize) -> (Rows<'_>, Rows<'_>, &Scores) {
        let block = Rows { values: &self.block.0, squared: &self.block.1, dimensions };
        let tile = Rows { values: &self.tile.0, squared: &self.tile.1, dimensions };
        self.scores.fill(Metric::Cosine, block, tile);
        (block, tile, &self.scores)
    }
}

fn load(distinct: &Distinct, members: &[u32], into: &mut (Vec<f32>, Vec<f64>)) -> Result<()> {
    distinct.vectors.gather(members, &mut into.0)?;
    into.1.clear();
    members.iter().try_for_each(|&at| {
        into.1.push(distinct.squared.get(at as usize)?);
        Ok(())
    })
}
