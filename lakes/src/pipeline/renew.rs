//! An incremental comparison that reuses the results of the previous one.

use std::path::Path;
use std::sync::Arc;

use datafusion::common::{Result, exec_err};
use datafusion::execution::runtime_env::RuntimeEnv;
use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};

use super::reading::{compare_samples, plans, problem, prove_bytes, read_all, swap_samples};
use super::{Rows, Work, candidates};
use crate::graph::Edge;
use crate::graph::schema::SchemaGraph;
use crate::kernels::row_hash::{Fingerprint, column_key};
use crate::lake::discover::{KnownTables, Listed};
use crate::lake::{Column, Table};
use crate::options::{Names, Options, Rows as Repeats, Stage, Types};
use crate::outcome::Outcome;
use crate::retire::dependents::discover_anew;
use crate::rows::least::Least;
use crate::rows::sketch::Sample;
use crate::rows::{ReadPlan, TableRows};
use crate::state::{self, Known, Likeness};
use crate::verify::judge::Judge;
use crate::verify::{Evidence, Found, sketch};

/// Compares like [`run`](super::run), reusing results of the previous run, which are stored below `root`, the folder of the
/// lake. An unchanged table is read again only if it must be compared with a new or changed one.
///
/// # Errors
/// Also if the state cannot be written, or if options do not allow its use.
pub async fn update(
    listed: Listed,
    options: &Options,
    env: &Arc<RuntimeEnv>,
    threads: usize,
    root: &Path,
) -> Result<Outcome> {
    if !options.stage.reads_all_rows() || options.threshold < 1.0 || options.names == Names::Any {
        return exec_err!(
            "only whole containments by the names of columns, by all rows, are kept from one time to the next"
        );
    }
    let known = Arc::new(Known::read(root, options));
    let before = Some(Arc::clone(&known) as Arc<dyn KnownTables>);
    let lake = Arc::new(discover_anew(listed, options.layout, options.names, before).await?);
    let mut known = Arc::into_inner(known).unwrap_or_default();
    let is_known = |table: &Table| {
        let identity = state::identity(table.files.iter().map(|file| &file.meta), table.version);
        known.comparable && known.tables.get(&table.name).is_some_and(|before| before.identity == identity)
    };
    let changed: Vec<bool> = lake.tables.iter().map(|table| !is_known(table)).collect();
    let as_it_was = !changed.contains(&true) && lake.tables.len() == known.tables.len();
    if !as_it_was {
        known.read_rows(root, options);
    }
    let mut outcome = Outcome::new(lake);
    let graph = SchemaGraph::new(&outcome.lake, options);
    let edges = candidates(&mut outcome, &graph, options, env, Some(&changed))?;
    let work = Work::new(&outcome.lake, options, env, threads);
    let mut carried = known.between(&outcome.lake, &changed);
    let renewal = Renewal { work: &work, known: &known, changed: &changed, graph: &graph };
    let rows = renewal.decide(&mut outcome, edges, &mut carried).await?;
    work.count(&mut outcome);
    // Whatever turned out to be unreadable has no containments.
    let failed = |table: u32| outcome.problems.iter().any(|p| p.table == outcome.lake.tables[table as usize].name);
    carried.retain(|found| !failed(found.child) && !failed(found.parent));
    outcome.found.extend(carried);
    outcome.finish();
    if outcome.problems.len() == outcome.lake.problems.len() && !as_it_was {
        known.write(root, &outcome.lake, &rows, &outcome.found, options)?;
    }
    Ok(outcome)
}

/// Tables unchanged since the last comparison, and what was known about them.
struct Renewal<'a> {
    work: &'a Work<'a>,
    known: &'a Known,
    changed: &'a [bool],
    graph: &'a SchemaGraph,
}

