//! The stage that sketches texts before they are compared.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::MetricBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::seen::Seen;
use super::sketch::{Sketch, Sketcher};
use crate::operators::frame::operator::{COMPARED_COLUMN, only};
use crate::operators::frame::{Input, OperatorContext, Output, RelationOperator, Stage, Work};

/// Replaces the compared text by its [`Sketch`]; rows stay in order.
///
/// A text equal to an earlier one, in any partition of this process, is not sketched again. Batches of a partition are
/// sketched on all threads, so a large partition does not delay the others.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MinhashSketch {
    /// How texts are sketched.
    pub sketch: Sketch,
}

impl RelationOperator for MinhashSketch {
    const NAME: &'static str = "minhash_sketch";

    fn output(&self, inputs: &[Input<'_>]) -> Result<Output> {
        Ok(Output {
            passed: only(Self::NAME, inputs)?.without(COMPARED_COLUMN),
            added: vec![Field::new(COMPARED_COLUMN, self.sketch.data_type(), true)],
        })
    }

    fn stage(&self) -> Stage {
        Stage::EachPartition
    }

    async fn run(self, work: Work) -> Result<SendableRecordBatchStream> {
        let (column, threads) = (work.column(0), work.threads());
        let Work { input, schema, context, .. } = work;
        let time = MetricBuilder::new(&context.metrics).subset_time("sketch_time", context.partition);
        let seen = seen(&context);
        let task = Task { sketch: self.sketch, column, schema: Arc::clone(&schema), seen, idle: Mutex::default() };
        let task = Arc::new(task);
        let sketched = input.map(move |batch| {
            let (task, time) = (Arc::clone(&task), time.clone());
            async move {
                let batch = batch?;
                let task = SpawnedTask::spawn(async move {
                    let _timer = time.timer();
                    task.batch(&batch)
                });
                task.join_unwind().await.map_err(|e| exec_datafusion_err!("{}: {e}", Self::NAME))?
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, sketched.buffered(threads))))
    }
}

/// The current execution.
#[derive(Default)]
struct Current(Mutex<Option<Execution>>);

/// State that the partitions of one execution share.
struct Execution {
    task: Weak<TaskContext>,
    started: HashSet<usize>,
    seen: Weak<Seen>,
}

/// Returns the cache of the current execution. Executing a partition a second time starts a new one.
fn seen(context: &OperatorContext) -> Arc<Seen> {
    let current = context.shared.get::<Current>();
    let mut current = current.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(execution) = &mut *current
        && std::ptr::eq(execution.task.as_ptr(), Arc::as_ptr(&context.task))
        && let Some(seen) = execution.seen.upgrade()
        && execution.started.insert(context.partition)
    {
        return seen;
    }
    let seen = Arc::new(Seen::new(&context.task));
    let (task, started) = (Arc::downgrade(&context.task), HashSet::from([context.partition]));
    *current = Some(Execution { task, started, seen: Arc::downgrade(&seen) });
    seen
}

/// State that the tasks of a partition share.
struct Task {
    sketch: Sketch,
    column: usize,
    schema: SchemaRef,
    seen: Arc<Seen>,
    /// Idle sketchers, ready for the next batch.
    idle: Mutex<Vec<Sketcher>>,
}

impl Task {
    fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut sketcher = idle.unwrap_or_else(|| Sketcher::new(&self.sketch));
        let mut columns = batch.columns().to_vec();
        let texts = columns.remove(self.column);
        columns.push(sketcher.sketch(&texts, &self.seen)?);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sketcher);
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}
