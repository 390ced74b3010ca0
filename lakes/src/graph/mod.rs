//! Which tables can be in which, from metadata alone.

pub mod minmax;
pub mod schema;

/// A possible containment: positions of child and parent among the tables.
pub type Edge = (u32, u32);

/// What a stage left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Tables with rows.
    pub tables: u64,
    /// Ordered pairs of different tables.
    pub pairs: u64,
    /// Different schemas, by names.
    pub schemas: u64,
    /// Pairs whose child's names are all in the parent.
    pub schema: u64,
    /// Of these, pairs whose types fit.
    pub types: u64,
    /// Of these, pairs that bounds and counts allow.
    pub minmax: u64,
    /// Of these, pairs that the values of single columns allow, where they were compared.
    pub columns: u64,
    /// Of these, pairs that samples allow.
    pub sketch: u64,
    /// Contained pairs, as far as the last stage says.
    pub contained: u64,
    /// Tables that were read.
    pub scanned: u64,
    /// Bytes read, footers included.
    pub bytes_read: u64,
}
