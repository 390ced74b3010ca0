//! `assign_nearest`: names each row's nearest centroid.

pub mod plan;
pub mod run;

use std::fmt;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, internal_err};

use super::call::Output;
use crate::kernels::vector::search::Metric;

/// The arguments of a call. Columns: the vector; of the second relation the centroid's id and vector.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AssignNearest {
    /// What nearest means.
    pub metric: Metric,
}

impl AssignNearest {
    /// All columns of the rows, then `centroid_id` and `distance`.
    pub fn output(&self, inputs: &[&Schema], columns: &[Vec<usize>]) -> Result<Output> {
        let ([schema, centroids], [_, of_centroids]) = (inputs, columns) else {
            return internal_err!("assign_nearest takes two inputs");
        };
        let Some(&id) = of_centroids.first() else { return internal_err!("centroids have an id") };
        Ok(Output {
            passed: (0..schema.fields().len()).collect(),
            added: vec![
                Field::new("centroid_id", centroids.field(id).data_type().clone(), true),
                Field::new("distance", DataType::Float64, true),
            ],
        })
    }
}

impl fmt::Display for AssignNearest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "metric={}", self.metric.name())
    }
}
