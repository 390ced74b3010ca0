//! Decides which contained tables are cheaper to rebuild on demand than to keep.
//!
//! A plan drops nothing. It says what would be saved, from what each table would be rebuilt, and how far it can be from the
//! optimum at most. Only kept tables serve as sources, so every rebuild is a single step.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;

use crate::kernels::facility::{Costs, solve};
use crate::lake::{Lake, Table};
use crate::outcome::Outcome;
use crate::verify::State;

/// Search tree nodes visited per group of tables connected by containment.
const BUDGET: usize = 2000;
const GIGABYTE: f64 = 1e9;

/// Monthly prices, in any one currency.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "Given")]
pub struct Prices {
    /// Keeping a gigabyte.
    pub storage: f64,
    /// Maintenance per kept gigabyte: scans for privacy requests, backups.
    pub maintenance: f64,
    /// Reading a gigabyte.
    pub read: f64,
    /// Writing a rebuilt gigabyte.
    pub write: f64,
    /// Number of uses per table and month, unless `uses` has the table.
    pub accesses: f64,
    /// Gigabytes read in a second when a table is rebuilt.
    pub throughput: f64,
    /// Seconds that a rebuild may take at most.
    pub latency: f64,
    /// How often a table of that name is used a month.
    pub uses: BTreeMap<String, f64>,
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            storage: 0.023,
            maintenance: 0.0,
            read: 0.002,
            write: 0.005,
            accesses: 1.0,
            throughput: 0.1,
            latency: 3600.0,
            uses: BTreeMap::new(),
        }
    }
}

/// The recommendation for one table.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// The table.
    pub table: u32,
    /// Its source; `None` if it is kept.
    pub from: Option<u32>,
    /// Monthly cost of keeping it.
    pub keeping: f64,
    /// Monthly cost by the plan.
    pub planned: f64,
    /// How long a rebuild takes.
    pub seconds: Option<f64>,
    /// How certain the containment is on which the rebuild relies.
    pub state: Option<State>,
    /// Why the table is dropped or kept.
    pub why: String,
}

/// A plan for all tables of a lake.
#[derive(Debug, Clone, PartialEq)]
pub struct RetentionPlan {
    /// One for each table that has rows, in their order.
    pub advice: Vec<Advice>,
    /// Monthly cost by the plan.
    pub cost: f64,
    /// Lower bound: no plan costs less.
    pub bound: f64,
    /// Monthly cost of keeping everything.
    pub keeping: f64,
    /// Bytes of the tables that would be dropped.
    pub bytes: u64,
}

impl RetentionPlan {
    /// How far the cost can be above the minimum, in percent of it.
    pub fn gap(&self) -> f64 {
        if self.cost > 0.0 { (self.cost - self.bound).max(0.0) / self.cost * 100.0 } else { 0.0 }
    }
}

/// Prices as a file gives them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    storage: Option<f64>,
    maintenance: Option<f64>,
    read: Option<f64>,
    write: Option<f64>,
    accesses: Option<f64>,
    throughput: Option<f64>,
    latency: Option<f64>,
    #[serde(default)]
    uses: BTreeMap<String, f64>,
}

impl From<Given> for Prices {
    fn from(given: Given) -> Self {
        let default = Self::default();
        Self {
            storage: given.storage.unwrap_or(default.storage),
            maintenance: given.maintenance.unwrap_or(default.maintenance),
            read: given.read.unwrap_or(default.read),
            write: given.write.unwrap_or(default.write),
            accesses: given.accesses.unwrap_or(default.accesses),
            throughput: given.throughput.unwrap_or(default.throughput),
            latency: given.latency.unwrap_or(default.latency),
            uses: given.uses,
        }
    }
}

fn gigabytes(table: &Table) -> f64 {
    table.bytes as f64 / GIGABYTE
}

/// What a price may be.
const PRICE: RangeInclusive<f64> = 0.0..=1e12;
/// What the throughput may be, by which sizes are divided.
const THROUGHPUT: RangeInclusive<f64> = 1e-6..=1e12;

impl Prices {
    /// The names of the prices.
    pub const NAMES: [&str; 7] = ["storage", "maintenance", "read", "write", "accesses", "throughput", "latency"];

