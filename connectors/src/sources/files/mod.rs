//! Finds the files of a source from patterns, and interprets names, folders and first bytes. Knows no format.

pub(crate) mod content;
pub(crate) mod groups;
pub mod key_value;
pub mod kind;
pub(crate) mod links;
pub mod listing;
pub(crate) mod partitions;
mod pattern;
pub(crate) mod place;
pub mod spec;

pub use content::Content;
pub use kind::{FileKind, Format, FormatInfo};
pub use links::Alias;
pub use listing::{Listing, MANIFEST, SourceFile, list};
pub use place::PROVENANCE;
pub use spec::SourceSpec;
