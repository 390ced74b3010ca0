//! Contained tables set aside with a recipe that rebuilds them, and brought back.
//!
//! Nothing is ever deleted on the strength of hashes or samples. For every file of a table [`matching`] compares bytes with the
//! parent and notes where each row stands; [`predicate`] looks for a query that says the same; [`rebuild`] rehearses; and only
//! when the rehearsed file has the same rows, bit for bit and in the same order, and the same schema, [`store`] moves the original below
//! `_limpid/retired` of the lake. Each step is a rename of something that was synced before, so whatever kills the process,
//! the rows are in the lake or in the quarantine, and the next run puts an unfinished table back.

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
