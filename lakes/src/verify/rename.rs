//! Finds containments between tables whose columns have different names.
//!
//! Sketches of columns say which of the parent's columns may contain a child's. If every column of a child has a candidate,
//! whole assignments are tried, those with similar names first, and all rows decide. If rows may be missing (`threshold`
//! below 1), values may be too: a column is excluded only if more of its sketch is missing than missing rows can explain.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::Result;
use hashbrown::{HashMap, HashSet};

use super::Found;
use super::judge::Judge;
use crate::graph::Edge;
use crate::lake::{Class, Lake};
use crate::options::{Options, Rows};
use crate::rows::read::{ReadPlan, keys};
use crate::rows::values::ColumnSketch;
use crate::rows::{Reader, TableRows};

/// Columns that a child must have: of one column, ranges of numbers would be in each other everywhere.
const LEAST: usize = 2;
/// Maximum number of assignments tried for a pair whose columns look alike.
const TRIED: usize = 24;
/// Maximum number of steps in the search for assignments.
const STEPS: usize = 4096;
/// Probability of overlooking a pair whose missing rows are spread randomly.
const OVERLOOKED: f64 = 1e-6;
/// Tolerance, in standard deviations, for sketch values missing beyond what missing rows explain.
const DEVIATIONS: f64 = 5.0;

/// Plans what to read: every table with enough columns, completely.
pub fn plan(lake: &Lake, plans: &mut [Option<ReadPlan>]) {
    for (table, plan) in lake.tables.iter().zip(plans) {
        if table.rows > 0 && table.columns.len() >= LEAST {
            let plan = plan.get_or_insert_default();
            (plan.hashes, plan.project, plan.columns, plan.only) = (true, true, true, None);
        }
    }
}

/// Finds pairs that are contained under other column names but not under their own, which are in `known`.
///
/// # Errors
/// Reading, memory or temporary files fail.
pub async fn find(
    lake: &Arc<Lake>,
    rows: &[Option<TableRows>],
    reader: &Reader,
    known: &[Found],
    options: &Options,
) -> Result<Vec<Found>> {
    let known: HashSet<Edge> = known.iter().map(|found| (found.child, found.parent)).collect();
    // The children of each parent, with the parent's columns in the order of theirs, in each way there is.
    type Mappings = Vec<Vec<u32>>;
    let mut by_parent: BTreeMap<u32, Vec<(u32, Mappings)>> = BTreeMap::new();
    for (child, parent) in candidates(lake, rows, options) {
        if !known.contains(&(child, parent)) {
            let mappings = assignments(lake, rows, (child, parent), options);
            if !mappings.is_empty() {
                by_parent.entry(parent).or_default().push((child, mappings));
            }
        }
    }
    let judge = Judge::new(options);
    let mut found = vec![];
    for (parent, children) in by_parent {
        let (table, Some(theirs)) = (&lake.tables[parent as usize], &rows[parent as usize]) else { continue };
        for (child, mappings) in children {
            let (child_table, Some(ours)) = (&lake.tables[child as usize], &rows[child as usize]) else { continue };
            let keys = keys(child_table);
            let projections: Vec<Vec<(usize, u128)>> = mappings
                .iter()
                .map(|places| places.iter().zip(&keys).map(|(&place, &key)| (place as usize, key)).collect())
                .collect();
            let hashes = reader.project(lake, table, theirs, &projections).await?;
            let mut best: Option<Found> = None;
            for (mapping, hashes) in mappings.into_iter().zip(&hashes) {
                let judged = judge.judge((child, parent), &child_table.name, ours, hashes)?;
                let share = |found: &Option<Found>| found.as_ref().and_then(|found| found.similarity).unwrap_or(-1.0);
                if share(&judged) > share(&best) {
                    best = judged.map(|judged| Found { mapping: Some(mapping), ..judged });
                }
                if share(&best) >= 1.0 {
                    break;
                }
            }
            found.extend(best);
        }
    }
    Ok(found)
}

/// Whether values of two column classes can be equal.
fn fits(child: Class, parent: Class, options: &Options) -> bool {
    child == parent || child == Class::Null || options.types.meet()
}