impl Renewal<'_> {
    fn table(&self, at: u32) -> &Table {
        &self.work.lake.tables[at as usize]
    }

    fn is_changed(&self, at: u32) -> bool {
        self.changed[at as usize]
    }

    fn samples(&self, table: u32) -> &[Sample] {
        let known = self.known.tables.get(&self.table(table).name);
        known.filter(|_| !self.is_changed(table)).map_or(&[], |known| &known.samples)
    }

    fn fingerprint(&self, table: u32, rows: &Rows) -> Option<Fingerprint> {
        let all = self.table(table).rows;
        let read = rows[table as usize].as_ref().map(|rows| rows.fingerprint);
        let known = || self.known.tables.get(&self.table(table).name).filter(|_| !self.is_changed(table))?.fingerprint;
        read.filter(|print| print.rows == all).or_else(known)
    }

    /// Decides the pairs with a changed table: first by what is known about the other table, then by reading as little of it
    /// as possible.
    async fn decide(&self, outcome: &mut Outcome, edges: Vec<Edge>, carried: &mut Vec<Found>) -> Result<Rows> {
        let (work, options, lake) = (self.work, self.work.options, &self.work.lake);
        let mut rows =
            read_all(lake, &work.reader, self.first(&edges), vec![], work.reads, &mut outcome.problems).await?;
        let mut edges = outcome.readable(edges);
        if options.stage == Stage::Exact {
            edges = self.by_fingerprints(&rows, edges, carried)?;
        }
        edges = self.by_least(&rows, edges)?;
        let mut samples: Vec<Vec<Sample>> = vec![vec![]; lake.tables.len()];
        for table in edges.iter().flat_map(|edge| [edge.0, edge.1]) {
            if samples[table as usize].is_empty() {
                samples[table as usize] = self.samples(table).to_vec();
            }
        }
        swap_samples(&mut rows, &mut samples);
        let mut samples = Arc::new(samples);
        let consistent = compare_samples(lake, &samples, edges, options, work.threads).await?;
        if let Some(samples) = Arc::get_mut(&mut samples) {
            swap_samples(&mut rows, samples);
        }
        drop(samples);
        outcome.counts.sketch = consistent.len() as u64;
        let edges = consistent.into_iter().map(|found| (found.child, found.parent)).collect::<Vec<Edge>>();
        // Of tables of one schema that were both read, the hashes of all rows tell as fast.
        let (mut open, edges): (Vec<Edge>, Vec<Edge>) = edges.into_iter().partition(|&edge| self.by_hashes(edge));
        let mut columns = work.columns();
        for (at, rows) in rows.iter().enumerate() {
            if let Some(cells) = rows.as_ref().and_then(|rows| rows.cells()) {
                columns.lend(at as u32, cells);
            }
        }
        let edges = columns.refuse(self.graph, edges, 0.0).await?;
        for (table, reason) in std::mem::take(&mut columns.failed) {
            outcome.problems.push(problem(lake, table as usize, reason));
        }
        outcome.counts.columns = (open.len() + edges.len()) as u64;
        let (cells, held) = columns.into_cells();
        let mut later = plans(lake, self.graph, &[], &edges, options);
        later.iter_mut().zip(self.changed).filter(|(_, changed)| **changed).for_each(|(plan, _)| *plan = None);
        let more = read_all(lake, &work.reader, later, cells, work.reads, &mut outcome.problems).await?;
        drop(held);
        rows.iter_mut().zip(more).for_each(|(rows, more)| *rows = rows.take().or(more));
        let rows = Arc::new(rows);
        open.extend(edges);
        work.decide(outcome, &rows, outcome.readable(open)).await?;
        if options.stage == Stage::Bytes {
            prove_bytes(outcome, &work.reader, options, work.threads).await?;
        }
        let mut rows = Arc::into_inner(rows).unwrap_or_default();
        rows.iter_mut().flatten().for_each(TableRows::forget_cells);
        Ok(rows)
    }

    /// Whether a pair is decided by row hashes that are read of both anyway.
    fn by_hashes(&self, (child, parent): Edge) -> bool {
        let width = |table: u32| self.table(table).columns.len();
        self.is_changed(child) && self.is_changed(parent) && width(child) == width(parent)
    }

    /// The changed tables of the pairs, whole, sampled by the anchors of both sides.
    fn first(&self, edges: &[Edge]) -> Vec<Option<ReadPlan>> {
        let lake = &self.work.lake;
        let mut plans: Vec<Option<ReadPlan>> = vec![None; lake.tables.len()];
        let anchors = sketch::anchors(lake, self.graph, edges);
        for &(child, parent) in edges {
            for (new, old) in [(child, parent), (parent, child)] {
                if !self.is_changed(new) {
                    continue;
                }
                let (table, other) = (self.table(new), self.table(old));
                // No more samples than are kept, but for those that the other side has.
                let kept = if table.rows < state::LARGE { 1 } else { sketch::MOST };
                let plan = plans[new as usize].get_or_insert_with(|| ReadPlan {
                    anchors: anchors[new as usize].iter().copied().take(kept).collect(),
                    hashes: true,
                    sampled: (table.rows < state::LARGE).then_some(state::FEW),
                    ..ReadPlan::default()
                });
                if self.by_hashes((child, parent)) {
                    continue;
                }
                (plan.project, plan.sampled) = (true, None);
                for sample in self.samples(old) {
                    let name = other.columns.get(sample.anchor).map(|column| &*column.name);
                    let place = table.columns.iter().position(|column| Some(&*column.name) == name);
                    if let Some(place) =
                        place.filter(|place| plan.anchors.len() < sketch::MOST && !plan.anchors.contains(place))
                    {
                        plan.anchors.push(place);
                    }
                }
            }
        }
        plans
    }

    /// Returns the edges that fingerprints leave undecided. A changed table with the rows of a known one, perhaps its own
    /// former version, also has its containments. Tables of one schema with equally many rows are either equal or, as
    /// multisets, not contained in either direction.
    fn by_fingerprints(&self, rows: &Rows, edges: Vec<Edge>, carried: &mut Vec<Found>) -> Result<Vec<Edge>> {
        let strict = self.work.options.types == Types::Strict;
        let tables = &self.work.lake.tables;
        let mut like: HashMap<Likeness, u32> = HashMap::new();
        for at in (0..tables.len() as u32).filter(|&at| !self.is_changed(at)) {
            if let Some(print) = self.fingerprint(at, rows) {
                like.entry(Likeness::of(self.table(at), print, strict)).or_insert(at);
            }
        }
        let judge = Judge::new(self.work.options);
        let mut settled: HashSet<u32> = HashSet::new();
        for at in (0..tables.len() as u32).filter(|&at| self.is_changed(at)) {
            let Some(read) = rows[at as usize].as_ref().filter(|read| read.whole) else { continue };
            let likeness = Likeness::of(self.table(at), read.fingerprint, strict);
            let before = self.known.tables.get(&self.table(at).name).filter(|_| self.known.comparable);
            let as_before = before.is_some_and(|before| before.likeness(strict).as_ref() == Some(&likeness));
            let twin = like.get(&likeness).copied();
            let name = match twin {
                _ if as_before => self.table(at).name.as_str(),
                Some(twin) => self.table(twin).name.as_str(),
                None => continue,
            };
            settled.insert(at);
            let evidence = twin.filter(|_| !as_before).map_or(Evidence::Rows, Evidence::Through);
            for (edge, matched) in self.known.of(name, at, &self.work.lake, self.changed) {
                let mut found = judge.whole(edge, read, evidence)?;
                found.rows = matched.map(|rows| (rows, rows)).or(found.rows);
                carried.push(found);
            }
            if let Some(twin) = twin.filter(|_| !as_before) {
                carried.push(judge.whole((at, twin), read, Evidence::Rows)?);
                carried.push(judge.whole((twin, at), read, Evidence::Rows)?);
            }
        }
        let mut open = vec![];
        for edge in edges {
            let (child, parent) = edge;
            if self.is_changed(child) != self.is_changed(parent)
                && [child, parent].iter().any(|table| settled.contains(table))
            {
                continue;
            }
            let (ours, theirs) = (self.table(child), self.table(parent));
            let comparable = self.work.options.rows == Repeats::Multiset
                && ours.columns.len() == theirs.columns.len()
                && ours.rows == theirs.rows;
            let prints = self.fingerprint(child, rows).zip(self.fingerprint(parent, rows)).filter(|_| comparable);
            match (prints, &rows[child as usize], &rows[parent as usize]) {
                (Some((a, b)), _, _) if a != b => {}
                (Some(_), Some(read), _) | (Some(_), None, Some(read)) => {
                    carried.push(judge.whole(edge, read, Evidence::Rows)?);
                }
                _ => open.push(edge),
            }
        }
        Ok(open)
    }

    /// The edges that the smallest row hashes of the tables that did not change leave.
    fn by_least(&self, rows: &Rows, mut edges: Vec<Edge>) -> Result<Vec<Edge>> {
        // Parent by parent, so that the rows of one at a time are projected.
        edges.sort_unstable_by_key(|&(child, parent)| (parent, child));
        let mut here = None;
        let known = |table: u32| {
            let known = self.known.tables.get(&self.table(table).name).filter(|_| !self.is_changed(table));
            known.and_then(|known| known.least.as_ref())
        };
        let mut read: HashMap<u32, Least> = HashMap::new();
        let mut projected: HashMap<Vec<(usize, u128)>, Option<HashSet<u64>>> = HashMap::new();
        let mut open = vec![];
        for (child, parent) in edges {
            if here.replace(parent) != Some(parent) {
                projected.clear();
            }
            let (ours, theirs) = (&self.table(child).columns, &self.table(parent).columns);
            let may_be = if let (Some(least), Some(wide)) = (known(child), &rows[parent as usize]) {
                let place = |column: &Column| {
                    let place = theirs.iter().position(|other| other.name == column.name)?;
                    Some((place, column_key(&column.name)))
                };
                let columns: Vec<(usize, u128)> = ours.iter().filter_map(place).collect();
                let all = projected.entry(columns).or_insert_with_key(|columns| wide.projected(columns));
                all.as_ref().is_none_or(|all| least.are_in(all))
            } else if let (Some(narrow), Some(least)) = (&rows[child as usize], known(parent))
                && ours.len() == theirs.len()
            {
                let mine = match read.entry(child) {
                    Entry::Occupied(mine) => mine.into_mut(),
                    Entry::Vacant(place) => place.insert(Least::of(&narrow.hashes)?),
                };
                mine.may_be_in(least)
            } else {
                true
            };
            if may_be {
                open.push((child, parent));
            }
        }
        Ok(open)
    }
}
