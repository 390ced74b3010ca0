//! The distinct vectors that are compared.

use datafusion::common::Result;

use crate::kernels::vector::search::Metric;
use crate::operators::vectors::codes::CodeStore;
use crate::storage::numbers::Numbers;
use crate::storage::vectors::Vectors;

/// The distinct vectors, in survivor order.
pub(super) struct Distinct {
    pub(super) vectors: Vectors,
    pub(super) squared: Numbers<f64>,
    pub(super) codes: CodeStore,
}

impl Distinct {
    /// Returns the exact cosine of two vectors. `buffers` is scratch memory.
    pub(super) fn cosine(&self, a: u32, b: u32, [left, right]: &mut [Vec<f32>; 2]) -> Result<f64> {
        let (a, b) = (a as usize, b as usize);
        let (x, y) = (self.vectors.block(a, a + 1, left)?, self.vectors.block(b, b + 1, right)?);
        Ok(Metric::Cosine.score(x, y, self.squared.get(a)?, self.squared.get(b)?))
    }
}
