//! Functions that check conditions on rows.

pub mod require;
