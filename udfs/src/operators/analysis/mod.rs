//! Analyses: operators that read a whole relation, compute, and answer with rows of their own.
//!
//! They share one logical and one physical node; an operator adds its parameters, its output schema and its computation.

pub mod examples;
pub mod exec;
pub mod names;
pub mod node;

use std::fmt;

use arrow::datatypes::{FieldRef, Fields};
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;

use self::exec::Work;
use super::{fit_softmax, graph_filter, influence, multilinear_importance, spectral_clusters};

/// What is computed. The parameters are messages, so that they travel over a cluster as they are.
#[derive(Clone, PartialEq, Eq, Hash, prost::Oneof)]
pub enum Analysis {
    /// `multilinear_importance`
    #[prost(message, tag = "2")]
    Importance(multilinear_importance::Parameters),
    /// `fit_softmax`
    #[prost(message, tag = "3")]
    Fit(fit_softmax::Parameters),
    /// `influence` and `inverse_hvp`
    #[prost(message, tag = "4")]
    Influence(influence::Parameters),
    /// `graph_filter`
    #[prost(message, tag = "5")]
    GraphFilter(graph_filter::Parameters),
    /// `spectral_clusters`
    #[prost(message, tag = "6")]
    Spectral(spectral_clusters::Parameters),
}

impl Analysis {
    /// The SQL name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Importance(_) => multilinear_importance::NAME,
            Self::Fit(_) => fit_softmax::NAME,
            Self::Influence(parameters) => parameters.name(),
            Self::GraphFilter(_) => graph_filter::NAME,
            Self::Spectral(_) => spectral_clusters::NAME,
        }
    }

    /// The columns of the answer, from the columns it is computed from; an error where those are of wrong types.
    pub fn output(&self, columns: &[FieldRef]) -> Result<Fields> {
        match self {
            Self::Importance(_) => multilinear_importance::output(columns),
            Self::Fit(_) => fit_softmax::output(columns),
            Self::Influence(parameters) => influence::output(parameters, columns),
            Self::GraphFilter(_) => graph_filter::output(columns),
            Self::Spectral(_) => spectral_clusters::output(columns),
        }
    }

    /// Computes the answer.
    pub async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        match self {
            Self::Importance(parameters) => multilinear_importance::run::run(parameters, work).await,
            Self::Fit(parameters) => fit_softmax::run::run(parameters, work).await,
            Self::Influence(parameters) => influence::run::run(parameters, work).await,
            Self::GraphFilter(parameters) => graph_filter::run::run(parameters, work).await,
            Self::Spectral(parameters) => spectral_clusters::run::run(parameters, work).await,
        }
    }

    fn explain(&self, columns: &[&str], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ": columns=[{}], {self:?}", columns.join(", "))
    }
}
