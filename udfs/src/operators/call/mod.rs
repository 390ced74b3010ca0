//! What the operators over vectors and groups share: one logical and one physical node that carry any of their calls, the
//! rows they keep, and threads whose number does not show in a result.

pub mod codes;
pub mod exec;
pub mod node;
pub mod plan;
pub mod table;
pub mod workers;

use std::fmt;

use arrow::datatypes::{Field, Schema};
use datafusion::common::Result;

use super::allocate_budget::AllocateBudget;
use super::assign_nearest::AssignNearest;
use super::concept_clusters::ConceptClusters;
use super::embed::Embed;
use super::farthest_first::FarthestFirst;
use super::kmeans::Kmeans;
use super::max_prior_similarity::MaxPriorSimilarity;
use super::nearest_neighbors::NearestNeighbors;

/// A call of an operator: everything but its relations and their columns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Call {
    /// Divides a budget among groups.
    AllocateBudget(AllocateBudget),
    /// Names each row's nearest centroid.
    AssignNearest(AssignNearest),
    /// Groups rows, ranks them within their group and names the groups.
    ConceptClusters(ConceptClusters),
    /// Adds the vectors of texts or images.
    Embed(Embed),
    /// Ranks rows by their distance from those ranked before.
    FarthestFirst(FarthestFirst),
    /// Finds centroids.
    Kmeans(Kmeans),
    /// Finds each row's most similar earlier row.
    MaxPriorSimilarity(MaxPriorSimilarity),
    /// Finds the nearest rows of each row.
    NearestNeighbors(NearestNeighbors),
}

/// The columns of a result.
#[derive(Debug)]
pub struct Output {
    /// Columns of the first input that are passed on.
    pub passed: Vec<usize>,
    /// New columns.
    pub added: Vec<Field>,
}

impl Call {
    /// The SQL name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AllocateBudget(_) => super::allocate_budget::plan::NAME,
            Self::AssignNearest(_) => super::assign_nearest::plan::NAME,
            Self::ConceptClusters(_) => super::concept_clusters::plan::NAME,
            Self::Embed(_) => super::embed::plan::NAME,
            Self::FarthestFirst(_) => super::farthest_first::plan::NAME,
            Self::Kmeans(_) => super::kmeans::plan::NAME,
            Self::MaxPriorSimilarity(_) => super::max_prior_similarity::plan::NAME,
            Self::NearestNeighbors(_) => super::nearest_neighbors::plan::NAME,
        }
    }

    /// Whether each partition of the first input is worked on by itself.
    pub fn is_streaming(&self) -> bool {
        matches!(self, Self::AssignNearest(_) | Self::Embed(_))
    }

    /// The columns of the result, for inputs whose `columns` are worked on.
    pub fn output(&self, inputs: &[&Schema], columns: &[Vec<usize>]) -> Result<Output> {
        match self {
            Self::AllocateBudget(call) => call.output(inputs, columns),
            Self::AssignNearest(call) => call.output(inputs, columns),
            Self::ConceptClusters(call) => call.output(inputs, columns),
            Self::Embed(call) => call.output(inputs),
            Self::FarthestFirst(call) => call.output(inputs, columns),
            Self::Kmeans(call) => call.output(inputs, columns),
            Self::MaxPriorSimilarity(call) => call.output(inputs, columns),
            Self::NearestNeighbors(call) => call.output(inputs, columns),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: ", self.name())?;
        match self {
            Self::AllocateBudget(call) => call.fmt(f),
            Self::AssignNearest(call) => call.fmt(f),
            Self::ConceptClusters(call) => call.fmt(f),
            Self::Embed(call) => call.fmt(f),
            Self::FarthestFirst(call) => call.fmt(f),
            Self::Kmeans(call) => call.fmt(f),
            Self::MaxPriorSimilarity(call) => call.fmt(f),
            Self::NearestNeighbors(call) => call.fmt(f),
        }
    }
}

/// A finite number that can be compared and hashed: its bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Real(u64);

impl Real {
    /// The number's bits.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// The number of these bits.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The number.
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl From<f64> for Real {
    fn from(value: f64) -> Self {
        Self(value.to_bits())
    }
}

impl fmt::Display for Real {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.get().fmt(f)
    }
}
