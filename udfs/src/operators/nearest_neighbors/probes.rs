//! Measures how many IVF lists a row must visit, on a sample of rows whose true neighbours are found by brute force.

use datafusion::common::Result;

use super::search::{Scratch, Search};
use crate::kernels::random::mix;
use crate::kernels::vector::search::Rows;
use crate::operators::workers::Workers;

/// Number of sampled rows.
const SAMPLE: usize = 512;

/// Minimum number of rows per task. It does not affect results.
const PART: usize = 64;

/// The result of the measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Number of lists that a row visits.
    pub probes: usize,
    /// Fraction of the true neighbours of the sampled rows found with that many lists.
    pub recall: f64,
    /// Number of true neighbours of the sampled rows.
    pub neighbors: usize,
}

/// Returns the smallest number of lists that misses at most half of the neighbours that `recall` allows to miss. The other
/// half is reserved for the difference between the sample and other rows. O(512 n d). With k neighbours each, a sample of 512
/// rows shows the recall to within about 0.01 for k = 10.
pub fn measure(search: &Search, workers: &Workers) -> Result<Measured> {
    let (cells, queries) = (search.cells.len(), search.queries().numbers.len());
    let wanted = search.call.recall.get();
    if cells <= 1 || wanted >= 1.0 || queries == 0 {
        return Ok(Measured { probes: cells, recall: 1.0, neighbors: 0 });
    }
    let mut rows: Vec<usize> = (0..queries).collect();
    if queries > SAMPLE {
        // Select by a hash of the row number, which follows the id, so that the physical order of rows does not matter.
        let hash = |at: &usize| mix(search.call.seed ^ mix(u64::from(search.queries().numbers[*at]) + 1));
        rows.select_nth_unstable_by_key(SAMPLE, hash);
        rows.truncate(SAMPLE);
        rows.sort_unstable();
    }
    let place = places(search);
    let dimensions = search.base.vectors.dimensions();
    // Every task reads all vectors, so make only as many tasks as there are threads.
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

/// Maps each vector number to its position in the lists' members.
fn places(search: &Search) -> Vec<u32> {
    let mut places = vec![0; search.base.numbers.len()];
    search.base.numbers.iter().enumerate().for_each(|(place, &number)| places[number as usize] = place as u32);
    places
}
