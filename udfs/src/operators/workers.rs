//! A pool of threads for numbered tasks.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::execution::TaskContext;

/// As many threads as the session has partitions. Which thread runs a task never affects a result: a task sees only its
/// number, and results are returned in the order of the numbers.
#[derive(Debug, Clone)]
pub struct Workers {
    threads: usize,
    cancelled: Arc<AtomicBool>,
}

impl Workers {
    /// Creates the workers of a session.
    pub fn new(context: &TaskContext) -> Self {
        Self { threads: context.session_config().target_partitions().max(1), cancelled: Arc::default() }
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The same workers with a single thread, for work within a task.
    pub fn alone(&self) -> Self {
        Self { threads: 1, cancelled: Arc::clone(&self.cancelled) }
    }

    /// Returns an error if the query was cancelled.
    pub fn check(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            return exec_err!("cancelled");
        }
        Ok(())
    }

    /// Runs the tasks from 0 up to `tasks` and returns their results in order. A thread passes the same scratch memory to all
    /// of its tasks.
    pub fn map<S: Default, T: Send>(
        &self,
        tasks: usize,
        work: impl Fn(usize, &mut S) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let threads = self.threads.min(tasks);
        if threads <= 1 {
            let mut scratch = S::default();
            return (0..tasks).map(|task| self.check().and_then(|()| work(task, &mut scratch))).collect();
        }
        let next = AtomicUsize::new(0);
        let run = || -> Result<Vec<(usize, T)>> {
            let (mut scratch, mut done) = (S::default(), vec![]);
            loop {
                let task = next.fetch_add(1, Ordering::Relaxed);
                if task >= tasks {
                    return Ok(done);
                }
                self.check()?;
                match work(task, &mut scratch) {
                    Ok(result) => done.push((task, result)),
                    Err(error) => {
                        next.store(tasks, Ordering::Relaxed);
                        return Err(error);
                    }
                }
            }
        };
        let mut done = Vec::with_capacity(tasks);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
            for thread in threads {
                // The frame around the operator turns the panic into an error.
                done.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic))?);
            }
            Ok::<_, datafusion::error::DataFusionError>(())
        })?;
        done.sort_unstable_by_key(|(task, _)| *task);
        Ok(done.into_iter().map(|(_, result)| result).collect())
    }

    /// Runs `work` on a blocking thread. If the query is dropped, the workers tell it to stop.
    pub async fn run<T: Send + 'static>(
        &self,
        op: &str,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        struct Cancel(Arc<AtomicBool>);
        impl Drop for Cancel {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let own = Self { threads: self.threads, cancelled: Arc::default() };
        let _cancel = Cancel(Arc::clone(&own.cancelled));
        let task = SpawnedTask::spawn_blocking(move || work(&own));
        task.join_unwind().await.map_err(|error| exec_datafusion_err!("{op}: {error}"))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_errors_come_through() {
        for threads in [1, 5] {
            let workers = Workers { threads, cancelled: Arc::default() };
            let squares = workers.map(100, |task, calls: &mut usize| {
                *calls += 1;
                Ok(task * task)
            });
            assert_eq!(squares.unwrap(), (0..100).map(|i| i * i).collect::<Vec<_>>());
            let failed = workers.map(100, |task, (): &mut ()| if task == 57 { exec_err!("57") } else { Ok(()) });
            assert!(failed.unwrap_err().to_string().contains("57"));
            workers.cancelled.store(true, Ordering::Relaxed);
            assert!(workers.map(1, |_, (): &mut ()| Ok(())).is_err());
        }
    }
}
