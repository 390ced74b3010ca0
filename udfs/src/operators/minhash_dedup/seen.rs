//! Texts that were sketched already.

use std::sync::{Arc, Mutex, PoisonError};

use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use hashbrown::HashMap;

/// Bytes an entry of the map costs, with its load factor.
const ENTRY: usize = 64;
/// Parts with a lock of their own.
const PARTS: usize = 16;

/// Remembers, from the hash of a text's bytes, the hash of its content, as far as the memory pool allows.
///
/// It saves work and decides nothing: a text that is forgotten, or that two threads meet at once, is sketched again.
pub struct Seen {
    parts: [Mutex<HashMap<u128, u128>>; PARTS],
    reservation: MemoryReservation,
}

impl Seen {
    /// Nothing seen yet.
    pub fn new(context: &TaskContext) -> Self {
        Self::within(context.memory_pool())
    }

    /// One that never forgets.
    #[cfg(test)]
    pub fn unlimited() -> Self {
        Self::within(
            &(Arc::new(datafusion::execution::memory_pool::UnboundedMemoryPool::default()) as Arc<dyn MemoryPool>),
        )
    }

    fn within(pool: &Arc<dyn MemoryPool>) -> Self {
        let reservation = MemoryConsumer::new("texts seen by minhash_dedup").with_can_spill(true).register(pool);
        Self { parts: Default::default(), reservation }
    }

    /// The content of a text with these bytes, if one was seen.
    pub fn content(&self, raw: u128) -> Option<u128> {
        self.part(raw).lock().unwrap_or_else(PoisonError::into_inner).get(&raw).copied()
    }

    /// Remembers a text.
    pub fn add(&self, raw: u128, content: u128) {
        if self.reservation.try_grow(ENTRY).is_ok() {
            self.part(raw).lock().unwrap_or_else(PoisonError::into_inner).insert(raw, content);
        }
    }

    fn part(&self, raw: u128) -> &Mutex<HashMap<u128, u128>> {
        &self.parts[(raw >> 64) as usize % PARTS]
    }
}
