//! Generates a lake of tables derived from one another by known operations, for demonstrations and tests.
//!
//! The result depends only on the plan and its seed. Known derivations are only a lower limit of the containments (two
//! filters of one table may contain each other by accident), so [`truth`] compares all pairs row by row.

mod derive;
mod made;
mod noise;
mod roots;
pub mod truth;
mod write;

use std::path::Path;

use datafusion::common::{Result, exec_err};
use limpid_udfs::kernels::random::SplitMix64;

pub use made::{Made, Relation};

/// What to generate.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Number of tables from which others are derived.
    pub roots: usize,
    /// Minimum and maximum number of rows of a root.
    pub rows: (usize, usize),
    /// Seed of all random choices.
    pub seed: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self { roots: 3, rows: (40, 800), seed: 42 }
    }
}

/// Makes the tables in memory, parents before children.
///
/// # Errors
/// Only those of Arrow.
pub fn tables(plan: &Plan) -> Result<Vec<Made>> {
    let mut random = SplitMix64::new(plan.seed);
    let mut made = vec![];
    for root in 0..plan.roots {
        let rows = roots::root(&mut random, root, plan.rows)?;
        let (at, name) = (made.len(), format!("r{root:03}/root"));
        made.push(Made { name, operation: "root".to_owned(), parent: None, relation: Relation::None, rows });
        derive::derive(&mut random, at, root, &mut made)?;
    }
    Ok(made)
}

/// Writes the tables of `plan` below `folder`, which must be empty or missing. Returns their number.
///
/// # Errors
/// The folder is not empty or cannot be written.
pub fn write(folder: &Path, plan: &Plan) -> Result<usize> {
    if folder.is_dir() && std::fs::read_dir(folder)?.next().is_some() {
        return exec_err!("{} is not empty", folder.display());
    }
    let made = tables(plan)?;
    for (at, table) in made.iter().enumerate() {
        write::write(folder, table, at)?;
    }
    Ok(made.len())
}