    /// Each price with its name and what it may be.
    pub fn fields(&mut self) -> [(&'static str, &mut f64, RangeInclusive<f64>); 7] {
        let Self { storage, maintenance, read, write, accesses, throughput, latency, uses: _ } = self;
        let [a, b, c, d, e, f, g] = Self::NAMES;
        [
            (a, storage, PRICE),
            (b, maintenance, PRICE),
            (c, read, PRICE),
            (d, write, PRICE),
            (e, accesses, PRICE),
            (f, throughput, THROUGHPUT),
            (g, latency, PRICE),
        ]
    }

    /// Checks every price.
    ///
    /// # Errors
    /// The first that is not allowed.
    pub fn check(&self) -> Result<(), String> {
        let mut prices = self.clone();
        let uses = self.uses.iter().map(|(table, uses)| (table.as_str(), *uses, PRICE));
        let all = prices.fields().map(|(name, price, allowed)| (name, *price, allowed));
        match all.into_iter().chain(uses).find(|(_, price, allowed)| !allowed.contains(price)) {
            Some((name, price, allowed)) => {
                Err(format!("`{name}` must be a number from {} to {}, not {price}", allowed.start(), allowed.end()))
            }
            None => Ok(()),
        }
    }

    fn uses(&self, table: &Table) -> f64 {
        self.uses.get(&table.name).copied().unwrap_or(self.accesses)
    }

    /// Monthly cost of keeping a table and reading it as often as it is used.
    pub fn keeping(&self, table: &Table) -> f64 {
        gigabytes(table) * (self.storage + self.maintenance + self.uses(table) * self.read)
    }

    /// Monthly cost of rebuilding the table from `parent` for each use. The parent is read completely.
    pub fn rebuilding(&self, table: &Table, parent: &Table) -> f64 {
        self.uses(table) * (gigabytes(parent) * self.read + gigabytes(table) * self.write)
    }

    /// How long that takes.
    pub fn seconds(&self, parent: &Table) -> f64 {
        gigabytes(parent) / self.throughput
    }
}

/// Computes a plan over full containments that is optimal or close to it; `bound` says how close.
pub fn plan(outcome: &Outcome, prices: &Prices) -> RetentionPlan {
    let lake: &Lake = &outcome.lake;
    let table = |at: u32| &lake.tables[at as usize];
    let mut costs = Costs {
        // Tables without rows are not part of the question.
        keep: lake.tables.iter().map(|table| if table.rows == 0 { 0.0 } else { prices.keeping(table) }).collect(),
        rebuild: vec![vec![]; lake.tables.len()],
    };
    let (mut states, mut parents) = (BTreeMap::new(), BTreeMap::<u32, Vec<u32>>::new());
    for found in &outcome.found {
        let proved = matches!(found.state, State::HashExact | State::ByteExact);
        if !proved || found.rows.is_none_or(|(rows, matched)| rows != matched) {
            continue;
        }
        parents.entry(found.child).or_default().push(found.parent);
        if table(found.child).why_it_stays().is_none() && prices.seconds(table(found.parent)) <= prices.latency {
            let price = prices.rebuilding(table(found.child), table(found.parent));
            costs.rebuild[found.child as usize].push((found.parent, price));
            states.insert((found.child, found.parent), found.state);
        }
    }
    let solution = solve(&costs, BUDGET);
    let (mut advice, mut bytes) = (vec![], 0);
    for (at, &from) in solution.from.iter().enumerate() {
        let (here, keeping) = (at as u32, costs.keep[at]);
        let why = || why(lake, here, from, &solution.from, parents.get(&here), !costs.rebuild[at].is_empty());
        if lake.tables[at].rows == 0 {
            continue;
        }
        let kept = from == here;
        if !kept {
            bytes += lake.tables[at].bytes;
        }
        advice.push(Advice {
            table: here,
            from: (!kept).then_some(from),
            keeping,
            planned: if kept { keeping } else { prices.rebuilding(table(here), table(from)) },
            seconds: (!kept).then(|| prices.seconds(table(from))),
            state: states.get(&(here, from)).copied(),
            why: why(),
        });
    }
    let keeping = costs.keep.iter().sum();
    RetentionPlan { advice, cost: solution.cost, bound: solution.bound, keeping, bytes }
}

/// Why a table is dropped or kept. `from` is the source of each table, itself if kept; `parents` contain its rows; `possible`
/// says whether it could be dropped.
fn why(lake: &Lake, table: u32, from: u32, all: &[u32], parents: Option<&Vec<u32>>, possible: bool) -> String {
    let name = |at: u32| lake.tables[at as usize].name.as_str();
    if from != table {
        return format!("{} has all its rows", name(from));
    }
    let sources = all.iter().zip(0..).filter(|&(&from, at)| from == table && at != table).count();
    if sources > 0 {
        return match sources {
            1 => "a table that goes is rebuilt from it".to_owned(),
            _ => format!("{sources} tables that go are rebuilt from it"),
        };
    }
    let Some(parent) = parents.and_then(|parents| parents.first()) else {
        return "no other table has all its rows".to_owned();
    };
    let but = match (lake.tables[table as usize].why_it_stays(), possible) {
        (Some(why), _) => why,
        (None, true) => "rebuilding it costs more than keeping it",
        (None, false) => "rebuilding it takes longer than the prices allow",
    };
    format!("{} has all its rows, but {but}", name(*parent))
}
