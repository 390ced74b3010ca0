//! A step whose kept rows are passed to the next step while they are computed. They are counted, removed rows are written,
//! and kept rows form the table that the next step reads.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, exec_datafusion_err, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    RecordBatchStream, ReplaceChildrenOptions,
};
use futures::{Stream, StreamExt};

use super::counts::Counts;
use super::error::{self, JobError};
use super::output::{Output, PartitionWriter, Rows};
use super::own_time::measure;

/// The first error of a chain of steps, and the step's place in it.
pub type FirstError = Arc<Mutex<Option<(usize, JobError)>>>;

/// A step whose rows are read while they are made.
#[derive(Debug)]
pub struct Tap {
    /// Its plan.
    pub plan: Arc<dyn ExecutionPlan>,
    /// Where its rows go.
    pub output: Arc<Output>,
    /// Its place in the chain.
    number: usize,
    error: FirstError,
    spent: AtomicU64,
    read: Mutex<Read>,
}

/// What was read of it.
#[derive(Debug, Default)]
struct Read {
    counts: Counts,
    begun: Vec<usize>,
    ended: usize,
    last: Option<Instant>,
}

/// What a tap counted.
pub struct Tapped {
    /// Rows.
    pub counts: Counts,
    /// The time that the step took itself, over all threads.
    pub spent: Duration,
    /// When its last row had been read.
    pub ended: Instant,
}

impl Tap {
    /// The step at place `number` of a chain.
    pub fn new(number: usize, plan: Arc<dyn ExecutionPlan>, output: Arc<Output>, error: FirstError) -> Arc<Self> {
        Arc::new(Self { plan, output, number, error, spent: AtomicU64::new(0), read: Mutex::default() })
    }

    /// The rows that it keeps, as a table.
    pub fn table(self: &Arc<Self>) -> Arc<dyn TableProvider> {
        Arc::new(Passed(Arc::clone(self)))
    }

    /// Records the error if it is the first one of the chain.
    pub fn finish(&self) -> error::Result<Tapped> {
        let mut read = self.read();
        match (read.last, read.ended == self.plan.output_partitioning().partition_count()) {
            (Some(ended), true) => {
                let spent = Duration::from_nanos(self.spent.load(Ordering::Relaxed));
                Ok(Tapped { counts: std::mem::take(&mut read.counts), spent, ended })
            }
            _ => {
                let step = &self.output.step;
                Err(JobError::Other(format!(
                    "the step after `{step}` did not read all of its rows; this is a bug in limpid"
                )))
            }
        }
    }

    fn read(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the error where it is the first one of the chain.
    fn failed(&self, error: JobError) -> datafusion::common::DataFusionError {
        let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert((self.number, error));
        exec_datafusion_err!("step `{}` failed", self.output.step)
    }
}

#[derive(Debug)]
struct Passed(Arc<Tap>);

#[async_trait]
impl TableProvider for Passed {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0.output.columns.kept)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        let schema =
            projection.map_or_else(|| Ok(Arc::clone(&schema)), |columns| schema.project(columns).map(Arc::new))?;
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(self.0.plan.output_partitioning().partition_count()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let tap = Arc::clone(&self.0);
        Ok(Arc::new(TapExec { tap, projection: projection.cloned(), properties: Arc::new(properties) }))
    }
}

/// Runs the plan of a tap. It is a leaf: the plan below was optimised by itself.
#[derive(Debug)]
struct TapExec {
    tap: Arc<Tap>,
    projection: Option<Vec<usize>>,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for TapExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "TapExec: step={}", self.tap.output.step)
    }
}

impl ExecutionPlan for TapExec {
    fn name(&self) -> &str {
        "TapExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("TapExec takes no input") }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut read = self.tap.read();
        if read.begun.contains(&partition) {
            return internal_err!("the rows of step `{}` are read twice", self.tap.output.step);
        }
        read.begun.push(partition);
        drop(read);
        let writer = PartitionWriter::new(&self.tap.output, "part", partition, Rows::Result);
        let writer = Some(writer.map_err(|error| self.tap.failed(error))?);
        let input = self.tap.plan.execute(partition, context).map_err(|error| self.tap.failed(error.into()))?;
        let (tap, projection, schema) = (Arc::clone(&self.tap), self.projection.clone(), self.schema());
        Ok(Box::pin(TapStream { input, writer, tap, projection, schema }))
    }
}

/// The kept rows of one partition.
struct TapStream {
    input: SendableRecordBatchStream,
    writer: Option<PartitionWriter>,
    tap: Arc<Tap>,
    projection: Option<Vec<usize>>,
    schema: SchemaRef,
}

impl TapStream {
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<error::Result<Option<RecordBatch>>> {
        while let Some(writer) = &mut self.writer {
            let Some(batch) = ready!(self.input.poll_next_unpin(cx)) else { break };
            let kept = writer.write(&batch?)?;
            if kept.num_rows() > 0 {
                let projected = self.projection.as_ref().map(|columns| kept.project(columns)).transpose();
                return Poll::Ready(Ok(Some(
                    projected.map_err(|error| JobError::Engine(error.into()))?.unwrap_or(kept),
                )));
            }
        }
        if let Some(writer) = self.writer.take() {
            let counts = writer.finish()?;
            let mut read = self.tap.read();
            read.counts.merge(counts);
            read.ended += 1;
            read.last = Some(Instant::now());
        }
        Poll::Ready(Ok(None))
    }
}

impl Stream for TapStream {
    type Item = Result<RecordBatch>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let tap = Arc::clone(&this.tap);
        let next = measure(&tap.spent, || this.next(cx));
        next.map(|next| match next {
            Ok(batch) => batch.map(Ok),
            Err(error) => {
                this.writer = None;
                Some(Err(tap.failed(error)))
            }
        })
    }
}

impl RecordBatchStream for TapStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
