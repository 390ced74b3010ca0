//! Groups from sorted rows of sections.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{concat, filter, partition};
use arrow::datatypes::{Field, Schema, SchemaRef, UInt32Type};
use arrow::row::RowConverter;
use datafusion::common::cast::as_boolean_array;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::utils::get_row_at_idx;
use datafusion::common::{Result, ScalarValue, internal_err, resources_datafusion_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation, human_readable_size};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Accumulator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateExprBuilder;
use datafusion::physical_expr::expressions::lit;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::limit::LimitStream;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, SpillMetrics};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::TryStreamExt;
use limpid_udfs::storage::batches::BatchStore;
use limpid_udfs::storage::compact::used;
use limpid_udfs::storage::sort::BatchLimits;

use super::super::Plan;
use super::super::distinct::equal;
use super::{Argument, Fed, Kind, Section};

/// Completes groups from rows that are sorted by key, section and value.
#[derive(Debug, Clone)]
pub struct CompleteExec {
    input: Plan,
    sections: Arc<[Section]>,
    /// The columns for which the aggregates were written.
    schema: SchemaRef,
    /// Those of DataFusion's operator for the same.
    properties: Arc<PlanProperties>,
    names: Vec<String>,
    metrics: ExecutionPlanMetricsSet,
}

impl CompleteExec {
    pub fn new(groups: &AggregateExec, input: Plan, sections: Arc<[Section]>, schema: SchemaRef) -> Self {
        let properties = Arc::clone(groups.properties());
        let names = groups.aggr_expr().iter().map(|aggregate| aggregate.name().to_owned()).collect();
        Self { input, sections, schema, properties, names, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for CompleteExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "CompleteExec: aggr=[{}]", self.names.join(", "))
    }
}

