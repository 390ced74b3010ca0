//! Min-max pruning with sound rules only.
//!
//! A pair is removed only if footers prove that child A is not contained in parent B. For a column in which A has a value,
//! the proofs are:
//! * A's *exact* minimum is below B's lower bound (A has a value that B cannot have), or A's exact maximum is above B's upper
//!   bound;
//! * the ranges are disjoint;
//! * A has a NULL and B is known to have none;
//! * B is all NULL;
//! * counting repeated rows, A has more rows.
//!
//! B's bounds may be loose; A's must be exact, except for the test of disjoint ranges. All tests have one form: two numbers
//! of the child must lie between two of the parent. The possible parents of a child are therefore found by range search on
//! the most selective column, and the other columns are only tested on those.

use hashbrown::HashMap;

use super::Edge;
use super::schema::{Block, SchemaGraph};
use crate::kernels::ranges::Ranges;
use crate::lake::{Class, Column, Lake, Range};
use crate::options::{Options, Rows, Types};

/// The lowest and the highest rank: unknown bounds.
const LOWEST: u32 = 0;
const HIGHEST: u32 = u32::MAX;

/// The condition that a column, or the number of rows, imposes on a pair: `lower(parent) <= lower(child)` and
/// `upper(parent) >= upper(child)`.
#[derive(Debug, Clone, Copy)]
struct Limits {
    as_parent: (u32, u32),
    as_child: (u32, u32),
}

const NONE: Limits = Limits { as_parent: (LOWEST, HIGHEST), as_child: (HIGHEST, LOWEST) };

/// Bounds of all tables as ranks, which are comparable within a column name and class.
#[derive(Debug)]
pub struct Minmax {
    /// For each table, for each column, in the order of the table: bounds, then NULLs.
    columns: Vec<Vec<[Limits; 2]>>,
    classes: Vec<Vec<Class>>,
    /// The number of rows.
    rows: Vec<Limits>,
}

impl Minmax {
    /// Ranks the bounds of every column.
    pub fn new(lake: &Lake, options: &Options) -> Self {
        let mut values: HashMap<(&str, Class), Vec<Ranked<'_>>> = HashMap::new();
        for column in lake.tables.iter().flat_map(|table| table.columns.iter()) {
            if let Some(range) = range(column, options) {
                let all = values.entry((&*column.name, column.class)).or_default();
                for bound in [&range.min, &range.max] {
                    all.push(ranked(&bound.low));
                    all.extend((bound.high != bound.low).then(|| ranked(&bound.high)));
                }
            }
        }
        for all in values.values_mut() {
            all.sort_unstable();
            all.dedup();
        }
        let near = options.threshold < 1.0;
        let limits = |column: &Column| {
            let all = values.get(&(&*column.name, column.class)).map_or(&[][..], Vec::as_slice);
            let range = range(column, options);
            if near { [disjoint(column, range, all), NONE] } else { [bounds(column, range, all), nulls(column)] }
        };
        let columns = lake.tables.iter().map(|table| table.columns.iter().map(limits).collect()).collect();
        let classes =
            lake.tables.iter().map(|table| table.columns.iter().map(|column| column.class).collect()).collect();
        let rows = lake.tables.iter().map(|table| match options.rows {
            Rows::Multiset if options.threshold >= 1.0 => {
                let rows = u32::try_from(table.rows).unwrap_or(HIGHEST);
                Limits { as_parent: (LOWEST, rows), as_child: (HIGHEST, rows) }
            }
            Rows::Multiset | Rows::Set => NONE,
        });
        let rows = rows.collect();
        Self { columns, classes, rows }
    }

