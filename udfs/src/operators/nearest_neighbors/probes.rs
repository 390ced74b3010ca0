//! How many cells a row must visit: measured on some of the rows, whose true neighbours are found among all vectors.

use datafusion::common::Result;

use super::search::{Scratch, Search};
use crate::kernels::random::mix;
use crate::kernels::vector::search::Rows;
use crate::operators::workers::Workers;

/// Rows that are measured.
const SAMPLE: usize = 512;

/// Rows of a task at least. What is found does not depend on it.
const PART: usize = 64;

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Cells that a row visits.
    pub probes: usize,
    /// Share of the true neighbours of the measured rows that are found with so many.
    pub recall: f64,
    /// True neighbours of the measured rows.
    pub neighbors: usize,
}

/// The least number of cells at which all but half of the allowed misses are found; the other half is left for the
/// difference between the measured rows and the others. O(512 n d). A sample of 512 rows with k neighbours each shows the
/// recall to within about 0.01 for k = 10.
pub fn measure(search: &Search, workers: &Workers) -> Result<Measured> {
    let (cells, queries) = (search.cells.len(), search.queries().numbers.len());
    let wanted = search.call.recall.get();
    if cells <= 1 || wanted >= 1.0 || queries == 0 {
        return Ok(Measured { probes: cells, recall: 1.0, neighbors: 0 });
    }
    let mut rows: Vec<usize> = (0..queries).collect();
    if queries > SAMPLE {
        // By hash of the number, which follows the id: where the rows lie must not matter.
        let hash = |at: &usize| mix(search.call.seed ^ mix(u64::from(search.queries().numbers[*at]) + 1));
        rows.select_nth_unstable_by_key(SAMPLE, hash);
        rows.truncate(SAMPLE);
        rows.sort_unstable();
    }
    let place = places(search);
    let dimensions = search.base.vectors.dimensions();
    // Every task reads all vectors: as few tasks as there are threads.
    let size = rows.len().div_ceil(workers.threads()).max(PART);
    let found = workers.map(rows.len().div_ceil(size), |part, scratch: &mut Scratch| {
        let rows = &rows[part * size..((part + 1) * size).min(rows.len())];
        let (mut values, mut buffer) = (vec![], vec![]);
        for &row in rows {
            values.extend_from_slice(search.queries().vectors.block(row, row + 1, &mut buffer)?);
        }
        let squared: Vec<f64> = rows.iter().map(|&row| search.queries().squared[row]).collect();
        let numbers: Vec<u32> = rows.iter().map(|&row| search.queries().numbers[row]).collect();
        let rows = Rows { values: &values, squared: &squared, dimensions };
        let nearest = search.neighbors(rows, &numbers, cells, scratch)?;
        workers.check()?;
        let (mut needed, mut ranks) = (vec![], vec![0; cells]);
        search.order(rows, cells, scratch, |at, order| {
            order.iter().zip(1..).for_each(|((_, cell), rank)| ranks[*cell as usize] = rank);
            let cell = |number: u32| search.cells.of(place[number as usize] as usize);
            needed.extend(nearest[at as usize].iter().map(|neighbor| ranks[cell(neighbor.number)]));
        });
        Ok(needed)
    })?;
    let mut needed: Vec<u32> = found.concat();
    needed.sort_unstable();
    let share = 1.0 - (1.0 - wanted) / 2.0;
    let at = ((needed.len() as f64 * share).ceil() as usize).clamp(1, needed.len().max(1));
    let probes = needed.get(at - 1).copied().unwrap_or(1);
    let reached = needed.partition_point(|need| *need <= probes);
    let recall = if needed.is_empty() { 1.0 } else { reached as f64 / needed.len() as f64 };
    Ok(Measured { probes: probes as usize, recall, neighbors: needed.len() })
}

/// The place among the cells' members of each vector, by its number.
fn places(search: &Search) -> Vec<u32> {
    let mut places = vec![0; search.base.numbers.len()];
    search.base.numbers.iter().enumerate().for_each(|(place, &number)| places[number as usize] = place as u32);
    places
}
