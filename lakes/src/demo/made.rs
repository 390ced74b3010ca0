//! Tables of the demo lake and how each was derived.

use arrow::array::RecordBatch;
use limpid_udfs::kernels::random::SplitMix64;

/// How a table relates to its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// Each contains the other.
    Equal,
    /// The table is contained in its parent.
    Contained,
    /// Its distinct rows are contained in its parent.
    ContainedAsSet,
    /// It is contained in its parent if values are compared as text.
    ContainedAsText,
    /// The table contains its parent.
    Contains,
    /// It would be contained in its parent if columns had the same names.
    Renamed,
    /// Almost contained in its parent.
    Near,
    /// None of these.
    None,
}

/// A table of the lake.
#[derive(Debug, Clone)]
pub struct Made {
    /// Path below the folder, without the ending.
    pub name: String,
    /// Name of the operation; `root` for one that is not derived.
    pub operation: String,
    /// Position of the table it was derived from.
    pub parent: Option<usize>,
    /// How the two are related.
    pub relation: Relation,
    /// The rows.
    pub rows: RecordBatch,
}

/// A number below `n`.
pub fn below(random: &mut SplitMix64, n: usize) -> usize {
    ((u128::from(random.next_u64()) * n.max(1) as u128) >> 64) as usize
}
