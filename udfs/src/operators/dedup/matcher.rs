//! The part in which the deduplicators differ: how equal and similar rows are found.

use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};

use super::Rule;
use super::ranks::Ranks;
use super::resolution::Resolution;
use crate::operators::call::workers::Workers;
use crate::operators::exact_dedup::matcher::ExactMatcher;
use crate::operators::minhash_dedup::matcher::SimilarMatcher;
use crate::operators::semantic_dedup::matcher::SemanticMatcher;
use crate::storage::numbers::{Number, Numbers};

/// Takes the sketches of all rows in arrival order, then decides.
pub trait Matcher: Send {
    /// Adds the sketches of a batch of rows; their ids serve errors.
    fn add(&mut self, sketches: &ArrayRef, ids: &ArrayRef) -> Result<()>;

    /// Decides; work for `workers`, called off the asynchronous threads.
    fn resolve(self: Box<Self>, ranks: &Ranks, workers: &Workers) -> Result<Resolution>;
}

/// What every matcher needs of its surroundings.
#[derive(Clone)]
pub struct Surroundings {
    /// Memory pool, disk and configuration.
    pub context: Arc<TaskContext>,
    /// Where counters go.
    pub metrics: ExecutionPlanMetricsSet,
    /// Counters of spilling, shared by all stores of the operator.
    pub spills: SpillMetrics,
}

impl Surroundings {
    /// No values yet; `label` names them in errors about memory and disk.
    pub fn numbers<T: Number>(&self, label: &'static str) -> Numbers<T> {
        Numbers::new(label, &self.context.runtime_env(), &self.spills)
    }

    /// `len` times the same value.
    pub fn filled<T: Number>(&self, label: &'static str, len: usize, value: T) -> Result<Numbers<T>> {
        Numbers::filled(label, &self.context.runtime_env(), &self.spills, len, value)
    }
}

impl Rule {
    /// The matcher of this rule.
    pub fn matcher(&self, around: &Surroundings) -> Box<dyn Matcher> {
        match self {
            Self::Exact => Box::new(ExactMatcher::new(around)),
            Self::Similar(rule) => Box::new(SimilarMatcher::new(*rule, around)),
            Self::Semantic(rule) => Box::new(SemanticMatcher::new(*rule, around)),
        }
    }
}
