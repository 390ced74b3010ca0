//! The memory pool: fair shares, adjusted for what operators take beyond their reservations.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::common::{Result, resources_datafusion_err};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, human_readable_size,
};

/// Consumers that hold more than they reserve, and by what factor, at worst.
///
/// An aggregate that runs out of memory copies its groups into a batch, and sorts that into another batch, before it releases
/// the first. Merging groups takes twice the reservation, collecting them three times, and four times if texts are small,
/// since each is an allocation of its own.
const HUNGRY: [(&str, usize); 3] =
    [("PartialHashAggregateStream", 4), ("FinalHashAggregateStream", 2), ("SingleHashAggregateStream", 2)];

/// The consumer that is never refused. When several partitions are redistributed, DataFusion 55 writes refused rows to
/// several files, reads one of them to its end, and waits forever if the next rows are in another file while the writers wait
/// for room. It holds little: writers wait once every reader has rows.
const NEVER_REFUSED: &str = "RepartitionExec";

/// The consumer that claims to spill but cannot: DataFusion 55 completes groups of sorted rows in it.
const NEVER_SPILLS: &str = "OrderedFinalAggregateStream";

/// The consumer that claims it cannot spill but can: rows with equal keys in a sort-merge join, which are compared with those
/// of the other side. If all keys are equal, it would take everything that is left.
const SPILLS: &str = "SMJStream";

/// Consumers that can spill leave one part in this many of the remaining memory to those that cannot. Writing files, or
/// joining rows with equal keys, comes last and fails if nothing is left.
const FREE: usize = 4;

/// A pool with a byte limit. Consumers that can spill receive equal shares of three quarters of what those that cannot have
/// left.
#[derive(Debug)]
pub struct Pool {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Consumers that can spill.
    spilling: usize,
    /// Bytes of consumers that can spill.
    spillable: usize,
    /// Bytes of the others.
    fixed: usize,
}

impl Pool {
    /// A pool of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of bytes actually taken if this consumer reserves `reserved`.
fn taken(consumer: &MemoryConsumer, reserved: usize) -> usize {
    let hungry = HUNGRY.iter().find(|(name, _)| consumer.name().starts_with(name));
    hungry.map_or(reserved, |(_, times)| reserved.saturating_mul(*times))
}

fn can_spill(consumer: &MemoryConsumer) -> bool {
    let name = consumer.name();
    consumer.can_spill() && !name.starts_with(NEVER_SPILLS) || name.starts_with(SPILLS)
}

impl MemoryPool for Pool {
    fn name(&self) -> &str {
        "limpid"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if can_spill(consumer) {
            self.state().spilling += 1;
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if can_spill(consumer) {
            let mut state = self.state();
            state.spilling = state.spilling.saturating_sub(1);
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        let bytes = taken(reservation.consumer(), additional);
        let mut state = self.state();
        if can_spill(reservation.consumer()) {
            state.spillable += bytes;
        } else {
            state.fixed += bytes;
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let bytes = taken(reservation.consumer(), shrink);
        let mut state = self.state();
        let from = if can_spill(reservation.consumer()) { &mut state.spillable } else { &mut state.fixed };
        *from = from.saturating_sub(bytes);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let bytes = taken(reservation.consumer(), additional);
        let mut state = self.state();
        let spills = can_spill(reservation.consumer());
        let left = if reservation.consumer().name().starts_with(NEVER_REFUSED) {
            usize::MAX
        } else if spills {
            let left = self.limit.saturating_sub(state.fixed);
            let free = left - left / FREE;
            let share = free / state.spilling.max(1);
            share.saturating_sub(taken(reservation.consumer(), reservation.size()))
        } else {
            self.limit.saturating_sub(state.fixed + state.spillable)
        };
        if bytes > left {
            return Err(resources_datafusion_err!(
                "Failed to allocate additional {} for {} with {} already allocated for this reservation - {} remain available for the total memory pool: {self}",
                human_readable_size(additional),
                reservation.consumer().name(),
                human_readable_size(reservation.size()),
                human_readable_size(left)
            ));
        }
        if spills {
            state.spillable += bytes;
        } else {
            state.fixed += bytes;
        }
        Ok(())
    }

    fn reserved(&self) -> usize {
        let state = self.state();
        state.spillable + state.fixed
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}(pool_size: {})", self.name(), human_readable_size(self.limit))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn joins_of_sorted_inputs_leave_room_for_others() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Pool::new(1_200));
        let join = MemoryConsumer::new("SMJStream[0]").register(&pool);
        let sort = MemoryConsumer::new("sort[0]").with_can_spill(true).register(&pool);
        join.try_grow(450).unwrap();
        assert!(join.try_grow(1).is_err());
        sort.try_grow(450).unwrap();
        drop((join, sort));
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn shares_are_equal_and_hungry_consumers_count_more() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Pool::new(1_200));
        let spilling = |name: &str| MemoryConsumer::new(name).with_can_spill(true).register(&pool);
        let fixed = MemoryConsumer::new("fixed").register(&pool);
        fixed.try_grow(100).unwrap();
        let (sort, group) = (spilling("sort[0]"), spilling("PartialHashAggregateStream[0]"));
        sort.try_grow(412).unwrap();
        assert!(sort.try_grow(1).is_err());
        group.try_grow(103).unwrap();
        assert!(group.try_grow(1).is_err());
        assert_eq!(pool.reserved(), 924);
        group.shrink(100);
        group.resize(0);
        sort.free();
        drop((sort, group));
        assert_eq!(pool.reserved(), 100);
        assert!(fixed.try_grow(1_101).is_err());
        fixed.try_grow(1_100).unwrap();
        fixed.free();
        assert_eq!(pool.reserved(), 0);
    }
}
