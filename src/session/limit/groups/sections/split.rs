//! Rows for each section.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryViewArray, BooleanArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::{and, filter_record_batch, is_not_null, prep_null_mask_filter};
use arrow::datatypes::SchemaRef;
use arrow::row::RowConverter;
use datafusion::common::cast::as_boolean_array;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Accumulator;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::aggregates::PhysicalGroupBy;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::TryStreamExt;

use super::super::Plan;
use super::{Kind, Section, Value, evaluate, schema};

/// Bits of a position that are the row's; those above are the partition's.
const ROW_BITS: u32 = 40;

/// Turns rows into rows of each section.
#[derive(Debug, Clone)]
pub struct SplitExec {
    input: Plan,
    keys: PhysicalGroupBy,
    sections: Arc<[Section]>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl SplitExec {
    pub fn try_new(input: Plan, keys: &PhysicalGroupBy, sections: Arc<[Section]>) -> Result<Self> {
        let schema = schema(keys, &input.schema())?;
        let partitions = input.output_partitioning().partition_count();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self { input, keys: keys.clone(), sections, schema, properties: Arc::new(properties) })
    }
}

impl DisplayAs for SplitExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "SplitExec: sections={}", self.sections.len())
    }
}

impl ExecutionPlan for SplitExec {
    fn name(&self) -> &str {
        "SplitExec"
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
            (Some(input), true) => Ok(Arc::new(Self::try_new(input, &self.keys, Arc::clone(&self.sections))?)),
            _ => internal_err!("SplitExec takes one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Plan>) -> Result<Plan> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let converters = self.sections.iter().map(Section::converter).collect::<Result<Vec<_>>>()?;
        let states = self.sections.iter().filter(|section| section.kind == Kind::States);
        let states = states.flat_map(|section| &section.aggregates);
        let split = Split {
            input: self.input.execute(partition, context)?,
            schema: Arc::clone(&self.schema),
            keys: self.keys.input_exprs(),
            converters,
            states: states.map(|fed| fed.function.create_accumulator()).collect::<Result<_>>()?,
            sections: Arc::clone(&self.sections),
            position: (partition as u64) << ROW_BITS,
            batch: None,
            next: 0,
            ended: false,
        };
        let rows = futures::stream::try_unfold(split, |mut split| async move {
            Ok(split.next().await?.map(|batch| (batch, split)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows)))
    }
}

struct Split {
    input: SendableRecordBatchStream,
    schema: SchemaRef,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    sections: Arc<[Section]>,
    converters: Vec<RowConverter>,
    /// The states so far.
    states: Vec<Box<dyn Accumulator>>,
    /// The position of the next row.
    position: u64,
    /// The batch whose rows go on, and the section for which they do next.
    batch: Option<RecordBatch>,
    next: usize,
    ended: bool,
}

impl Split {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = &self.batch
                && self.next < self.sections.len()
            {
                let rows = self.rows(self.next, batch)?;
                self.next += 1;
                match rows {
                    Some(rows) if rows.num_rows() > 0 => return Ok(Some(rows)),
                    _ => continue,
                }
            }
            if self.ended {
                return Ok(None);
            }
            self.position += self.batch.take().map_or(0, |batch| batch.num_rows() as u64);
            self.next = 0;
            self.batch = self.input.try_next().await?;
            match &self.batch {
                Some(batch) => update(&mut self.states, &self.sections, batch)?,
                None => {
                    self.ended = true;
                    return self.states();
                }
            }
        }
    }

    /// The rows of a batch in a section.
    fn rows(&self, at: usize, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        let section = &self.sections[at];
        if section.kind == Kind::States {
            return Ok(None);
        }
        let positions = (0..batch.num_rows() as u64).map(|row| self.position + row);
        let positions: ArrayRef = Arc::new(UInt64Array::from_iter_values(positions));
        let mut columns = Vec::with_capacity(section.columns.len() + self.keys.len());
        for (value, _, _) in &section.columns {
            match value {
                Value::Of(value) => columns.push(value.evaluate(batch)?.into_array(batch.num_rows())?),
                Value::Position => columns.push(Arc::clone(&positions)),
                Value::State => return internal_err!("a state among rows"),
            }
        }
        let mut wanted = match &section.filter {
            Some(filter) => Some(boolean(filter, batch)?),
            None => None,
        };
        if let (Kind::Place { .. }, Some(values)) = (section.kind, columns.first()) {
            // A NULL has no place.
            let valid = is_not_null(values)?;
            wanted = Some(wanted.map_or(Ok(valid.clone()), |wanted| and(&wanted, &valid))?);
        }
        let values = self.bytes(at, &columns)?;
        let rows = self.with(evaluate(&self.keys, batch)?, at, values)?;
        Ok(Some(match wanted {
            Some(wanted) => filter_record_batch(&rows, &wanted)?,
            None => rows,
        }))
    }

    fn bytes(&self, at: usize, columns: &[ArrayRef]) -> Result<BinaryViewArray> {
        let rows = self.converters[at].convert_columns(columns)?;
        Ok(BinaryViewArray::from(&rows.try_into_binary()?))
    }

    fn with(&self, mut columns: Vec<ArrayRef>, at: usize, values: BinaryViewArray) -> Result<RecordBatch> {
        let section = u32::try_from(at).unwrap_or(u32::MAX);
        columns.push(Arc::new(UInt32Array::from_value(section, values.len())));
        columns.push(Arc::new(values));
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    /// The states of all rows, as a row.
    fn states(&mut self) -> Result<Option<RecordBatch>> {
        let Some(at) = self.sections.iter().position(|section| section.kind == Kind::States) else { return Ok(None) };
        let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(vec![self.position]))];
        for state in &mut self.states {
            for value in state.state()? {
                columns.push(value.to_array()?);
            }
        }
        let values = self.bytes(at, &columns)?;
        self.with(vec![], at, values).map(Some)
    }
}

/// Takes the rows of `batch` into states.
fn update(states: &mut [Box<dyn Accumulator>], sections: &[Section], batch: &RecordBatch) -> Result<()> {
    let raw = sections.iter().flat_map(|section| &section.raw);
    for (state, (arguments, filter)) in states.iter_mut().zip(raw) {
        let rows = match filter {
            Some(filter) => &filter_record_batch(batch, &boolean(filter, batch)?)?,
            None => batch,
        };
        state.update_batch(&evaluate(arguments, rows)?)?;
    }
    Ok(())
}

/// A filter as it says which rows are taken: NULL takes none.
fn boolean(filter: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<BooleanArray> {
    let wanted = filter.evaluate(batch)?.into_array(batch.num_rows())?;
    let wanted = as_boolean_array(&wanted)?;
    Ok(if wanted.null_count() > 0 { prep_null_mask_filter(wanted) } else { wanted.clone() })
}
