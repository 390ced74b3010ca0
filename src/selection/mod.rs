//! Rows chosen by recipes: [`select`] keeps a share of them, [`evaluate`] compares recipes with random rows.

pub mod error;
pub mod evaluate;
pub mod method;
mod page;
pub mod rows;
pub mod select;
