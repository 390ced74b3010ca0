//! Work that only computes, on all threads.

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use futures::{StreamExt, TryStreamExt};

/// Runs `work` on chunks of `size` items in `threads` tasks and returns the results in the order of the items.
///
/// # Errors
/// The first error of `work`.
pub async fn in_chunks<T, R, W>(items: Vec<T>, size: usize, threads: usize, work: W) -> Result<Vec<R>>
where
    T: Send + 'static,
    R: Send + 'static,
    W: Fn(Vec<T>) -> Result<Vec<R>> + Clone + Send + 'static,
{
    let mut items = items.into_iter();
    let chunks = std::iter::from_fn(move || {
        let chunk: Vec<T> = items.by_ref().take(size.max(1)).collect();
        (!chunk.is_empty()).then_some(chunk)
    });
    let tasks = chunks.map(|chunk| {
        let work = work.clone();
        let task = SpawnedTask::spawn_blocking(move || work(chunk));
        async move { task.join().await.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))? }
    });
    let done: Vec<Vec<R>> = futures::stream::iter(tasks).buffered(threads.max(1)).try_collect().await?;
    Ok(done.into_iter().flatten().collect())
}