    /// Appends the pairs of a block that nothing rules out. If `changed` is given, only pairs with a changed table are
    /// considered.
    pub fn prune(&self, graph: &SchemaGraph, block: &Block, changed: Option<&[bool]>, found: &mut Vec<Edge>) {
        let (child, parent) = (&graph.groups[block.child as usize], &graph.groups[block.parent as usize]);
        let is_new = |table: u32| changed.is_none_or(|changed| changed[table as usize]);
        let new_parents: Vec<usize> = (0..parent.tables.len()).filter(|&p| is_new(parent.tables[p])).collect();
        if new_parents.is_empty() && !child.tables.iter().any(|&table| is_new(table)) {
            return;
        }
        let places = graph.places(block);
        let mut tests: Vec<(Spans, Spans)> = vec![];
        let mut test = |of_parent: &dyn Fn(usize) -> Limits, of_child: &dyn Fn(usize) -> Limits| {
            let parents: Vec<_> = parent.tables.iter().map(|&table| of_parent(table as usize).as_parent).collect();
            let children: Vec<_> = child.tables.iter().map(|&table| of_child(table as usize).as_child).collect();
            if children.iter().any(|&limits| limits != NONE.as_child)
                && parents.iter().any(|&limits| limits != NONE.as_parent)
            {
                tests.push((parents, children));
            }
        };
        test(&|table| self.rows[table], &|table| self.rows[table]);
        for (at, &place) in places.iter().enumerate() {
            let (c, p) = (child.columns[at] as usize, parent.columns[place] as usize);
            // Comparison as text also matches kinds whose bounds have different orders.
            let class = |table: &u32, column: usize| self.classes[*table as usize][column];
            let same =
                child.tables.first().map(|table| class(table, c)) == parent.tables.first().map(|table| class(table, p));
            for kind in 0..2 {
                if same || kind == 1 {
                    test(&|table| self.columns[table][p][kind], &|table| self.columns[table][c][kind]);
                }
            }
        }
        let allowed = |child: usize, parent: usize| {
            tests.iter().all(|(parents, children)| {
                let ((lower, upper), (least, most)) = (parents[parent], children[child]);
                lower <= least && upper >= most
            })
        };
        let mut push = |c: usize, p: usize| {
            let edge = (child.tables[c], parent.tables[p]);
            if edge.0 != edge.1 && allowed(c, p) {
                found.push(edge);
            }
        };
        match best(&tests, child.tables.len(), parent.tables.len()) {
            None => (0..child.tables.len()).for_each(|c| match is_new(child.tables[c]) {
                true => (0..parent.tables.len()).for_each(|p| push(c, p)),
                false => new_parents.iter().for_each(|&p| push(c, p)),
            }),
            Some(at) => {
                let (parents, children) = &tests[at];
                let index = Ranges::new(parents);
                for (c, &(least, most)) in children.iter().enumerate() {
                    if is_new(child.tables[c]) {
                        index.holding(least, most, &mut |p| push(c, p as usize));
                    } else {
                        new_parents.iter().for_each(|&p| push(c, p));
                    }
                }
            }
        }
    }
}

/// One range of ranks per table.
type Spans = Vec<(u32, u32)>;

/// Chooses the test that leaves the fewest pairs, estimated on a sample of children; `None` for a block that is too small to
/// index.
fn best(tests: &[(Spans, Spans)], children: usize, parents: usize) -> Option<usize> {
    if children * parents < 4096 {
        return None;
    }
    let (child_step, parent_step) = ((children / 16).max(1), (parents / 256).max(1));
    let left = |(parents, children): &(Spans, Spans)| {
        let pairs = children.iter().step_by(child_step).map(|&(least, most)| {
            parents.iter().step_by(parent_step).filter(|(lower, upper)| *lower <= least && *upper >= most).count()
        });
        pairs.sum::<usize>()
    };
    (0..tests.len()).min_by_key(|&at| left(&tests[at]))
}

/// The range of a column's values, if its order is that of the comparison. Bounds of texts are not bounds of the values that
/// the texts spell.
fn range<'a>(column: &'a Column, options: &Options) -> Option<&'a Range> {
    let parsed = options.types == Types::Parsed && column.class == Class::Text;
    column.stats.range.as_ref().filter(|_| !parsed)
}

/// A bound preceded by its first bytes as a number, which usually decide a comparison without reading the bound.
type Ranked<'a> = (u64, &'a [u8]);

fn ranked(key: &[u8]) -> Ranked<'_> {
    let mut first = [0; 8];
    let length = key.len().min(8);
    first[..length].copy_from_slice(&key[..length]);
    (u64::from_be_bytes(first), key)
}

/// The place of a bound among all.
fn rank(all: &[Ranked<'_>], key: &[u8]) -> u32 {
    all.binary_search(&ranked(key)).map_or(LOWEST, |at| at as u32 + 1)
}

fn bounds(column: &Column, range: Option<&Range>, all: &[Ranked<'_>]) -> Limits {
    let rank = |key: &[u8]| rank(all, key);
    if column.class == Class::Null {
        // A column without values: as a parent it cannot contain a child's values, and as a child it imposes no condition.
        return Limits { as_parent: (HIGHEST, LOWEST), ..NONE };
    }
    let Some(range) = range else { return NONE };
    let (min, max) = (&range.min, &range.max);
    Limits {
        as_parent: (rank(&min.low), rank(&max.high)),
        as_child: (
            rank(if min.exact { &min.high } else { &max.high }),
            rank(if max.exact { &max.low } else { &min.low }),
        ),
    }
}

/// For near-containment, no row can match if the ranges of a column without NULLs are disjoint. Nothing weaker is a proof.
fn disjoint(column: &Column, range: Option<&Range>, all: &[Ranked<'_>]) -> Limits {
    let Limits { as_parent, .. } = bounds(column, range, all);
    let rank = |key: &[u8]| rank(all, key);
    let as_child = match range {
        Some(range) if column.stats.nulls == Some(0) => (rank(&range.max.high), rank(&range.min.low)),
        _ => NONE.as_child,
    };
    Limits { as_parent, as_child }
}

fn nulls(column: &Column) -> Limits {
    let may = u32::from(column.stats.nulls != Some(0));
    let has = u32::from(column.stats.nulls.is_some_and(|nulls| nulls > 0));
    Limits { as_parent: (LOWEST, may), as_child: (HIGHEST, has) }
}
