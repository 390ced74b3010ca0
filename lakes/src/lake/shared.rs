//! Interns what many tables have in common.

use std::hash::Hash;
use std::sync::Arc;

use hashbrown::HashSet;

use super::{Source, Table};

/// Names and places that were seen before.
#[derive(Debug, Default)]
pub struct Shared {
    names: HashSet<Arc<str>>,
    sources: HashSet<Arc<[Source]>>,
}

fn once<T: ?Sized + Hash + Eq>(seen: &mut HashSet<Arc<T>>, value: &Arc<T>) -> Arc<T> {
    Arc::clone(seen.get_or_insert_with(value, Arc::clone))
}

impl Shared {
    /// The name that is kept for all that are like it.
    pub fn name(&mut self, name: &Arc<str>) -> Arc<str> {
        once(&mut self.names, name)
    }

    /// The places that are kept for all that are like them.
    pub fn sources(&mut self, sources: &Arc<[Source]>) -> Arc<[Source]> {
        once(&mut self.sources, sources)
    }

    /// Lets a table have what others have.
    pub fn table(&mut self, mut table: Table) -> Table {
        // Columns that something else holds were shared when that was made.
        for column in Arc::get_mut(&mut table.columns).into_iter().flatten() {
            (column.name, column.shown) = (self.name(&column.name), self.name(&column.shown));
        }
        for file in &mut table.files {
            file.sources = self.sources(&file.sources);
        }
        table
    }
}