impl ExecutionPlan for CompleteExec {
    fn name(&self) -> &str {
        "CompleteExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Plan> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(self: Arc<Self>, mut children: Vec<Plan>, _: ReplaceChildrenOptions) -> Result<Plan> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => {
                Ok(Arc::new(Self { input, metrics: ExecutionPlanMetricsSet::new(), ..self.as_ref().clone() }))
            }
            _ => internal_err!("CompleteExec takes one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Plan>) -> Result<Plan> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let complete = Complete {
            converters: self.sections.iter().map(Section::converter).collect::<Result<_>>()?,
            keys: self.input.schema().fields().len() - 2,
            input: self.input.execute(partition, Arc::clone(&context))?,
            output: self.schema(),
            schema: Arc::clone(&self.schema),
            sections: Arc::clone(&self.sections),
            group: None,
            rows: vec![],
            bytes: 0,
            ready: VecDeque::new(),
            ended: false,
            limits: BatchLimits::of(&context),
            reservation: MemoryConsumer::new(format!("aggregate[{partition}]")).register(context.memory_pool()),
            env: context.runtime_env(),
            metrics: SpillMetrics::new(&self.metrics, partition),
        };
        let rows = futures::stream::try_unfold(complete, |mut complete| async move {
            Ok(complete.next().await?.map(|batch| (batch, complete)))
        });
        let rows = Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows));
        Ok(Box::pin(LimitStream::new(rows, 0, None, BaselineMetrics::new(&self.metrics, partition))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

struct Complete {
    input: SendableRecordBatchStream,
    output: SchemaRef,
    schema: SchemaRef,
    /// Columns of the input that are keys: the first.
    keys: usize,
    sections: Arc<[Section]>,
    converters: Vec<RowConverter>,
    group: Option<Group>,
    /// Rows of complete groups, and their bytes.
    rows: Vec<Vec<ScalarValue>>,
    bytes: usize,
    ready: VecDeque<RecordBatch>,
    ended: bool,
    limits: BatchLimits,
    /// For values that aggregates keep.
    reservation: MemoryReservation,
    env: Arc<RuntimeEnv>,
    metrics: SpillMetrics,
}

/// The group being read.
struct Group {
    /// A row of keys.
    key: Vec<ArrayRef>,
    /// For each aggregate of each section.
    accumulators: Vec<Vec<Box<dyn Accumulator>>>,
    section: usize,
    /// The last value of the section.
    last: Option<Vec<u8>>,
    /// The values of the section if one or two of them are wanted.
    store: Option<BatchStore>,
}

impl Complete {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            if self.ended {
                return Ok(None);
            }
            if let Some(batch) = self.input.try_next().await? {
                self.add(&batch).await?;
                continue;
            }
            self.ended = true;
            if self.keys == 0 && self.group.is_none() {
                // Aggregates of no rows.
                self.group = Some(self.start(vec![])?);
            }
            self.finish().await?;
            self.flush()?;
        }
    }

    async fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let keys = &batch.columns()[..self.keys];
        let all = std::iter::once(0..batch.num_rows());
        let groups = if keys.is_empty() { all.collect() } else { partition(keys)?.ranges() };
        for group in groups {
            let of_group = batch.slice(group.start, group.len());
            let key = &of_group.columns()[..self.keys];
            let same = match &self.group {
                Some(group) => equal(&group.key, key)?,
                None => false,
            };
            if !same {
                self.finish().await?;
                let key = key.iter().map(|key| concat(&[key.slice(0, 1).as_ref()]));
                self.group = Some(self.start(key.collect::<Result<_, _>>()?)?);
            }
            for range in partition(std::slice::from_ref(of_group.column(self.keys)))?.ranges() {
                let section = of_group.column(self.keys).as_primitive::<UInt32Type>().value(range.start);
                let values = of_group.column(self.keys + 1).slice(range.start, range.len());
                self.feed(section as usize, values.as_binary_view()).await?;
            }
        }
        Ok(())
    }

    fn start(&self, key: Vec<ArrayRef>) -> Result<Group> {
        let accumulators = self.sections.iter().map(|section| {
            section.aggregates.iter().map(|fed| fed.function.create_accumulator()).collect::<Result<Vec<_>>>()
        });
        Ok(Group { key, accumulators: accumulators.collect::<Result<_>>()?, section: 0, last: None, store: None })
    }

    async fn feed(&mut self, at: usize, values: &BinaryViewArray) -> Result<()> {
        if self.group.as_ref().is_some_and(|group| group.section != at) {
            self.end_section().await?;
        }
        let (section, converter) = (&self.sections[at], &self.converters[at]);
        let Some(group) = &mut self.group else { return Ok(()) };
        group.section = at;
        let distinct = matches!(section.kind, Kind::Distinct | Kind::Place { distinct: true, .. });
        let values = if distinct { &without_copies(values, &mut group.last)? } else { values };
        let parser = converter.parser();
        let columns = converter.convert_rows(values.iter().flatten().map(|value| parser.parse(value)))?;
        if matches!(section.kind, Kind::Place { .. }) {
            let fields = columns.iter().map(|column| Field::new("value", column.data_type().clone(), true));
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            let store = group
                .store
                .get_or_insert_with(|| BatchStore::new("median", Arc::clone(&schema), &self.env, self.metrics.clone()));
            return store.push(RecordBatch::try_new(schema, columns)?);
        }
        for (fed, accumulator) in section.aggregates.iter().zip(&mut group.accumulators[at]) {
            let arguments = fed.arguments(&columns, values.len())?;
            if fed.keeps {
                let fields = arguments.iter().map(|array| Field::new("", array.data_type().clone(), true));
                let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
                // Twice, because the result is built while they are held.
                let bytes = 2 * used(&RecordBatch::try_new(schema, arguments.clone())?);
                let all = self.reservation.size() + bytes;
                self.reservation.try_grow(bytes).map_err(|_| too_large(fed, all))?;
            }
            if section.kind == Kind::States {
                accumulator.merge_batch(&arguments)?;
            } else {
                accumulator.update_batch(&arguments)?;
            }
        }
        Ok(())
    }

    /// Finds the values at the wanted positions.
    async fn end_section(&mut self) -> Result<()> {
        let Some(group) = &mut self.group else { return Ok(()) };
        group.last = None;
        let (at, Some(store)) = (group.section, group.store.take()) else { return Ok(()) };
        let (Kind::Place { share, .. }, Some(fed)) = (self.sections[at].kind, self.sections[at].aggregates.first())
        else {
            return Ok(());
        };
        let (rows, stored) = (store.rows(), store.finish()?);
        let (lower, upper, part) = places(rows, share);
        let (mut start, mut values) = (0, vec![]);
        let mut batches = stored.stream()?;
        while let Some(batch) = batches.try_next().await?
            && start <= upper
        {
            for place in lower..=upper {
                if (start..start + batch.num_rows()).contains(&place) {
                    values.push(batch.column(0).slice(place - start, 1));
                }
            }
            start += batch.num_rows();
        }
        let mut accumulator = self.accumulator(fed, part)?;
        let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
        accumulator.update_batch(&[concat(&values)?])?;
        if let Some(group) = &mut self.group {
            group.accumulators[at] = vec![accumulator];
        }
        Ok(())
    }

    /// The aggregate for the values around a place, which is `part` of the way from the first to the second.
    fn accumulator(&self, fed: &Fed, part: Option<f64>) -> Result<Box<dyn Accumulator>> {
        let (Some(part), mut arguments) = (part, fed.function.expressions()) else {
            return fed.function.create_accumulator();
        };
        arguments.truncate(1);
        arguments.push(lit(part));
        AggregateExprBuilder::new(Arc::new(fed.function.fun().clone()), arguments)
            .schema(Arc::clone(&self.schema))
            .alias(fed.function.name())
            .build()?
            .create_accumulator()
    }

    /// Computes the results of the group.
    async fn finish(&mut self) -> Result<()> {
        self.end_section().await?;
        let Some(mut group) = self.group.take() else { return Ok(()) };
        let mut row = if group.key.is_empty() { vec![] } else { get_row_at_idx(&group.key, 0)? };
        row.resize(self.output.fields().len(), ScalarValue::Null);
        for (section, accumulators) in self.sections.iter().zip(&mut group.accumulators) {
            for (fed, accumulator) in section.aggregates.iter().zip(accumulators) {
                row[self.keys + fed.at] = accumulator.evaluate()?;
            }
        }
        drop(group);
        self.bytes += row.iter().map(ScalarValue::size).sum::<usize>();
        self.rows.push(row);
        if self.rows.len() >= self.limits.rows || self.bytes > self.limits.bytes {
            self.flush()?;
        }
        self.reservation.free();
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        if rows.is_empty() {
            return Ok(());
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let mut columns = vec![Vec::with_capacity(rows.len()); self.output.fields().len()];
        for row in rows {
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        let columns = columns.into_iter().map(|column| match column.as_slice() {
            // A list is not copied.
            [value] => value.to_array(),
            _ => ScalarValue::iter_to_array(column),
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        self.ready.push_back(RecordBatch::try_new_with_options(Arc::clone(&self.output), columns, &options)?);
        Ok(())
    }
}

impl Fed {
    /// The arguments for the rows that it takes.
    fn arguments(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
        let arguments = self.arguments.iter().map(|argument| match argument {
            Argument::Column(at) => Ok(Arc::clone(&columns[*at])),
            Argument::Same(value) => value.to_array_of_size(rows),
        });
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        let Some(wanted) = self.filter else { return Ok(arguments) };
        let wanted = as_boolean_array(&columns[wanted])?;
        Ok(arguments.iter().map(|argument| filter(argument, wanted)).collect::<Result<_, _>>()?)
    }
}

/// Returns the values that differ from the previous one; `last` precedes the first.
fn without_copies(values: &BinaryViewArray, last: &mut Option<Vec<u8>>) -> Result<BinaryViewArray> {
    let mut before = last.as_deref();
    let mut new = Vec::with_capacity(values.len());
    for value in values.iter().flatten() {
        new.push(before != Some(value));
        before = Some(value);
    }
    let before = before.map(<[u8]>::to_vec);
    *last = before;
    Ok(filter(values, &BooleanArray::from(new))?.as_binary_view().clone())
}

/// The positions, among `rows` sorted values, of the median or of a quantile, and the interpolation weight between the two.
fn places(rows: usize, share: Option<f64>) -> (usize, usize, Option<f64>) {
    let Some(share) = share else { return (rows.saturating_sub(1) / 2, rows / 2, None) };
    #[expect(clippy::cast_precision_loss, reason = "DataFusion computes places so")]
    let place = share * (rows.saturating_sub(1)) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places are rows")]
    let (lower, upper) = (place.floor() as usize, place.ceil() as usize);
    (lower, upper, Some(place - place.floor()))
}

fn too_large(fed: &Fed, bytes: usize) -> datafusion::common::DataFusionError {
    resources_datafusion_err!(
        "{} puts all values into one, which is made in memory and copied once: that takes more than {}",
        fed.function.name(),
        human_readable_size(bytes)
    )
}
