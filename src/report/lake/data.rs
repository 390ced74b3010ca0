//! What the page about a lake shows.

use serde::Serialize;

/// The page.
#[derive(Debug, Default, Serialize)]
pub struct LakeReport {
    /// The lake as it was named.
    pub lake: String,
    /// Its tables with rows.
    pub tables: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Pairs of which one holds the other.
    pub pairs: u64,
    /// Groups of two and more tables with the same rows.
    pub equal_groups: u64,
    /// Tables that may go, and their bytes.
    pub going: u64,
    /// Their bytes.
    pub saved_bytes: u64,
    /// Monthly cost of keeping everything.
    pub keeping: f64,
    /// Monthly cost by the plan.
    pub cost: f64,
    /// How far the plan can be from the optimum at most, in percent.
    pub gap: f64,
    /// Kept tables and what goes because of them, those that save most first.
    pub groups: Vec<Group>,
    /// The tables that save most, beside what they are rebuilt from.
    pub candidates: Vec<Candidate>,
    /// Tables left out, and why.
    pub problems: Vec<(String, String)>,
}

/// A kept table and what can be rebuilt from it.
#[derive(Debug, Serialize)]
pub struct Group {
    /// The kept table.
    pub source: String,
    /// Its bytes.
    pub bytes: u64,
    /// What can be rebuilt from it.
    pub members: Vec<Member>,
}

/// A table that can be rebuilt.
#[derive(Debug, Serialize)]
pub struct Member {
    /// The table.
    pub table: String,
    /// Its bytes.
    pub bytes: u64,
    /// Whether it has all rows and columns of its source.
    pub equal: bool,
}

/// A table beside its source.
#[derive(Debug, Serialize)]
pub struct Candidate {
    /// The table that may go.
    pub table: Side,
    /// What it is rebuilt from.
    pub source: Side,
    /// Saved a month.
    pub saves: f64,
    /// Seconds that a rebuild takes.
    pub seconds: f64,
    /// How sure the containment is.
    pub state: &'static str,
}

/// One of two tables.
#[derive(Debug, Serialize)]
pub struct Side {
    /// Its name.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// Names of columns.
    pub columns: Vec<String>,
    /// Some rows as text: of the source, those that the table's rows are.
    pub sample: Vec<Vec<String>>,
}
