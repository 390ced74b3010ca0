//! Rows of whole tables, compared across types and files.

pub mod cells;
pub mod row_hash;
