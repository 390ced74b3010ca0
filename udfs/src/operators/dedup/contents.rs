//! Numbers equal contents, within the memory pool.

use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use hashbrown::HashMap;

use super::matcher::Surroundings;
use super::resolution::NONE;
use crate::storage::records::RecordSorter;

/// Bytes an entry of the map costs, with its load factor.
const ENTRY: usize = 48;

/// Gives rows of equal content one number, the numbers ascending by first arrival.
///
/// A map finds contents seen before while the pool allows; beyond that new contents get a number each time they come,
/// and [`finish`](Self::finish) joins them by sorting: the outcome is the same.
pub struct Contents {
    around: Surroundings,
    reservation: MemoryReservation,
    seen: HashMap<u128, u32>,
    keys: Option<RecordSorter<3>>,
    of_row: Vec<u32>,
    count: u32,
}

impl Contents {
    /// No rows yet.
    pub fn new(around: &Surroundings) -> Self {
        let pool = &around.context.runtime_env().memory_pool;
        let reservation = MemoryConsumer::new("dedup contents").with_can_spill(true).register(pool);
        Self { around: around.clone(), reservation, seen: HashMap::new(), keys: None, of_row: vec![], count: 0 }
    }

    /// Adds a row without content.
    pub fn add_null(&mut self) {
        self.of_row.push(NONE);
    }

    /// Adds a row with the hash of its content; true if the content is new and must be kept by the caller, who numbers
    /// them in this order. `same` says whether the content of that number is really equal to the row's.
    pub fn add(&mut self, mut key: u128, same: impl Fn(u32) -> Result<bool>) -> Result<bool> {
        while let Some(&number) = self.seen.get(&key) {
            if same(number)? {
                self.of_row.push(number);
                return Ok(false);
            }
            key = key.wrapping_add(1);
        }
        let number = self.count;
        self.count += 1;
        self.of_row.push(number);
        if self.keys.is_none() && self.reservation.try_grow(ENTRY).is_err() {
            let env = self.around.context.runtime_env();
            let mut keys = RecordSorter::new("dedup contents", &env, self.around.spills.clone());
            for (&key, &number) in &self.seen {
                keys.push(record(key, number))?;
            }
            self.keys = Some(keys);
        }
        match &mut self.keys {
            Some(keys) => keys.push(record(key, number))?,
            None => _ = self.seen.insert(key, number),
        }
        Ok(true)
    }

    /// Number of contents kept by the caller so far.
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// The number of every row's content. Contents that were numbered more than once keep their first number; the other
    /// numbers are then nobody's. `same` says whether two numbers of equal hash are really equal.
    pub fn finish(mut self, same: impl Fn(u32, u32) -> Result<bool>) -> Result<Vec<u32>> {
        self.seen = HashMap::new();
        self.reservation.free();
        let Some(keys) = self.keys.take() else { return Ok(self.of_row) };
        let mut first: Vec<u32> = (0..self.count).collect();
        let mut hash = [0; 2];
        let mut distinct: Vec<u32> = vec![];
        for found in keys.finish()? {
            let [high, low, number] = found?;
            if hash != [high, low] {
                (hash, distinct) = ([high, low], vec![]);
            }
            let number = number as u32;
            let mut equal = None;
            for &earlier in &distinct {
                if same(earlier, number)? {
                    equal = Some(earlier);
                    break;
                }
            }
            match equal {
                Some(earlier) => first[number as usize] = earlier,
                None => distinct.push(number),
            }
        }
        for number in self.of_row.iter_mut().filter(|n| **n != NONE) {
            *number = first[*number as usize];
        }
        Ok(self.of_row)
    }
}

fn record(key: u128, number: u32) -> [u64; 3] {
    [(key >> 64) as u64, key as u64, u64::from(number)]
}
