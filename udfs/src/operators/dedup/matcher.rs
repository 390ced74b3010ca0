//! The interface in which the deduplicators differ: how they find equal and similar rows.

use arrow::array::ArrayRef;
use datafusion::common::Result;

use super::ranks::Ranks;
use super::resolution::Resolution;
use crate::operators::workers::Workers;

/// Receives the sketches of all rows in arrival order, then decides which rows are duplicates.
pub trait Matcher: Send {
    /// Adds the sketches of a batch of rows. Errors name rows by their `ids`.
    fn add(&mut self, sketches: &ArrayRef, ids: &ArrayRef) -> Result<()>;

    /// Decides, on the threads of `workers`. Must not be called on an asynchronous thread.
    fn resolve(self: Box<Self>, ranks: &Ranks, workers: &Workers) -> Result<Resolution>;
}