/// Pairs in which the child's most varied column may be contained in one of the parent's.
fn candidates(lake: &Lake, rows: &[Option<TableRows>], options: &Options) -> Vec<Edge> {
    // The columns that have a value, and those whose sketch does not reach it.
    let mut holders: HashMap<u64, Vec<u32>> = HashMap::new();
    let mut short: Vec<(u64, u32)> = vec![];
    for (at, table) in rows.iter().enumerate() {
        let Some(table) = table else { continue };
        for column in &table.columns {
            for value in column.values() {
                let holders = holders.entry(value).or_default();
                if holders.last() != Some(&(at as u32)) {
                    holders.push(at as u32);
                }
            }
            if let Some(reaches) = column.reaches() {
                short.push((reaches, at as u32));
            }
        }
    }
    short.sort_unstable();
    let mut found = vec![];
    for (at, table) in rows.iter().enumerate() {
        let Some(table) = table else { continue };
        // The column with the most distinct values has the smallest minimum hash.
        let pivot = table.columns.iter().filter(|column| column.least().is_some()).min_by_key(|column| column.least());
        let Some(pivot) = pivot else { continue };
        // A parent has the first of its values, or one of the first ones if some may be missing.
        let missing = missing(pivot, lake.tables[at].rows, options);
        let first: Vec<u64> = match missing {
            0.0 => pivot.values().take(1).collect(),
            1.0 => pivot.values().collect(),
            share => pivot.values().take((OVERLOOKED.ln() / share.ln()).ceil() as usize).collect(),
        };
        let beyond = short.partition_point(|(reaches, _)| Some(reaches) < first.last());
        let mut parents: Vec<u32> = first.iter().filter_map(|value| holders.get(value)).flatten().copied().collect();
        parents.extend(short[..beyond].iter().map(|(_, table)| *table));
        parents.sort_unstable();
        parents.dedup();
        let child = &lake.tables[at];
        let fits = |&parent: &u32| {
            let parent_table = &lake.tables[parent as usize];
            let least = child.rows as f64 * options.threshold;
            let enough = options.rows == Rows::Set || least <= parent_table.rows as f64;
            parent as usize != at && child.columns.len() <= parent_table.columns.len() && enough
        };
        found.extend(parents.into_iter().filter(fits).map(|parent| (at as u32, parent)));
    }
    found
}

/// The largest fraction of a column's distinct values that can be lost with the rows that may be missing.
fn missing(column: &ColumnSketch, rows: u64, options: &Options) -> f64 {
    ((1.0 - options.threshold) * rows as f64 / column.distinct().max(1.0)).min(1.0)
}

/// How much of a column's sketch is missing from a parent's column, in thousandths; `None` if it is too much.
fn misses(column: &ColumnSketch, rows: u64, parent: &ColumnSketch, options: &Options) -> Option<usize> {
    if options.threshold >= 1.0 {
        return column.may_be_in(parent).then_some(0);
    }
    let (hits, tested) = column.found_in(parent);
    let (misses, share, all) = ((tested - hits) as f64, missing(column, rows, options), tested as f64);
    let most = share * all + DEVIATIONS * (share * (1.0 - share) * all).sqrt() + 1.0;
    (misses <= most).then_some(1000 * (tested - hits) / tested.max(1))
}

/// Assignments of the child's columns to distinct columns of the parent that may contain them and of which at least one is
/// renamed, most likely first.
fn assignments(lake: &Lake, rows: &[Option<TableRows>], (child, parent): Edge, options: &Options) -> Vec<Vec<u32>> {
    let (ours, theirs) = (&lake.tables[child as usize].columns, &lake.tables[parent as usize].columns);
    let all = lake.tables[child as usize].rows;
    let (Some(child), Some(parent)) = (&rows[child as usize], &rows[parent as usize]) else { return vec![] };
    let mut choices: Vec<(usize, Vec<u32>)> = vec![];
    for (at, (column, sketch)) in ours.iter().zip(&child.columns).enumerate() {
        let mut fitting: Vec<(u32, (bool, usize, bool, usize))> = vec![];
        for (place, (other, candidate)) in theirs.iter().zip(&parent.columns).enumerate() {
            if !fits(column.class, other.class, options) {
                continue;
            }
            if let Some(misses) = misses(sketch, all, candidate, options) {
                let rank = (column.name != other.name, misses, sketch.sum != candidate.sum, place.abs_diff(at));
                fitting.push((place as u32, rank));
            }
        }
        if fitting.is_empty() {
            return vec![];
        }
        fitting.sort_by_key(|(_, rank)| *rank);
        choices.push((at, fitting.into_iter().map(|(place, _)| place).collect()));
    }
    // Columns with the fewest choices first.
    choices.sort_by_key(|(_, places)| places.len());
    let mut search =
        Search { choices, taken: vec![false; theirs.len()], chosen: vec![0; ours.len()], found: vec![], steps: 0 };
    search.descend(0);
    let renames = |mapping: &Vec<u32>| {
        ours.iter().zip(mapping).any(|(column, &place)| column.name != theirs[place as usize].name)
    };
    search.found.into_iter().filter(renames).collect()
}

struct Search {
    choices: Vec<(usize, Vec<u32>)>,
    taken: Vec<bool>,
    chosen: Vec<u32>,
    found: Vec<Vec<u32>>,
    steps: usize,
}

impl Search {
    fn descend(&mut self, depth: usize) {
        if self.found.len() >= TRIED || self.steps >= STEPS {
            return;
        }
        self.steps += 1;
        let Some((column, places)) = self.choices.get(depth).cloned() else {
            self.found.push(self.chosen.clone());
            return;
        };
        for place in places {
            if !self.taken[place as usize] {
                self.taken[place as usize] = true;
                self.chosen[column] = place;
                self.descend(depth + 1);
                self.taken[place as usize] = false;
            }
        }
    }
}
