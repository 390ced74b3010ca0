//! The physical nodes of a commit: one runs the writer below it, then commits; another one below the writer distinguishes the
//! query's errors from write errors.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, internal_err};
use datafusion::datasource::sink::DataSinkExec;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{StreamExt, TryStreamExt};
use limpid_io::{StagedPath, StagedWrite};

use crate::session::errors::plain;

/// Runs a writer, then moves what it wrote to its final name.
#[derive(Debug, Clone)]
pub struct CommitExec {
    place: StagedPath,
    writer: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl CommitExec {
    /// Creates a commit of what `writer` writes to the path of `place`.
    pub fn new(place: StagedPath, writer: Arc<dyn ExecutionPlan>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(writer.schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { place, writer, properties: Arc::new(properties) }
    }

    /// The writer over an input whose first error is recorded.
    fn watched(&self) -> Result<(Arc<dyn ExecutionPlan>, Noted)> {
        let noted = Noted::default();
        let watch = |plan: Arc<dyn ExecutionPlan>| -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
            let Some(sink) = plan.downcast_ref::<DataSinkExec>() else { return Ok(Transformed::no(plan)) };
            let input: Arc<dyn ExecutionPlan> =
                Arc::new(WatchExec { input: Arc::clone(sink.input()), noted: noted.clone() });
            let plan = plan.replace_children(vec![input], recompute())?;
            Ok(Transformed::new(plan, true, TreeNodeRecursion::Stop))
        };
        let writer = Arc::clone(&self.writer).transform_down(watch).data()?;
        Ok((writer, noted))
    }
}

fn recompute() -> ReplaceChildrenOptions {
    ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute)
}

impl DisplayAs for CommitExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "CommitExec: {}", self.place.target().display())
    }
}

impl ExecutionPlan for CommitExec {
    fn name(&self) -> &str {
        "CommitExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.writer]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(writer), true) => Ok(Arc::new(Self::new(self.place.clone(), writer))),
            _ => internal_err!("CommitExec takes one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, recompute())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("CommitExec has one partition, not {}", partition + 1);
        }
        let (writer, noted) = self.watched()?;
        let place = self.place.clone();
        let output = async move {
            let begun = place.begin().map_err(|e| exec_datafusion_err!("{e}"))?;
            let written = async { writer.execute(0, context)?.try_collect::<Vec<_>>().await };
            let batches = match written.await {
                Ok(batches) => batches,
                // The writer may have dropped the cause, so the query's own error takes precedence.
                Err(error) => {
                    return Err(noted.take().unwrap_or_else(|| cannot_write(&place, &begun, &error, noted.bytes())));
                }
            };
            let committed = SpawnedTask::spawn_blocking(move || begun.commit());
            let committed = committed.await.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))?;
            committed.map_err(|e| exec_datafusion_err!("{e}"))?;
            Ok(futures::stream::iter(batches.into_iter().map(Ok)))
        };
        let output = futures::stream::once(output).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), output)))
    }
}

/// Adds the name of the target to the writer's error and, if the writer dropped it, the cause.
fn cannot_write(place: &StagedPath, begun: &StagedWrite, error: &DataFusionError, bytes: u64) -> DataFusionError {
    let text = plain(error).text;
    let reason = match text.find(" (os error ") {
        // The message of the operating system, without the layers that wrapped it.
        Some(at) => text[text[..at].rfind(": ").map_or(0, |colon| colon + 2)..].to_owned(),
        None => begun.refusal().map_or_else(|| lost_reason(place, text, bytes), |refusal| refusal.to_string()),
    };
    exec_datafusion_err!("cannot write {}: {reason}", place.target().display())
}

/// DataFusion drops the cause if the end of a file cannot be written, and by now the unfinished file is gone. If fewer bytes
/// are free than the rows had, the disk was full.
fn lost_reason(place: &StagedPath, text: String, bytes: u64) -> String {
    let free = place.target().parent().and_then(|folder| fs4::available_space(folder).ok());
    match free.filter(|free| *free < bytes) {
        Some(free) => format!("no space left on device: {} MB are free", free.div_ceil(1_000_000)),
        None if text.contains("finalizing writes") => "the file system refused the end of the file".to_owned(),
        None => text,
    }
}

/// The first error of a query, and the number of bytes of its rows up to then.
#[derive(Debug, Clone, Default)]
struct Noted {
    error: Arc<Mutex<Option<Arc<DataFusionError>>>>,
    bytes: Arc<AtomicU64>,
}

impl Noted {
    fn note(&self, error: DataFusionError) -> DataFusionError {
        let error = Arc::new(error);
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| Arc::clone(&error));
        DataFusionError::Shared(error)
    }

    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn take(&self) -> Option<DataFusionError> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take().map(DataFusionError::Shared)
    }
}

/// Passes its input on and records its error.
#[derive(Debug)]
struct WatchExec {
    input: Arc<dyn ExecutionPlan>,
    noted: Noted,
}

impl DisplayAs for WatchExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("WatchExec")
    }
}

impl ExecutionPlan for WatchExec {
    fn name(&self) -> &str {
        "WatchExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self { input, noted: self.noted.clone() })),
            _ => internal_err!("WatchExec takes one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, recompute())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let noted = self.noted.clone();
        let input = self.input.execute(partition, context).map_err(|error| self.noted.note(error))?;
        let watched = input.map(move |batch| match batch {
            Ok(batch) => {
                noted.bytes.fetch_add(batch.get_array_memory_size() as u64, Ordering::Relaxed);
                Ok(batch)
            }
            Err(error) => Err(noted.note(error)),
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), watched)))
    }
}
