//! Cache of texts that were already sketched.

use std::sync::{Arc, Mutex, PoisonError};

use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use hashbrown::HashMap;

/// Bytes per entry of the map, including its load factor.
const ENTRY: usize = 64;
/// Number of shards, each with its own lock.
const PARTS: usize = 16;

/// Maps the hash of a text's bytes to the hash of its content, as far as the memory pool allows.
///
/// The cache saves work but does not affect results: a text that is forgotten, or met by two threads at once, is sketched
/// again.
pub struct Seen {
    parts: [Mutex<HashMap<u128, u128>>; PARTS],
    reservation: MemoryReservation,
}

impl Seen {
    /// Creates an empty cache.
    pub fn new(context: &TaskContext) -> Self {
        Self::within(context.memory_pool())
    }

    /// Creates a cache without a memory limit, which never forgets.
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

    /// Looks up the content hash of a text by the hash of its bytes.
    pub fn content(&self, raw: u128) -> Option<u128> {
        self.part(raw).lock().unwrap_or_else(PoisonError::into_inner).get(&raw).copied()
    }

    /// Stores the content hash of a text.
    pub fn add(&self, raw: u128, content: u128) {
        if self.reservation.try_grow(ENTRY).is_ok() {
            self.part(raw).lock().unwrap_or_else(PoisonError::into_inner).insert(raw, content);
        }
    }

    fn part(&self, raw: u128) -> &Mutex<HashMap<u128, u128>> {
        &self.parts[(raw >> 64) as usize % PARTS]
    }
}
