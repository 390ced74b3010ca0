//! Measures the own time of each of several nested streams.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

thread_local! {
    /// Nanoseconds spent on this thread in nested measured calls.
    static BELOW: Cell<u64> = const { Cell::new(0) };
}

/// Runs `work` and adds its duration in nanoseconds to `spent`, excluding nested calls of this function.
pub fn measure<T>(spent: &AtomicU64, work: impl FnOnce() -> T) -> T {
    let around = BELOW.replace(0);
    let started = Instant::now();
    let done = work();
    let took = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let below = BELOW.replace(around.saturating_add(took));
    spent.fetch_add(took.saturating_sub(below), Ordering::Relaxed);
    done
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;

    #[test]
    fn nested_work_counts_once() {
        let (outer, inner) = (AtomicU64::new(0), AtomicU64::new(0));
        measure(&outer, || {
            for _ in 0..3 {
                measure(&inner, || sleep(Duration::from_millis(20)));
            }
            sleep(Duration::from_millis(5));
        });
        let (outer, inner) = (outer.into_inner(), inner.into_inner());
        assert!(inner >= 60_000_000 && outer >= 5_000_000 && outer < inner, "{outer} {inner}");
        assert_eq!(BELOW.get() / 1_000_000_000, 0);
    }
}
