//! Operations that derive one table from another.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{cast, concat_batches, take};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimeUnit};
use datafusion::common::Result;
use limpid_udfs::kernels::random::SplitMix64;

use super::made::{Made, Relation, below};
use super::noise;

/// Appends all derivations of the root at `at`.
pub fn derive(random: &mut SplitMix64, at: usize, number: usize, made: &mut Vec<Made>) -> Result<()> {
    let root = made[at].rows.clone();
    let rows = root.num_rows();
    // The last root whose id has the same name.
    let cousin = number.checked_sub(4).map(|number| format!("r{number:03}/root"));
    let cousin = cousin.and_then(|name| made.iter().find(|made| made.name == name)).map(|made| made.rows.clone());
    let mut push = |operation: &str, parent: usize, relation: Relation, rows: RecordBatch| {
        let name = format!("r{number:03}/{:02}_{operation}", made.len() - at);
        made.push(Made { name, operation: operation.to_owned(), parent: Some(parent), relation, rows });
        made.len() - 1
    };
    push("copy", at, Relation::Equal, root.clone());
    push("reorder_rows", at, Relation::Equal, pick(&root, &shuffled(random, rows))?);
    let columns = root.num_columns();
    push("reorder_columns", at, Relation::Equal, root.project(&shuffled(random, columns))?);
    for (operation, filter) in [("range", 0), ("in_list", 1), ("sample", 2)] {
        let kept = kept(random, &root, filter);
        let inner = push(operation, at, Relation::Contained, pick(&root, &kept)?);
        if filter == 2 {
            chain(random, inner, &pick(&root, &kept)?, &mut push)?;
        }
    }
    let some = projection(random, columns);
    push("project", at, Relation::Contained, root.project(&some)?);
    let kept_rows = kept(random, &root, 2);
    push("filter_project", at, Relation::Contained, pick(&root.project(&some)?, &kept_rows)?);
    let twice: Vec<usize> = (0..rows).chain((0..rows).filter(|row| row % 5 == 0)).collect();
    push("repeat_rows", at, Relation::ContainedAsSet, pick(&root, &twice)?);
    push("rename", at, Relation::Renamed, renamed(&root)?);
    push("widen", at, Relation::Contained, widened(&root)?);
    push("as_text", at, Relation::ContainedAsText, as_text(&root)?);
    for per_mille in [1, 10, 50, 200] {
        push(&format!("near_{per_mille}"), at, Relation::Near, near(random, &root, per_mille)?);
    }
    push("shuffle_columns", at, Relation::None, shuffle_columns(random, &root)?);
    let more = pick(&root, &kept_rows)?;
    let foreign = scaled(&more)?;
    push("append", at, Relation::Contains, concat_batches(&root.schema(), [&root, &foreign])?);
    push("add_column", at, Relation::Contains, added(&root)?);
    push("aggregate", at, Relation::None, aggregated(&root)?);
    push("scale", at, Relation::None, scaled(&root)?);
    let (first, second): (Vec<usize>, Vec<usize>) = (0..rows).partition(|row| row % 2 == 0);
    push("half_a", at, Relation::Contained, pick(&root, &first)?);
    push("half_b", at, Relation::Contained, pick(&root, &second)?);
    push("empty", at, Relation::None, pick(&root, &[])?);
    for (operation, changed) in
        [("round", noise::rounded(&root)?), ("shout", noise::shouted(&root)?), ("other_zone", noise::shifted(&root)?)]
    {
        if let Some(changed) = changed {
            push(operation, at, Relation::None, changed);
        }
    }
    push("join", at, Relation::Contains, noise::joined(&root)?);
    if let Some(cousin) = cousin {
        let (part, both) = noise::united(&root, &cousin)?;
        let part = push("union_part", at, Relation::Contained, part);
        push("union", part, Relation::Contains, both);
    }
    Ok(())
}

/// Repeated filters, and a projection of the last result.
fn chain(
    random: &mut SplitMix64,
    parent: usize,
    rows: &RecordBatch,
    push: &mut impl FnMut(&str, usize, Relation, RecordBatch) -> usize,
) -> Result<()> {
    let (mut parent, mut here) = (parent, rows.clone());
    for depth in 2..4 {
        here = pick(&here, &kept(random, &here, 0))?;
        parent = push(&format!("chain_{depth}"), parent, Relation::Contained, here.clone());
    }
    let some = projection(random, here.num_columns());
    push("chain_4", parent, Relation::Contained, here.project(&some)?);
    Ok(())
}

fn pick(rows: &RecordBatch, kept: &[usize]) -> Result<RecordBatch> {
    let kept = UInt32Array::from_iter_values(kept.iter().map(|&row| row as u32));
    let columns = rows.columns().iter().map(|column| take(column, &kept, None)).collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(rows.schema(), columns)?)
}

fn shuffled(random: &mut SplitMix64, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for at in (1..n).rev() {
        order.swap(at, below(random, at + 1));
    }
    order
}

