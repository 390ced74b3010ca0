//! Column types: inferred from values, widened, and parsed.

mod column;
mod observed;
mod values;

pub(crate) use column::{Body, Column, Names};
pub(crate) use observed::{Fields, Observed};

/// The time zone of timestamps that end with `Z`.
const UTC: &str = "UTC";
