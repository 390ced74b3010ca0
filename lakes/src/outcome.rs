//! The results of a comparison.

use std::sync::Arc;

use hashbrown::HashSet;

use crate::graph::{Counts, Edge};
use crate::lake::{Lake, Problem};
use crate::verify::Found;

/// What was found out, by all stages that ran.
#[derive(Debug)]
pub struct Outcome {
    /// The tables.
    pub lake: Arc<Lake>,
    /// Pairs that passed the last stage, by the names of child and parent.
    pub found: Vec<Found>,
    /// How many pairs each stage left.
    pub counts: Counts,
    /// Tables left out: not readable, changed meanwhile.
    pub problems: Vec<Problem>,
}

impl Outcome {
    /// Of a lake, before anything is compared.
    pub(crate) fn new(lake: Arc<Lake>) -> Self {
        let counts = Counts { bytes_read: lake.bytes_read, ..Counts::default() };
        Self { problems: lake.problems.clone(), found: vec![], counts, lake }
    }

    /// Counts and sorts what was found.
    pub(crate) fn finish(&mut self) {
        self.counts.contained = self.found.len() as u64;
        self.found.sort_unstable_by_key(|found| (found.child, found.parent));
    }

    /// The edges between tables that could be read.
    pub(crate) fn readable(&self, mut edges: Vec<Edge>) -> Vec<Edge> {
        let failed: HashSet<&str> = self.problems.iter().map(|problem| problem.table.as_str()).collect();
        let ok = |table: u32| !failed.contains(self.lake.tables[table as usize].name.as_str());
        edges.retain(|edge| ok(edge.0) && ok(edge.1));
        edges
    }
}
