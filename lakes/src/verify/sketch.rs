//! Compares pairs by column-anchored samples.

use hashbrown::HashMap;

use super::{Evidence, Found, State};
use crate::graph::Edge;
use crate::graph::schema::SchemaGraph;
use crate::kernels::binomial::interval;
use crate::lake::{Lake, Table};
use crate::options::Options;
use crate::rows::read::keys;
use crate::rows::sketch::{Sample, Verdict, compare};

/// Anchors of a child.
const ANCHORS: usize = 3;
/// Maximum number of anchors of a parent with children of many schemas.
pub const MOST: usize = 12;

/// How varied the values of equally named columns are over the whole lake: bytes per value before compression.
pub fn spread(lake: &Lake) -> impl Fn(&str) -> f64 {
    let mut spread: HashMap<&str, (u64, u64)> = HashMap::new();
    for table in &lake.tables {
        for column in table.columns.iter() {
            let (bytes, rows) = spread.entry(&*column.name).or_default();
            *bytes += column.stats.encoded;
            *rows += table.rows;
        }
    }
    move |name| spread.get(name).map_or(0.0, |(bytes, rows)| *bytes as f64 / (*rows).max(1) as f64)
}

/// Selects the columns of each table to sample: for a child, those with the most varied values over the whole lake; for a
/// parent, according to its children, so that both share an anchor.
pub fn anchors(lake: &Lake, graph: &SchemaGraph, edges: &[Edge]) -> Vec<Vec<usize>> {
    let score = spread(lake);
    let mut group_of = vec![u32::MAX; lake.tables.len()];
    let mut of_group: Vec<Vec<&str>> = vec![];
    for (at, group) in graph.groups.iter().enumerate() {
        group.tables.iter().for_each(|&table| group_of[table as usize] = at as u32);
        let mut names: Vec<&str> = group.names.iter().map(|&name| graph.names[name as usize].as_str()).collect();
        names.sort_by(|a, b| score(b).total_cmp(&score(a)).then(a.cmp(b)));
        names.truncate(ANCHORS);
        of_group.push(names);
    }
    let mut wanted: Vec<Vec<&str>> = vec![vec![]; lake.tables.len()];
    let mut seen: hashbrown::HashSet<(u32, u32)> = hashbrown::HashSet::new();
    for &(child, parent) in edges {
        let group = group_of[child as usize];
        for table in [child, parent] {
            if seen.insert((table, group)) {
                wanted[table as usize].extend(&of_group[group as usize]);
            }
        }
    }
    let place = |table: &Table, name: &str| table.columns.iter().position(|column| *column.name == *name);
    let places = |(table, mut names): (&Table, Vec<&str>)| {
        names.sort_by(|a, b| score(b).total_cmp(&score(a)).then(a.cmp(b)));
        names.dedup();
        names.into_iter().filter_map(|name| place(table, name)).take(MOST).collect()
    };
    lake.tables.iter().zip(wanted).map(places).collect()
}

/// The result of comparing the samples of a pair; `None` if they disprove it.
pub fn judge(lake: &Lake, edge: Edge, child: &[Sample], parent: &[Sample], options: &Options) -> Option<Found> {
    let (a, b) = (&lake.tables[edge.0 as usize], &lake.tables[edge.1 as usize]);
    let place = |name: &str| b.columns.iter().position(|column| *column.name == *name);
    let mut found = Found::metadata(edge, State::SketchConsistent);
    let mut best = 0;
    let mut places = None;
    for sample in child {
        let Some(anchor) = place(&a.columns[sample.anchor].name) else { continue };
        let Some(other) = parent.iter().find(|other| other.anchor == anchor) else { continue };
        let places = places.get_or_insert_with(|| {
            a.columns.iter().map(|column| place(&column.name)).collect::<Option<Vec<usize>>>().unwrap_or_default()
        });
        if places.len() < a.columns.len() {
            continue;
        }
        match compare(sample, other, places, &keys(a), options.rows) {
            Verdict::Disproved => return None,
            Verdict::Consistent(values) => best = best.max(values),
        }
    }
    found.evidence = Evidence::Anchors(best);
    found.similarity = (best > 0).then_some(1.0);
    found.interval = Some(interval(best, best, options.confidence));
    Some(found)
}
