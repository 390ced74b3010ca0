//! `concept_clusters`: groups rows by k-means, ranks them within their group and names the groups.

mod groups;
pub mod plan;
pub mod run;
mod words;

use std::fmt;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, internal_err};

use super::call::Output;
use super::dedup::SKETCH;
use crate::kernels::vector::search::Metric;

/// The arguments of a call. Columns: the vector, the id, and the text where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConceptClusters {
    /// What near means.
    pub metric: Metric,
    /// Number of clusters.
    pub k: u64,
    /// Rounds of the fit at most.
    pub iterations: u64,
    /// Rows the centroids are fitted to at most; 0: all.
    pub sample: u64,
    /// Whether clusters share the rows evenly.
    pub balanced: bool,
    /// Words of a label at most.
    pub words: u64,
    /// Seed of the sample and of the first centroids.
    pub seed: u64,
}

impl ConceptClusters {
    /// All columns, then what is known of a row and of its cluster.
    pub fn output(&self, inputs: &[&Schema], columns: &[Vec<usize>]) -> Result<Output> {
        let ([schema], [columns]) = (inputs, columns) else { return internal_err!("concept_clusters takes one input") };
        if !(2..=3).contains(&columns.len()) {
            return internal_err!("concept_clusters works on two or three columns");
        }
        Ok(Output {
            passed: (0..schema.fields().len()).filter(|&column| schema.field(column).name() != SKETCH).collect(),
            added: vec![
                Field::new("concept", DataType::Int64, true),
                Field::new("distance", DataType::Float64, true),
                Field::new("central_rank", DataType::Int64, true),
                Field::new("atypical_rank", DataType::Int64, true),
                Field::new("concept_size", DataType::Int64, true),
                Field::new("concept_density", DataType::Float64, true),
                Field::new("concept_label", DataType::Utf8, true),
                Field::new("map_x", DataType::Float64, true),
                Field::new("map_y", DataType::Float64, true),
            ],
        })
    }
}

impl fmt::Display for ConceptClusters {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { metric, k, iterations, sample, balanced, words, seed } = self;
        let metric = metric.name();
        write!(f, "metric={metric}, k={k}, iterations={iterations}, sample={sample}, words={words}, seed={seed}")?;
        if *balanced { write!(f, ", balanced") } else { Ok(()) }
    }
}
