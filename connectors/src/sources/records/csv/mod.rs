//! CSV and TSV.

pub(crate) mod layout;
mod record;
pub(crate) mod split;

pub(crate) use layout::CsvLayout;
pub(crate) use record::{Dialect, Field, Next};
