//! Vectors sorted into cells.

use std::ops::Range;

use datafusion::common::Result;

use super::parameters::NAME;
use super::parameters::NearestNeighbors;
use crate::kernels::random::mix;
use crate::kernels::vector::arithmetic::squared_norm;
use crate::kernels::vector::search::Rows;
use crate::operators::frame::OperatorContext;
use crate::operators::kmeans::fit::{assign, fit, members};
use crate::operators::kmeans::problem::Problem;
use crate::operators::kmeans::sample::Sample;
use crate::operators::vectors::table::Table;
use crate::operators::workers::Workers;

/// Vectors up to which every row is compared with all: that is quicker than to find cells.
const FEW: usize = 4096;
/// Cells for the power 3/4 of the vectors: 280 for 20,000 and 5,270 for a million. Neighbours of a row at the edge of a group lie
/// in many cells, and in small ones they are found sooner; for few vectors most of the time would go to the centroids.
const SHARE: f64 = 1.0 / 6.0;
/// Vectors for each cell that the centroids are fitted to.
const SAMPLE: u64 = 32;
/// Rounds of the fit: cells need not be good clusters.
const ROUNDS: usize = 8;

/// Centroids and the vectors nearest to each. The vectors are numbered by id.
#[derive(Debug, Clone, PartialEq)]
pub struct Cells {
    /// Values of a vector.
    pub dimensions: usize,
    /// The centroids one after the other; none where all vectors are one cell.
    pub centroids: Vec<f32>,
    /// The squares of their lengths.
    pub squared: Vec<f64>,
    /// The vectors, cell by cell, ascending in each.
    pub members: Vec<u32>,
    /// Where each cell starts among the members, and the end of the last.
    pub starts: Vec<usize>,
}

impl Cells {
    /// Number of cells.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The centroids as rows.
    pub fn centroids(&self) -> Rows<'_> {
        Rows { values: &self.centroids, squared: &self.squared, dimensions: self.dimensions }
    }

    /// The places of a cell among the members.
    pub fn span(&self, cell: usize) -> Range<usize> {
        self.starts[cell]..self.starts[cell + 1]
    }

    /// The cell of a place among the members.
    pub fn of(&self, place: usize) -> usize {
        self.starts.partition_point(|start| *start <= place) - 1
    }

    /// All vectors in one cell.
    pub fn one(count: usize, dimensions: usize) -> Self {
        let members = (0..count as u32).collect();
        Self { dimensions, centroids: vec![], squared: vec![], members, starts: vec![0, count] }
    }

    /// From centroids and the vectors of each cell.
    pub fn new(dimensions: usize, centroids: Vec<f32>, members: Vec<u32>, starts: Vec<usize>) -> Self {
        let squared = centroids.chunks_exact(dimensions.max(1)).map(squared_norm).collect();
        Self { dimensions, centroids, squared, members, starts }
    }

    /// The cells of the vectors of a table. They depend on the vectors in the order of their ids, on the metric, on the seed
    /// and on the number of cells.
    pub fn find(call: &NearestNeighbors, table: &Table, context: &OperatorContext, workers: &Workers) -> Result<Self> {
        let count = table.vectors.len();
        let root = (count as f64).sqrt();
        let wanted = match call.cells {
            0 if count <= FEW => 1,
            0 => (SHARE * root * root.sqrt()) as usize,
            given => usize::try_from(given).unwrap_or(count).min(count),
        };
        if wanted <= 1 {
            return Ok(Self::one(count, table.vectors.dimensions()));
        }
        let bits = (1..=count as u64).map(|number| Ok(mix(call.seed ^ mix(number))));
        let (label, most) = ("sample of nearest_neighbors", SAMPLE * wanted as u64);
        let squared = |at: u32| Ok(table.squared[at as usize]);
        let sample = Sample::of(label, &table.vectors, squared, bits, most, context)?;
        let env = context.task.runtime_env();
        let mut problem = Problem {
            env: &env,
            op: NAME,
            vectors: &sample.vectors,
            squared: &sample.squared,
            metric: call.metric,
            k: wanted,
            iterations: ROUNDS,
            seed: call.seed,
            balanced: false,
            rough: true,
        };
        let model = fit(&problem, workers)?;
        (problem.vectors, problem.squared) = (&table.vectors, &table.squared);
        let best = assign(&problem, &model, workers)?;
        let (members, starts) = members(best.iter().map(|best| best.number), wanted);
        Ok(Self::new(model.dimensions, model.centroids, members, starts))
    }

    /// Bytes in memory.
    pub fn size(&self) -> usize {
        self.centroids.len() * 4 + (self.squared.len() + self.starts.len()) * 8 + self.members.len() * 4
    }
}