/// The rows that a filter keeps: a range of the first column, some of its values, or three in ten.
fn kept(random: &mut SplitMix64, rows: &RecordBatch, filter: usize) -> Vec<usize> {
    let n = rows.num_rows();
    let kept: Vec<usize> = match filter {
        0 => {
            let from = below(random, n / 2 + 1);
            (from..n.min(from + n / 2 + 1)).collect()
        }
        1 => (0..n).filter(|row| row % 7 < 3).collect(),
        _ => (0..n).filter(|_| below(random, 10) < 3).collect(),
    };
    if kept.is_empty() { (0..n.min(1)).collect() } else { kept }
}

/// The first column and some others, in another order.
fn projection(random: &mut SplitMix64, columns: usize) -> Vec<usize> {
    let mut some: Vec<usize> = (1..columns).filter(|_| below(random, 2) == 0).collect();
    some.push(0);
    some
}

fn renamed(rows: &RecordBatch) -> Result<RecordBatch> {
    let fields: Vec<Field> = rows
        .schema()
        .fields()
        .iter()
        .enumerate()
        .map(|(at, field)| field.as_ref().clone().with_name(format!("c{at}")))
        .collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), rows.columns().to_vec())?)
}

fn replaced(rows: &RecordBatch, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    let fields = rows
        .schema()
        .fields()
        .iter()
        .zip(&columns)
        .map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true))
        .collect::<Vec<_>>();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// Whole numbers as doubles, dates as timestamps, names in capitals.
fn widened(rows: &RecordBatch) -> Result<RecordBatch> {
    let columns = rows.columns().iter().map(|column| match column.data_type() {
        DataType::Int32 | DataType::Int64 => cast(column, &DataType::Float64),
        DataType::Date32 => cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None)),
        DataType::Timestamp(..) => cast(column, &DataType::Timestamp(TimeUnit::Nanosecond, None)),
        _ => Ok(Arc::clone(column)),
    });
    let wide = replaced(rows, columns.collect::<Result<Vec<_>, _>>()?)?;
    let fields: Vec<Field> = wide
        .schema()
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_name(field.name().to_uppercase()))
        .collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), wide.columns().to_vec())?)
}

/// Whole numbers as text; other columns stay.
fn as_text(rows: &RecordBatch) -> Result<RecordBatch> {
    let columns = rows.columns().iter().map(|column| match column.data_type() {
        DataType::Int32 | DataType::Int64 => cast(column, &DataType::Utf8),
        _ => Ok(Arc::clone(column)),
    });
    replaced(rows, columns.collect::<Result<Vec<_>, _>>()?)
}

/// Replaces the value of one column in some rows by that of another row: bounds and columns stay the same, rows do not.
fn near(random: &mut SplitMix64, rows: &RecordBatch, per_mille: usize) -> Result<RecordBatch> {
    let n = rows.num_rows();
    let mut columns = rows.columns().to_vec();
    let mut order: Vec<usize> = (0..n).collect();
    for _ in 0..(n * per_mille / 1000).max(1) {
        let (a, b) = (below(random, n), below(random, n));
        order[a] = b;
    }
    let order = UInt32Array::from_iter_values(order.into_iter().map(|row| row as u32));
    columns[1] = take(&columns[1], &order, None)?;
    Ok(RecordBatch::try_new(rows.schema(), columns)?)
}

fn shuffle_columns(random: &mut SplitMix64, rows: &RecordBatch) -> Result<RecordBatch> {
    let columns = rows.columns().iter().map(|column| {
        let order = shuffled(random, rows.num_rows());
        take(column, &UInt32Array::from_iter_values(order.into_iter().map(|row| row as u32)), None)
    });
    Ok(RecordBatch::try_new(rows.schema(), columns.collect::<Result<Vec<_>, _>>()?)?)
}

/// The first column in other units.
fn scaled(rows: &RecordBatch) -> Result<RecordBatch> {
    let mut columns = rows.columns().to_vec();
    let ids = columns[0].as_primitive::<Int64Type>();
    columns[0] = Arc::new(ids.unary::<_, Int64Type>(|id| id * 1000 + 1));
    Ok(RecordBatch::try_new(rows.schema(), columns)?)
}

fn added(rows: &RecordBatch) -> Result<RecordBatch> {
    let ids = rows.column(0).as_primitive::<Int64Type>();
    let half: Float64Array = ids.unary(|id| id as f64 / 2.0);
    let fields = rows
        .schema()
        .fields()
        .iter()
        .map(|field| field.as_ref().clone())
        .chain([Field::new("half", DataType::Float64, true)])
        .collect::<Vec<_>>();
    let columns = rows.columns().iter().cloned().chain([Arc::new(half) as ArrayRef]).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// Counts rows per place: one column name is shared, but no rows.
fn aggregated(rows: &RecordBatch) -> Result<RecordBatch> {
    let places = rows.column(1).as_string::<i32>();
    let mut counts: std::collections::BTreeMap<Option<&str>, i64> = std::collections::BTreeMap::new();
    places.iter().for_each(|place| *counts.entry(place).or_default() += 1);
    let name = rows.schema().field(1).name().clone();
    let first = rows.schema().field(0).name().clone();
    let places: arrow::array::StringArray = counts.keys().copied().collect();
    let counts: Int64Array = counts.values().map(|&count| Some(-count)).collect();
    Ok(RecordBatch::try_from_iter([(name, Arc::new(places) as ArrayRef), (first, Arc::new(counts) as ArrayRef)])?)
}
