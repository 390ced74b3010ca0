//! Finds possible containments from metadata alone.

pub mod minmax;
pub mod schema;

/// A possible containment: indices of child and parent among the tables.
pub type Edge = (u32, u32);

/// Number of pairs that each stage left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Tables with rows.
    pub tables: u64,
    /// Ordered pairs of distinct tables.
    pub pairs: u64,
    /// Distinct schemas by column names.
    pub schemas: u64,
    /// Pairs in which the parent has all column names of the child.
    pub schema: u64,
    /// Among these, pairs with compatible types.
    pub types: u64,
    /// Among these, pairs not excluded by bounds and counts.
    pub minmax: u64,
    /// Among these, pairs not excluded by the values of single columns, if those were compared.
    pub columns: u64,
    /// Among these, pairs not excluded by samples.
    pub sketch: u64,
    /// Contained pairs according to the last stage.
    pub contained: u64,
    /// Tables that were read.
    pub scanned: u64,
    /// Bytes read, footers included.
    pub bytes_read: u64,
}
