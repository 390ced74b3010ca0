//! A table of the demo lake, and how it came to be.

use arrow::array::RecordBatch;
use limpid_udfs::kernels::random::SplitMix64;

/// How a table came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// It is in its parent and its parent in it.
    Equal,
    /// It is in its parent.
    Contained,
    /// Its distinct rows are in its parent.
    ContainedAsSet,
    /// It is in its parent when values are compared as text.
    ContainedAsText,
    /// Its parent is in it.
    Contains,
    /// Renamed: in its parent but for the names.
    Renamed,
    /// Almost in its parent.
    Near,
    /// Neither.
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
    /// What holds between the two.
    pub relation: Relation,
    /// The rows.
    pub rows: RecordBatch,
}

/// A number below `n`.
pub fn below(random: &mut SplitMix64, n: usize) -> usize {
    ((u128::from(random.next_u64()) * n.max(1) as u128) >> 64) as usize
}
