//! Numbers equal contents, within the memory pool.

use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use hashbrown::HashMap;

use super::resolution::NONE;
use crate::operators::frame::OperatorContext;
use crate::storage::numbers::Numbers;
use crate::storage::records::RecordSorter;

/// Bytes per entry of the map, including its load factor.
const ENTRY: usize = 48;

/// Gives rows of equal content the same number, in order of first arrival.
///
/// A map finds contents seen before, as long as the pool allows. Beyond that, new contents receive a new number each time
/// they occur, and [`finish`](Self::finish) merges these numbers by sorting. The result is the same.
pub struct Contents {
    context: OperatorContext,
    reservation: MemoryReservation,
    seen: HashMap<u128, u32>,
    keys: Option<RecordSorter<3>>,
    of_row: Numbers<u32>,
    /// Pairs of a number and the number that replaces it.
    moved: Vec<(u32, u32)>,
    count: u32,
}

impl Contents {
    /// Starts without rows.
    pub fn new(context: &OperatorContext) -> Self {
        let pool = &context.task.runtime_env().memory_pool;
        let reservation = MemoryConsumer::new("dedup contents").with_can_spill(true).register(pool);
        Self {
            context: context.clone(),
            reservation,
            seen: HashMap::new(),
            keys: None,
            of_row: context.numbers("contents of rows"),
            moved: vec![],
            count: 0,
        }
    }

    /// Adds a row without content.
    pub fn add_null(&mut self) -> Result<()> {
        self.of_row.push(NONE)
    }

    /// Adds a row by the hash of its content. Returns true if the content is new: the caller must then store it, and numbers
    /// its stored contents in this order. `same` checks whether the content of a number really equals the row's.
    pub fn add(&mut self, mut key: u128, same: impl Fn(u32) -> Result<Same>) -> Result<bool> {
        while let Some(&number) = self.seen.get(&key) {
            match same(number)? {
                Same::Yes => {
                    self.of_row.push(number)?;
                    return Ok(false);
                }
                Same::Replaces => {
                    self.moved.push((number, self.count));
                    break;
                }
                Same::No => key = key.wrapping_add(1),
            }
        }
        let number = self.count;
        self.count += 1;
        self.of_row.push(number)?;
        if self.keys.is_none() && self.reservation.try_grow(ENTRY).is_err() {
            let env = self.context.task.runtime_env();
            let mut keys = RecordSorter::new("dedup contents", &env, self.context.spills.clone());
            for (&key, &number) in &self.seen {
                keys.push(record(key, number))?;
            }
            self.keys = Some(keys);
        }
        match &mut self.keys {
            Some(keys) => {
                self.seen.remove(&key);
                keys.push(record(key, number))?;
            }
            None => _ = self.seen.insert(key, number),
        }
        Ok(true)
    }

    /// Number of contents the caller has stored so far.
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// Returns the content number of every row. Contents that received several numbers keep one; no row has the others.
    /// `same` checks whether the content of a number really equals that of an earlier number.
    pub fn finish(mut self, same: impl Fn(u32, u32) -> Result<Same>) -> Result<Numbers<u32>> {
        self.seen = HashMap::new();
        self.reservation.free();
        if self.keys.is_none() && self.moved.is_empty() {
            return Ok(self.of_row);
        }
        let mut place = self.context.numbers("contents that take the place of others");
        (0..self.count).try_for_each(|number| place.push(number))?;
        if let Some(keys) = self.keys.take() {
            let mut hash = [0; 2];
            let mut distinct: Vec<u32> = vec![];
            for found in keys.finish()? {
                let [high, low, number] = found?;
                if hash != [high, low] {
                    (hash, distinct) = ([high, low], vec![]);
                }
                let number = number as u32;
                let mut is_new = true;
                for earlier in &mut distinct {
                    match same(*earlier, number)? {
                        Same::Yes => place.set(number as usize, *earlier)?,
                        Same::Replaces => {
                            place.set(*earlier as usize, number)?;
                            *earlier = number;
                        }
                        Same::No => continue,
                    }
                    is_new = false;
                    break;
                }
                if is_new {
                    distinct.push(number);
                }
            }
        }
        for (number, other) in self.moved.drain(..) {
            place.set(number as usize, other)?;
        }
        self.of_row.update(|_, mut number| {
            // Every step leads to a number that existed when the step was recorded, so the chain ends.
            while number != NONE {
                let next = place.get(number as usize)?;
                if next == number {
                    break;
                }
                number = next;
            }
            Ok(number)
        })?;
        Ok(self.of_row)
    }
}

/// Whether a content equals the one of an earlier number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Same {
    /// A different content with the same hash.
    No,
    /// The same content.
    Yes,
    /// The same content, but of the earlier one only the hash is known, so this one replaces it.
    Replaces,
}

fn record(key: u128, number: u32) -> [u64; 3] {
    [(key >> 64) as u64, key as u64, u64::from(number)]
}
