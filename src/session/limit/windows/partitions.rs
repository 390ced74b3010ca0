//! Windows whose frames need a whole partition: its rows are stored, and read again once the results are known.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, NullArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{concat, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::utils::{evaluate_partition_ranges, get_row_at_idx};
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{Accumulator, WindowFrameBound, WindowFrameUnits};
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::window::{PlainAggregateWindowExpr, WindowExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::SpillMetrics;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::WindowAggExec;
use futures::TryStreamExt;
use limpid_udfs::storage::batches::{BatchStore, StoredBatches};
use limpid_udfs::storage::compact::{compact, held};

/// The rows of `input`, whose partitions are sorted, with the columns of `window`.
pub fn stream(
    window: &WindowAggExec,
    input: SendableRecordBatchStream,
    reservation: MemoryReservation,
    env: Arc<RuntimeEnv>,
    metrics: SpillMetrics,
) -> Result<SendableRecordBatchStream> {
    let schema = window.schema();
    let functions = window.window_expr().to_vec();
    let looked_at = looked_at(&functions, &input.schema());
    let partitions = Partitions {
        schema: Arc::clone(&schema),
        functions,
        keys: window.partition_by_sort_keys()?,
        looked_at,
        input,
        reservation,
        env,
        metrics,
        rest: None,
        current: None,
        ready: VecDeque::new(),
        reading: None,
    };
    let rows = futures::stream::try_unfold(partitions, |mut partitions| async move {
        Ok(partitions.next().await?.map(|batch| (batch, partitions)))
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

struct Partitions {
    schema: SchemaRef,
    functions: Vec<Arc<dyn WindowExpr>>,
    keys: Vec<PhysicalSortExpr>,
    /// Columns that functions read, other than aggregates over whole partitions.
    looked_at: Vec<bool>,
    input: SendableRecordBatchStream,
    reservation: MemoryReservation,
    env: Arc<RuntimeEnv>,
    metrics: SpillMetrics,
    /// Rows that come after the current partition.
    rest: Option<RecordBatch>,
    current: Option<Current>,
    /// Rows with their results.
    ready: VecDeque<RecordBatch>,
    reading: Option<Reading>,
}

/// The partition being read.
enum Current {
    /// All its rows so far are in one batch.
    One(Vec<ScalarValue>, RecordBatch),
    Many(Box<Many>),
}

struct Many {
    key: Vec<ScalarValue>,
    store: BatchStore,
    aggregates: Vec<Option<Box<dyn Accumulator>>>,
    /// The columns that functions read.
    columns: Vec<RecordBatch>,
}

/// A partition whose results are known.
struct Reading {
    rows: SendableRecordBatchStream,
    results: Vec<Results>,
    at: usize,
    _store: StoredBatches,
}

enum Results {
    Same(ScalarValue),
    Each(ArrayRef),
}

impl Partitions {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            if let Some(reading) = &mut self.reading {
                if let Some(batch) = reading.rows.try_next().await? {
                    let results = reading.results(batch.num_rows())?;
                    return self.with(&batch, results).map(Some);
                }
                self.reading = None;
                self.reservation.free();
            }
            let batch = match self.rest.take() {
                Some(batch) => Some(batch),
                None => self.input.try_next().await?,
            };
            match (batch, self.current.take()) {
                (None, None) => return Ok(None),
                (None, Some(current)) => self.finish(current)?,
                (Some(batch), current) if batch.num_rows() == 0 => self.current = current,
                (Some(batch), current) => self.add(batch, current)?,
            }
        }
    }

    fn add(&mut self, batch: RecordBatch, current: Option<Current>) -> Result<()> {
        let columns = self.keys.iter().map(|key| key.evaluate_to_sort_column(&batch)).collect::<Result<Vec<_>>>()?;
        let ranges = evaluate_partition_ranges(batch.num_rows(), &columns)?;
        let keys: Vec<ArrayRef> = columns.into_iter().map(|column| column.values).collect();
        let Some(last) = ranges.last().cloned() else { return Ok(()) };
        if let Some(current) = current {
            let first = ranges[0].clone();
            if *current.key() != get_row_at_idx(&keys, 0)? {
                self.rest = Some(batch);
                return self.finish(current);
            }
            let current = self.extend(current, batch.slice(0, first.end))?;
            if ranges.len() == 1 {
                self.current = Some(current);
                return Ok(());
            }
            self.rest = Some(batch.slice(first.end, batch.num_rows() - first.end));
            return self.finish(current);
        }
        // All partitions but the last are whole.
        if last.start > 0 {
            let whole = self.evaluate(&batch.slice(0, last.start), &ranges[..ranges.len() - 1])?;
            self.ready.push_back(whole);
        }
        let rows = compact(&batch.slice(last.start, last.len()))?;
        self.current = Some(Current::One(get_row_at_idx(&keys, last.start)?, rows));
        Ok(())
    }

    fn extend(&self, current: Current, rows: RecordBatch) -> Result<Current> {
        let mut many = match current {
            Current::Many(many) => many,
            Current::One(key, first) => {
                let store = BatchStore::new("window", self.input.schema(), &self.env, self.metrics.clone());
                let aggregates = self.functions.iter().map(|function| match over_partitions(function) {
                    Some(aggregate) => aggregate.get_aggregate_expr().create_accumulator().map(Some),
                    None => Ok(None),
                });
                let aggregates = aggregates.collect::<Result<_>>()?;
                let mut many = Box::new(Many { key, store, aggregates, columns: vec![] });
                self.push(&mut many, first)?;
                many
            }
        };
        self.push(&mut many, rows)?;
        Ok(Current::Many(many))
    }

    fn push(&self, many: &mut Many, rows: RecordBatch) -> Result<()> {
        for (function, aggregate) in self.functions.iter().zip(&mut many.aggregates) {
            if let Some(aggregate) = aggregate {
                aggregate.update_batch(&function.evaluate_args(&rows)?)?;
            }
        }
        if self.looked_at.contains(&true) {
            let columns = compact(&self.looked_at(&rows)?)?;
            // Twice, because they are concatenated for evaluation.
            self.reservation.try_grow(2 * held(&columns))?;
            many.columns.push(columns);
        }
        many.store.push(rows)
    }

    /// The columns that functions read; the others are empty.
    fn looked_at(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let schema = self.input.schema();
        let columns = self.looked_at.iter().enumerate().map(|(at, looked_at)| {
            let empty =
                || (Field::new("", DataType::Null, true).into(), Arc::new(NullArray::new(rows.num_rows())) as _);
            if *looked_at { (Arc::clone(&schema.fields()[at]), Arc::clone(rows.column(at))) } else { empty() }
        });
        let (fields, columns): (Vec<_>, Vec<ArrayRef>) = columns.unzip();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
    }

    fn finish(&mut self, current: Current) -> Result<()> {
        let many = match current {
            Current::One(_, rows) => {
                let rows = self.evaluate(&rows, std::slice::from_ref(&(0..rows.num_rows())))?;
                self.ready.push_back(rows);
                return Ok(());
            }
            Current::Many(many) => *many,
        };
        let columns = match many.columns.first() {
            Some(first) => Some(concat_batches(&first.schema(), &many.columns)?),
            None => None,
        };
        drop(many.columns);
        let mut results = Vec::with_capacity(self.functions.len());
        for (function, aggregate) in self.functions.iter().zip(many.aggregates) {
            match (aggregate, &columns) {
                (Some(mut aggregate), _) => results.push(Results::Same(aggregate.evaluate()?)),
                (None, Some(columns)) => results.push(Results::Each(function.evaluate(columns)?)),
                (None, None) => return datafusion::common::internal_err!("{} has no columns", function.name()),
            }
        }
        let store = many.store.finish()?;
        let rows = store.stream()?;
        self.reading = Some(Reading { rows, results, at: 0, _store: store });
        Ok(())
    }

    /// Rows of whole partitions with their results.
    fn evaluate(&self, rows: &RecordBatch, partitions: &[Range<usize>]) -> Result<RecordBatch> {
        let results = self.functions.iter().map(|function| {
            let parts = partitions.iter().map(|range| function.evaluate(&rows.slice(range.start, range.len())));
            let parts = parts.collect::<Result<Vec<_>>>()?;
            Ok(concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>())?)
        });
        self.with(rows, results.collect::<Result<_>>()?)
    }

    fn with(&self, rows: &RecordBatch, results: Vec<ArrayRef>) -> Result<RecordBatch> {
        let columns = rows.columns().iter().cloned().chain(results).collect();
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

impl Current {
    fn key(&self) -> &Vec<ScalarValue> {
        match self {
            Self::One(key, _) => key,
            Self::Many(many) => &many.key,
        }
    }
}

impl Reading {
    fn results(&mut self, rows: usize) -> Result<Vec<ArrayRef>> {
        let at = self.at;
        self.at += rows;
        let results = self.results.iter().map(|result| match result {
            Results::Same(value) => value.to_array_of_size(rows),
            Results::Each(values) => Ok(values.slice(at, rows)),
        });
        results.collect()
    }
}

/// The function, if it is an aggregate over all rows of a partition, with the same result for each of them.
fn over_partitions(function: &Arc<dyn WindowExpr>) -> Option<&PlainAggregateWindowExpr> {
    let aggregate = function.as_any().downcast_ref::<PlainAggregateWindowExpr>()?;
    let frame = function.get_window_frame();
    let all = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::CurrentRow => frame.units == WindowFrameUnits::Range && function.order_by().is_empty(),
        bound => bound.is_unbounded(),
    };
    (all(&frame.start_bound) && all(&frame.end_bound) && !has_filter(function)).then_some(aggregate)
}

/// Whether a function takes only some rows (`FILTER (WHERE ...)`); DataFusion shows this in no other way.
fn has_filter(function: &Arc<dyn WindowExpr>) -> bool {
    format!("{function:?}").contains("filter: Some(")
}

fn looked_at(functions: &[Arc<dyn WindowExpr>], schema: &SchemaRef) -> Vec<bool> {
    let mut looked_at = vec![false; schema.fields().len()];
    for function in functions.iter().filter(|function| over_partitions(function).is_none()) {
        if has_filter(function) {
            return vec![true; looked_at.len()];
        }
        let all = function.all_expressions();
        for expr in all.args.iter().chain(&all.partition_by_exprs).chain(&all.order_by_exprs) {
            collect_columns(expr).iter().for_each(|column| looked_at[column.index()] = true);
        }
    }
    looked_at
}
