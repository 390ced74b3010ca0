//! Decides pairs by row hashes, one parent after another.
//!
//! Pairs of one schema only need the hashes that both tables have anyway. For the others, the parent is projected onto each
//! of its children's schemas, once for all of them. Known containments save work: a parent that contains another table of its
//! schema contains everything that table contains.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use futures::StreamExt;
use hashbrown::{HashMap, HashSet};

use super::judge::Judge;
use super::{Evidence, Found};
use crate::graph::Edge;
use crate::lake::{Lake, Table};
use crate::rows::read::keys;
use crate::rows::{Reader, TableRows};
use crate::threads::in_chunks;

/// Pairs compared in one task.
const CHUNK: usize = 2048;

/// Everything that deciding needs, shared by its tasks.
#[derive(Clone)]
pub struct Context {
    /// The tables.
    pub lake: Arc<Lake>,
    /// Their rows, if they were read.
    pub rows: Arc<Vec<Option<TableRows>>>,
    /// Reads tables again if necessary.
    pub reader: Arc<Reader>,
    /// Decides.
    pub judge: Judge,
    /// Tasks at the same time.
    pub threads: usize,
}

/// What was decided, and the tables that could not be read again.
#[derive(Debug, Default)]
pub struct Decided {
    /// The pairs that passed.
    pub found: Vec<Found>,
    /// Table and reason.
    pub failed: Vec<(u32, String)>,
}

impl Context {
    fn table(&self, at: u32) -> &Table {
        &self.lake.tables[at as usize]
    }

    fn same_schema(&self, (child, parent): Edge) -> bool {
        let (child, parent) = (&self.table(child).columns, &self.table(parent).columns);
        child.len() == parent.len()
    }

    /// Decides every edge.
    ///
    /// # Errors
    /// Those of temporary files and memory.
    pub async fn decide(&self, edges: Vec<Edge>) -> Result<Decided> {
        // The names of a child are all in its parent, so equal widths are equal schemas.
        let (same, cross): (Vec<Edge>, Vec<Edge>) = edges.into_iter().partition(|&edge| self.same_schema(edge));
        let mut found = self.decide_same(same).await?;
        let cross = self.decide_cross(cross, &found).await?;
        found.extend(cross.found);
        found.sort_unstable_by_key(|found| (found.child, found.parent));
        Ok(Decided { found, failed: cross.failed })
    }

    async fn decide_same(&self, edges: Vec<Edge>) -> Result<Vec<Found>> {
        let this = self.clone();
        in_chunks(edges, CHUNK, self.threads, move |chunk: Vec<Edge>| {
            let mut found = vec![];
            for edge in chunk {
                let (child, parent) = (&this.rows[edge.0 as usize], &this.rows[edge.1 as usize]);
                let (Some(child), Some(parent)) = (child, parent) else { continue };
                found.extend(this.judge.judge(edge, &this.table(edge.0).name, child, &parent.hashes)?);
            }
            Ok(found)
        })
        .await
    }

    async fn decide_cross(&self, edges: Vec<Edge>, same: &[Found]) -> Result<Decided> {
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (child, parent) in edges {
            children.entry(parent).or_default().push(child);
        }
        let mut decided = Decided::default();
        let mut known: HashSet<Edge> = HashSet::new();
        for level in self.levels(&children, same) {
            let mut work = vec![];
            for (parent, inside) in level {
                let through = |child: &u32| {
                    inside.iter().find(|&&inner| inner != *child && known.contains(&(*child, inner))).copied()
                };
                let (mut open, mut implied) = (vec![], vec![]);
                for &child in children.get(&parent).into_iter().flatten() {
                    match through(&child) {
                        Some(inner) => implied.push((child, inner)),
                        None => open.push(child),
                    }
                }
                for (child, inner) in implied {
                    if let Some(rows) = &self.rows[child as usize] {
                        decided.found.push(self.judge.whole((child, parent), rows, Evidence::Through(inner))?);
                    }
                }
                if !open.is_empty() {
                    work.push((parent, open));
                }
            }
            let mut results = futures::stream::iter(work)
                .map(|(parent, open)| {
                    let this = self.clone();
                    let task = SpawnedTask::spawn(async move { this.decide_parent(parent, open).await });
                    async move { (parent, task.join().await) }
                })
                .buffered(self.threads);
            while let Some((parent, result)) = results.next().await {
                match result.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))? {
                    Ok(found) => decided.found.extend(found),
                    Err(e) if matches!(e.find_root(), DataFusionError::ResourcesExhausted(_)) => return Err(e),
                    Err(e) => decided.failed.push((parent, crate::lake::discover::plain(&e.to_string()))),
                }
            }
            known.extend(decided.found.iter().map(|found| (found.child, found.parent)));
        }
        Ok(decided)
    }

    /// Orders parents so that those contained in others come first, each with the tables of the same schema that it contains.
    fn levels(&self, children: &BTreeMap<u32, Vec<u32>>, same: &[Found]) -> Vec<Vec<(u32, Vec<u32>)>> {
        let mut inside: HashMap<u32, Vec<u32>> = HashMap::new();
        if self.judge.is_transitive() {
            for found in same.iter().filter(|found| children.contains_key(&found.parent)) {
                if children.contains_key(&found.child) {
                    inside.entry(found.parent).or_default().push(found.child);
                }
            }
        }
        let key = |table: u32| (self.table(table).rows, table);
        let mut parents: Vec<u32> = children.keys().copied().collect();
        parents.sort_unstable_by_key(|&parent| key(parent));
        let mut level_of: HashMap<u32, usize> = HashMap::new();
        let mut levels: Vec<Vec<(u32, Vec<u32>)>> = vec![];
        for parent in parents {
            let mut inner = inside.remove(&parent).unwrap_or_default();
            inner.retain(|&table| key(table) < key(parent));
            let level = inner.iter().filter_map(|table| level_of.get(table)).max().map_or(0, |level| level + 1);
            level_of.insert(parent, level);
            if levels.len() == level {
                levels.push(vec![]);
            }
            levels[level].push((parent, inner));
        }
        levels
    }

    /// Decides the children of other schemas of one parent.
    async fn decide_parent(&self, parent: u32, children: Vec<u32>) -> Result<Vec<Found>> {
        let table = self.table(parent);
        let Some(rows) = &self.rows[parent as usize] else { return Ok(vec![]) };
        let mut schemas: BTreeMap<Vec<usize>, Vec<u32>> = BTreeMap::new();
        for child in children {
            let place = |name: &str| table.columns.iter().position(|column| *column.name == *name);
            let places = self.table(child).columns.iter().map(|column| place(&column.name)).collect::<Option<Vec<_>>>();
            if let Some(places) = places {
                schemas.entry(places).or_default().push(child);
            }
        }
        let keys = keys(table);
        let projections: Vec<Vec<(usize, u128)>> =
            schemas.keys().map(|places| places.iter().map(|&place| (place, keys[place])).collect()).collect();
        let hashes = self.reader.project(&self.lake, table, rows, &projections).await?;
        let mut found = vec![];
        for (children, hashes) in schemas.values().zip(&hashes) {
            for &child in children {
                if let Some(rows) = &self.rows[child as usize] {
                    found.extend(self.judge.judge((child, parent), &self.table(child).name, rows, hashes)?);
                }
            }
        }
        Ok(found)
    }
}
