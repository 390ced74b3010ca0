//! Sets contained tables aside with a recipe that rebuilds them, and restores them.
//!
//! Nothing is ever deleted on the strength of hashes or samples. For every file of a table, [`matching`] compares bytes with
//! the parent and records where each row is; [`predicate`] looks for an equivalent query; and [`rebuild`] rehearses. Only if
//! the rehearsed file has the same schema and the same rows, bit for bit and in the same order, [`store`] moves the original
//! below `_limpid/retired` of the lake. Each step renames something already synced to disk. Whatever kills the process, the
//! rows are in the lake or in the quarantine, and the next run puts an unfinished table back.

pub mod apply;
pub mod dependents;
mod done;
pub mod exact;
pub mod matching;
mod parent;
pub mod pin;
pub mod predicate;
pub mod rebuild;
pub mod recipe;
pub mod restore;
mod search;
pub mod store;

pub use apply::apply;
pub use dependents::Aside;
pub use done::Done;
pub use pin::{Pin, PlanFile, Retire};
pub use restore::{purge, restore};
