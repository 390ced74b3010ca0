//! Runs `allocate_budget`: reads one row per group and returns it with its share.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array};
use arrow::datatypes::{DataType, Float64Type, UInt64Type};
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryConsumer;
use futures::TryStreamExt;

use super::NAME;
use super::{AllocateBudget, Roles};
use crate::kernels::allocation::{Group, Method, allocate};
use crate::operators::frame::Work;
use crate::operators::vectors::table::append;
use crate::storage::batches::BatchStore;

/// Bytes in memory per group, in addition to its key.
const GROUP: usize = 160;

/// Reads all groups, then divides the budget. O(k log k) time and O(k) memory for k groups; the rows spill.
pub(super) async fn run(call: AllocateBudget, work: Work) -> Result<SendableRecordBatchStream> {
    let Work { mut input, columns, schema, context, .. } = work;
    let columns = columns.concat();
    let env = context.task.runtime_env();
    let below = input.schema();
    let Some(Roles { group, size, weight, budget }) = call.roles(&columns) else {
        return internal_err!("{NAME} works on two to four columns");
    };
    let mut stated = call.budget;
    let mut rows = BatchStore::new(NAME, Arc::clone(&below), &env, context.spills.clone());
    let reservation = MemoryConsumer::new(NAME).register(&env.memory_pool);
    let converter = RowConverter::new(vec![SortField::new(below.field(group).data_type().clone())])?;
    let mut groups: Vec<(OwnedRow, usize, Group)> = vec![];
    while let Some(batch) = input.try_next().await? {
        let keys = converter.convert_columns(std::slice::from_ref(batch.column(group)))?;
        reservation.try_grow(batch.num_rows() * GROUP + keys.size())?;
        let sizes = numbers(batch.column(size), &DataType::UInt64, "size")?;
        let sizes = sizes.as_primitive::<UInt64Type>();
        if let Some(column) = budget {
            let budgets = numbers(batch.column(column), &DataType::UInt64, "budget")?;
            for &budget in budgets.as_primitive::<UInt64Type>().values() {
                let first = *stated.get_or_insert(budget);
                if budget != first {
                    return exec_err!(
                        "{NAME}: column `{}` is {first} and {budget}; it is one budget, the same in all rows",
                        below.field(column).name()
                    );
                }
            }
        }
        let weights = match weight {
            Some(column) => Some(numbers(batch.column(column), &DataType::Float64, "weight")?),
            None => None,
        };
        let weights = weights.as_ref().map(|weights| weights.as_primitive::<Float64Type>());
        for row in 0..batch.num_rows() {
            let size = sizes.value(row);
            let weight = weights.map_or(size as f64, |weights| weights.value(row));
            if !(weight >= 0.0 && weight.is_finite()) {
                return exec_err!("{NAME}: a weight is {weight}; weights must be finite and at least 0");
            }
            if size > i64::MAX as u64 {
                return exec_err!("{NAME}: a size is {size}; sizes are at most {}", i64::MAX);
            }
            groups.push((keys.row(row).owned(), groups.len(), Group { size, floor: 0, weight }));
        }
        rows.push(batch)?;
    }
    drop(input);
    groups.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    if let Some(pair) = groups.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let name = converter.convert_rows([pair[0].0.row()])?;
        let name = arrow::util::display::array_value_to_string(&name[0], 0)?;
        return exec_err!("{NAME}: group `{name}` appears more than once; GROUP BY it first");
    }
    let (allocated, met) = divide(&call, stated.unwrap_or(0), &mut groups)?;
    let mut in_order = vec![0; groups.len()];
    for ((_, row, _), taken) in groups.iter().zip(allocated) {
        in_order[*row] = taken.cast_signed();
    }
    let met: BooleanArray = std::iter::repeat_n(Some(met), in_order.len()).collect();
    let added: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(in_order)), Arc::new(met)];
    append(&rows.finish()?, added, schema, Some(reservation))
}

/// Returns the shares of the groups in ascending order of their keys, and whether they add up to the budget.
fn divide(call: &AllocateBudget, budget: u64, groups: &mut [(OwnedRow, usize, Group)]) -> Result<(Vec<u64>, bool)> {
    let total: u128 = groups.iter().map(|(_, _, group)| u128::from(group.size)).sum();
    if total < u128::from(budget) {
        return Ok((groups.iter().map(|(_, _, group)| group.size).collect(), false));
    }
    let even = call.floor_ratio.get() * budget as f64 / groups.len().max(1) as f64;
    let floor = call.floor.max(even.floor() as u64);
    let mut floors = 0_u128;
    for (_, _, group) in groups.iter_mut() {
        group.floor = floor.min(group.size);
        floors += u128::from(group.floor);
    }
    if floors > u128::from(budget) {
        return exec_err!(
            "{NAME}: a `floor` of {floor} rows in each of {} groups asks for {floors} rows, more than the budget of {budget}",
            groups.len()
        );
    }
    let bounds: Vec<Group> = groups.iter().map(|(_, _, group)| *group).collect();
    let method = if groups.is_empty() { Method::Equal } else { call.method };
    Ok((allocate(&bounds, budget, method, call.rounding), true))
}

fn numbers(column: &ArrayRef, kind: &DataType, what: &str) -> Result<ArrayRef> {
    if column.null_count() > 0 {
        return exec_err!("{NAME}: a {what} is NULL");
    }
    let options = arrow::compute::CastOptions { safe: false, ..Default::default() };
    match arrow::compute::cast_with_options(column, kind, &options) {
        Ok(numbers) => Ok(numbers),
        Err(error) => exec_err!("{NAME}: a {what} is no number of at least 0: {error}"),
    }
}
