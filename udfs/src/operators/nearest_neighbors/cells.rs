//! IVF lists ("cells"): vectors grouped by their nearest centroid.

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

/// Up to this many vectors, each row is compared with all of them, which is faster than building lists.
const FEW: usize = 4096;
/// Number of lists, as a factor of n^(3/4): 280 lists for 20,000 vectors and 5,270 for a million. Neighbours of a row at the
/// edge of a group are spread over many lists, and small lists find them sooner. With few vectors, too many lists would spend
/// most of the time on centroids.
const SHARE: f64 = 1.0 / 6.0;
/// Number of sampled vectors per list to which the centroids are fitted.
const SAMPLE: u64 = 32;
/// Number of k-means rounds. Few suffice, as lists need not be good clusters.
const ROUNDS: usize = 8;

/// The IVF lists: centroids and the vectors nearest to each. Vectors are numbered by id.
#[derive(Debug, Clone, PartialEq)]
pub struct Cells {
    /// Values per vector.
    pub dimensions: usize,
    /// The centroids, concatenated; empty if all vectors form one list.
    pub centroids: Vec<f32>,
    /// The squared lengths of the centroids.
    pub squared: Vec<f64>,
    /// The vectors, list by list, ascending within each.
    pub members: Vec<u32>,
    /// Where each list starts in `members`, and where the last one ends.
    pub starts: Vec<usize>,
}

impl Cells {
    /// Number of lists.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// A view of the centroids as rows.
    pub fn centroids(&self) -> Rows<'_> {
        Rows { values: &self.centroids, squared: &self.squared, dimensions: self.dimensions }
    }

    /// The range of a list in `members`.
    pub fn span(&self, cell: usize) -> Range<usize> {
        self.starts[cell]..self.starts[cell + 1]
    }

    /// The list to which a position in `members` belongs.
    pub fn of(&self, place: usize) -> usize {
        self.starts.partition_point(|start| *start <= place) - 1
    }

    /// Puts all vectors into one list.
    pub fn one(count: usize, dimensions: usize) -> Self {
        let members = (0..count as u32).collect();
        Self { dimensions, centroids: vec![], squared: vec![], members, starts: vec![0, count] }
    }

    /// Builds lists from centroids and the members of each.
    pub fn new(dimensions: usize, centroids: Vec<f32>, members: Vec<u32>, starts: Vec<usize>) -> Self {
        let squared = centroids.chunks_exact(dimensions.max(1)).map(squared_norm).collect();
        Self { dimensions, centroids, squared, members, starts }
    }

    /// Fits the lists for the vectors of a table. They depend on the vectors in order of their ids, the metric, the seed and
    /// the number of lists.
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
