//! Aggregates that examine all values of a group but return little: `count(DISTINCT x)` beside others, `median`.
//!
//! Each row is emitted once per aggregate, consisting of its keys, the number of a section, and the values as bytes whose
//! order is the wanted one ([`split::SplitExec`]). These rows are sorted, which may spill, and read section by section
//! ([`complete::CompleteExec`]): copies are adjacent, and a median is at a known position. No group is held in memory, unless
//! its result consists of all its values.

mod complete;
mod split;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, ScalarValue};
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, InputOrderMode};

use super::keys::{self, sort};
use super::values::keeps_values;
use crate::session::limit::Plan;
use complete::CompleteExec;
use split::SplitExec;

/// How the rows of a section are processed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// They are states of aggregates, one row for each partition.
    States,
    /// Each is aggregated.
    Each,
    /// Those that differ from the one before are aggregated.
    Distinct,
    /// The one or two around a place are: the middle, or a share of the way.
    Place { share: Option<f64>, distinct: bool },
}

/// A column of a section.
#[derive(Debug, Clone)]
enum Value {
    /// A number that grows with the rows of a partition.
    Position,
    Of(Arc<dyn PhysicalExpr>),
    State,
}

/// Where an aggregate finds an argument.
#[derive(Debug, Clone)]
enum Argument {
    /// In this column of the section.
    Column(usize),
    Same(ScalarValue),
}

#[derive(Debug, Clone)]
struct Fed {
    /// Index among the aggregates.
    at: usize,
    function: Arc<AggregateFunctionExpr>,
    arguments: Vec<Argument>,
    /// The column that says which rows it takes.
    filter: Option<usize>,
    /// Whether it keeps all that it takes.
    keeps: bool,
}

/// The arguments of an aggregate, and which rows it takes.
type Raw = (Vec<Arc<dyn PhysicalExpr>>, Option<Arc<dyn PhysicalExpr>>);

#[derive(Debug, Clone)]
struct Section {
    kind: Kind,
    /// Columns with their types and orders.
    columns: Vec<(Value, DataType, SortOptions)>,
    /// The rows that belong here.
    filter: Option<Arc<dyn PhysicalExpr>>,
    aggregates: Vec<Fed>,
    /// What the states are computed from: the arguments of each aggregate, and its filter.
    raw: Vec<Raw>,
}

impl Section {
    fn new(kind: Kind) -> Self {
        Self { kind, columns: vec![], filter: None, aggregates: vec![], raw: vec![] }
    }

    fn push(&mut self, value: Value, kind: DataType, options: SortOptions) -> usize {
        self.columns.push((value, kind, options));
        self.columns.len() - 1
    }

    /// Returns the column with `value`, adding it if there is none.
    fn column(&mut self, value: &Arc<dyn PhysicalExpr>, schema: &Schema, options: SortOptions) -> Result<usize> {
        let same = |(other, _, _): &(Value, _, _)| matches!(other, Value::Of(other) if other == value);
        match self.columns.iter().position(same) {
            Some(at) => Ok(at),
            None => Ok(self.push(Value::Of(Arc::clone(value)), value.data_type(schema)?, options)),
        }
    }

