//! The result for one table.

/// The result for one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The table.
    pub table: String,
    /// Whether it was done.
    pub done: bool,
    /// Bytes that were set aside, brought back or freed.
    pub bytes: u64,
    /// How its rows are or were rebuilt, or why nothing was done.
    pub says: String,
}
