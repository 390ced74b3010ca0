//! Types of columns: what values show of them, how they widen, how values are read as them.

mod column;
mod observed;
mod values;

pub(crate) use column::{Body, Column, Names};
pub(crate) use observed::{Fields, Observed};

/// The time zone of timestamps that end with `Z`.
const UTC: &str = "UTC";
