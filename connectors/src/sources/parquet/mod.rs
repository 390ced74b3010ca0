//! Parquet files of one table: their columns by name, their timestamps of any year, their folders.
//!
//! What a footer says is checked before it is used. Two columns of one name are refused, since a query could read only one of
//! them ([`names`]). Columns of several files meet by name, and their types widen without loss or not at all ([`evolution`]).
//! INT96 timestamps are microseconds, and one that microseconds cannot count is an error ([`int96`]). A column that stands in
//! the file and in the name of its folder must say the same in both ([`folders`]).

mod agree;
mod columns;
pub mod empty;
pub mod evolution;
mod external;
pub mod folders;
pub mod foreign;
mod function;
pub mod int96;
pub mod names;
mod source;
mod statistics;
#[cfg(test)]
mod tests;

pub use columns::footer;
pub use source::{PARQUET, Parquet};
