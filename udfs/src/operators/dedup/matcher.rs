//! The part in which the deduplicators differ: how equal and similar rows are found.

use arrow::array::ArrayRef;
use datafusion::common::Result;

use super::ranks::Ranks;
use super::resolution::Resolution;
use crate::operators::workers::Workers;

/// Takes the sketches of all rows in arrival order, then decides.
pub trait Matcher: Send {
    /// Adds the sketches of a batch of rows; their ids serve errors.
    fn add(&mut self, sketches: &ArrayRef, ids: &ArrayRef) -> Result<()>;

    /// Decides; work for `workers`, called off the asynchronous threads.
    fn resolve(self: Box<Self>, ranks: &Ranks, workers: &Workers) -> Result<Resolution>;
}