    fn argument(&mut self, value: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Argument> {
        match value.downcast_ref::<Literal>() {
            Some(literal) => Ok(Argument::Same(literal.value().clone())),
            None => self.column(value, schema, SortOptions::default()).map(Argument::Column),
        }
    }

    fn converter(&self) -> Result<RowConverter> {
        let fields = self.columns.iter().map(|(_, kind, options)| SortField::new_with_options(kind.clone(), *options));
        Ok(RowConverter::new(fields.collect())?)
    }

    /// Whether its columns can be bytes and come back as they were.
    fn can_be_bytes(&self) -> bool {
        let Ok(converter) = self.converter() else { return false };
        let back = converter.convert_rows(std::iter::empty());
        back.is_ok_and(|back| back.iter().zip(&self.columns).all(|(array, (_, kind, _))| array.data_type() == kind))
    }
}

/// Completes, section by section, what `first`, or both stages from it to `groups`, compute. `None` if no aggregate benefits,
/// or if one cannot be computed in this way.
pub fn sectioned(groups: &AggregateExec, first: &AggregateExec) -> Result<Option<Plan>> {
    let ungrouped = first.group_expr().is_empty();
    let gains = |aggregate: &AggregateFunctionExpr| aggregate.is_distinct() || is_place(aggregate);
    let gain = first.aggr_expr().iter().any(|aggregate| gains(aggregate) || (ungrouped && keeps_values(aggregate)));
    if !gain || *groups.input_order_mode() != InputOrderMode::Linear {
        return Ok(None);
    }
    let mut input = first.input();
    if first.aggr_expr().iter().any(|aggregate| !aggregate.order_bys().is_empty()) {
        while let Some(sort) = input.downcast_ref::<SortExec>().filter(|sort| sort.fetch().is_none()) {
            input = sort.input();
        }
    }
    // Rows would pile up in it while others are sorted.
    if let Some(deal) = input.downcast_ref::<RepartitionExec>()
        && matches!(deal.partitioning(), Partitioning::RoundRobinBatch(_))
    {
        input = deal.input();
    }
    let schema = input.schema();
    let Some(sections) = sections(first, &schema, ungrouped)? else { return Ok(None) };
    let results = groups.schema();
    let results = &results.fields()[first.group_expr().expr().len()..];
    let fits = |fed: &Fed| fed.function.field().data_type() == results[fed.at].data_type();
    if !sections.iter().all(|section| section.can_be_bytes() && section.aggregates.iter().all(fits)) {
        return Ok(None);
    }
    let Some(keys) = keys::sortable(first.group_expr(), &schema)? else { return Ok(None) };
    let sections: Arc<[Section]> = sections.into();
    let split: Plan = Arc::new(SplitExec::try_new(Arc::clone(input), &keys, Arc::clone(&sections))?);
    let sorted = sorted(split, groups, first, &sections)?;
    Ok(Some(Arc::new(CompleteExec::new(groups, sorted, sections, schema))))
}

/// The rows of `split` where their groups are completed, in order.
fn sorted(split: Plan, groups: &AggregateExec, first: &AggregateExec, sections: &[Section]) -> Result<Plan> {
    let columns = split.schema();
    let columns = columns.fields().iter().enumerate();
    let columns: Vec<_> = columns.map(|(at, field)| (field.name().clone(), at)).collect();
    let column = |(name, at): &(String, usize)| Arc::new(Column::new(name, *at)) as Arc<dyn PhysicalExpr>;
    let mut rows = split;
    if sections.iter().all(|section| matches!(section.kind, Kind::Distinct | Kind::States)) {
        let all = columns.iter().map(|of| (column(of), of.0.clone())).collect();
        let (all, schema) = (PhysicalGroupBy::new_single(all), rows.schema());
        rows = Arc::new(AggregateExec::try_new(AggregateMode::Partial, all, vec![], vec![], rows, schema)?);
    }
    let order: Vec<_> = columns.iter().map(|of| PhysicalSortExpr::new(column(of), SortOptions::default())).collect();
    let keys = first.group_expr().expr().len();
    if keys == 0 {
        let many = rows.output_partitioning().partition_count() > 1;
        let rows = sort(rows, order.clone())?;
        return Ok(match LexOrdering::new(order) {
            Some(order) if many => Arc::new(SortPreservingMergeExec::new(order, rows)),
            _ => rows,
        });
    }
    let partitions = groups.input().output_partitioning().partition_count();
    if partitions > 1 && *first.mode() == AggregateMode::Partial {
        let keys = columns[..keys].iter().map(column).collect();
        rows = Arc::new(RepartitionExec::try_new(rows, Partitioning::Hash(keys, partitions))?);
    } else if partitions == 1 && rows.output_partitioning().partition_count() > 1 {
        rows = Arc::new(CoalescePartitionsExec::new(rows));
    }
    sort(rows, order)
}

/// Whether the result is the value at some position among the sorted ones.
fn is_place(aggregate: &AggregateFunctionExpr) -> bool {
    matches!(aggregate.fun().name(), "median" | "percentile_cont")
}

fn sections(groups: &AggregateExec, schema: &SchemaRef, ungrouped: bool) -> Result<Option<Vec<Section>>> {
    let mut small = Section::new(if ungrouped { Kind::States } else { Kind::Each });
    small.push(Value::Position, DataType::UInt64, SortOptions::default());
    let mut sections = vec![];
    for (at, (aggregate, filter)) in groups.aggr_expr().iter().zip(groups.filter_expr()).enumerate() {
        let alone = aggregate.is_distinct() || is_place(aggregate);
        if alone || keeps_values(aggregate) || !aggregate.order_bys().is_empty() {
            let Some(mut section) = section(aggregate, at, schema)? else { return Ok(None) };
            section.filter.clone_from(filter);
            sections.push(section);
            continue;
        }
        let mut arguments = vec![];
        if ungrouped {
            for field in aggregate.state_fields()? {
                let column = small.push(Value::State, field.data_type().clone(), SortOptions::default());
                arguments.push(Argument::Column(column));
            }
            small.raw.push((aggregate.expressions(), filter.clone()));
        } else {
            for value in aggregate.expressions() {
                arguments.push(small.argument(&value, schema)?);
            }
        }
        let filter = match filter {
            Some(filter) if !ungrouped => Some(small.column(filter, schema, SortOptions::default())?),
            _ => None,
        };
        let function = Arc::clone(aggregate);
        small.aggregates.push(Fed { at, function, arguments, filter, keeps: false });
    }
    if !small.aggregates.is_empty() {
        sections.insert(0, small);
    }
    Ok(Some(sections))
}

/// The section of an aggregate that has one of its own.
fn section(aggregate: &Arc<AggregateFunctionExpr>, at: usize, schema: &SchemaRef) -> Result<Option<Section>> {
    let arguments = aggregate.expressions();
    if is_place(aggregate) {
        let Some(share) = share(aggregate) else { return Ok(None) };
        let mut section = Section::new(Kind::Place { share, distinct: aggregate.is_distinct() });
        let Some(value) = arguments.first() else { return Ok(None) };
        section.column(value, schema, SortOptions::default())?;
        let function = Arc::new(plain(aggregate, arguments, schema)?);
        section.aggregates.push(Fed { at, function, arguments: vec![], filter: None, keeps: false });
        return Ok(Some(section));
    }
    // These take rows as they come, others compare what they are ordered by.
    let takes_order = matches!(aggregate.fun().name(), "array_agg" | "string_agg");
    let mut order = aggregate.order_bys().to_vec();
    if !takes_order && !order.is_empty() && aggregate.is_distinct() {
        return Ok(None);
    }
    if takes_order && aggregate.is_reversed() {
        order.iter_mut().for_each(|by| by.options = !by.options);
    }
    let mut section = Section::new(if aggregate.is_distinct() { Kind::Distinct } else { Kind::Each });
    for by in &order {
        section.column(&by.expr, schema, by.options)?;
    }
    if section.kind == Kind::Each {
        section.push(Value::Position, DataType::UInt64, SortOptions::default());
    }
    let function = if takes_order || aggregate.is_distinct() {
        Arc::new(plain(aggregate, arguments.clone(), schema)?)
    } else {
        Arc::clone(aggregate)
    };
    let ordered_by = order.iter().map(|by| &by.expr).filter(|_| !takes_order);
    let arguments = arguments.iter().chain(ordered_by).map(|value| section.argument(value, schema));
    let arguments = arguments.collect::<Result<_>>()?;
    let keeps = keeps_values(&function);
    section.aggregates.push(Fed { at, function, arguments, filter: None, keeps });
    Ok(Some(section))
}

/// The aggregate over values that are distinct and ordered already.
fn plain(
    aggregate: &AggregateFunctionExpr,
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    schema: &SchemaRef,
) -> Result<AggregateFunctionExpr> {
    AggregateExprBuilder::new(Arc::new(aggregate.fun().clone()), arguments)
        .schema(Arc::clone(schema))
        .alias(aggregate.name())
        .with_ignore_nulls(aggregate.ignore_nulls())
        .build()
}

/// The quantile of `percentile_cont`; `Some(None)` for `median`. `None` unless it is a number between 0 and 1.
fn share(aggregate: &AggregateFunctionExpr) -> Option<Option<f64>> {
    if aggregate.fun().name() == "median" {
        return Some(None);
    }
    let arguments = aggregate.expressions();
    let ScalarValue::Float64(Some(share)) = arguments.get(1)?.downcast_ref::<Literal>()?.value() else { return None };
    let descending = aggregate.order_bys().first().is_some_and(|by| by.options.descending);
    let share = if descending { 1.0 - share } else { *share };
    (0.0..=1.0).contains(&share).then_some(Some(share))
}

/// The columns that rows of all sections have: keys, section, values.
fn schema(keys: &PhysicalGroupBy, input: &Schema) -> Result<SchemaRef> {
    let keys = keys.expr().iter().map(|(key, name)| Ok(Field::new(name, key.data_type(input)?, key.nullable(input)?)));
    let mut fields = keys.collect::<Result<Vec<_>>>()?;
    fields.push(Field::new("section", DataType::UInt32, false));
    fields.push(Field::new("values", DataType::BinaryView, false));
    Ok(Arc::new(Schema::new(fields)))
}

/// `values` of each expression.
fn evaluate(values: &[Arc<dyn PhysicalExpr>], batch: &RecordBatch) -> Result<Vec<arrow::array::ArrayRef>> {
    values.iter().map(|value| value.evaluate(batch)?.into_array(batch.num_rows())).collect()
}
