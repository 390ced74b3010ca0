//! Memory that rows take, and copies of rows without the memory they retain but do not use.
//!
//! Slices share the buffers of the array they were cut from, and views share the buffers of every array they were taken from.
//! A stored batch must hold no more than its own rows. Otherwise stored batches would retain, and be charged for, many times
//! their size.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MutableArrayData, RecordBatch, RecordBatchOptions, make_array};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::physical_plan::spill::get_record_batch_memory_size;

/// Arrays below this size, in bytes, are not worth copying.
const SMALL: usize = 1 << 12;

/// Copies columns that retain more than twice the memory they use; the rows stay the same.
pub fn compact(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(compact_array).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &options)?)
}

/// Bytes per column in addition to its values: the array, its buffers, and the overhead of the allocator. In batches of a few
/// rows and hundreds of columns, this is as much as the values.
const COLUMN: usize = 400;

/// Bytes that a batch retains, counting each shared buffer once.
pub fn held(batch: &RecordBatch) -> usize {
    get_record_batch_memory_size(batch) + COLUMN * batch.num_columns()
}

/// Bytes that the rows of a batch use.
pub fn used(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| array_used(column)).sum()
}

/// Copies the array if it retains more than twice the memory that it uses.
pub fn compact_array(array: &ArrayRef) -> Result<ArrayRef> {
    let (held, used) = (array.get_buffer_memory_size(), array_used(array));
    if held <= SMALL + 2 * used {
        return Ok(Arc::clone(array));
    }
    Ok(match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        _ => copy(array)?,
    })
}

/// Copies the values to new buffers. Values of dictionaries stay shared.
fn copy(array: &ArrayRef) -> Result<ArrayRef> {
    let data = array.to_data();
    let mut rows = MutableArrayData::new(vec![&data], false, data.len());
    rows.try_extend(0, 0, data.len())?;
    let copied = rows.freeze();
    if copied.child_data().is_empty() || matches!(array.data_type(), DataType::Dictionary(..)) {
        return Ok(make_array(copied));
    }
    // Views within lists and structs still share their buffers.
    let children = copied.child_data().iter().map(|child| Ok(compact_array(&make_array(child.clone()))?.to_data()));
    let children = children.collect::<Result<Vec<_>>>()?;
    Ok(make_array(copied.into_builder().child_data(children).build()?))
}

fn array_used(array: &dyn Array) -> usize {
    let nulls = array.nulls().map_or(0, |_| array.len() / 8);
    match array.data_type() {
        DataType::Utf8View => array.as_string_view().total_buffer_bytes_used() + 16 * array.len() + nulls,
        DataType::BinaryView => array.as_binary_view().total_buffer_bytes_used() + 16 * array.len() + nulls,
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let (start, end) = ends(list.value_offsets());
            array_used(&list.values().slice(start, end - start)) + 4 * array.len() + nulls
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            let (start, end) = ends(list.value_offsets());
            array_used(&list.values().slice(start, end - start)) + 8 * array.len() + nulls
        }
        DataType::FixedSizeList(_, size) => {
            let list = array.as_fixed_size_list();
            let size = usize::try_from(*size).unwrap_or(0);
            array_used(&list.values().slice(list.value_offset(0) as usize, array.len() * size)) + nulls
        }
        DataType::Struct(_) => {
            array.as_struct().columns().iter().map(|column| array_used(column)).sum::<usize>() + nulls
        }
        _ => array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_buffer_memory_size()),
    }
}

fn ends<O: Copy + TryInto<usize>>(offsets: &[O]) -> (usize, usize) {
    let at = |offset: Option<&O>| offset.and_then(|offset| (*offset).try_into().ok()).unwrap_or(0);
    (at(offsets.first()), at(offsets.last()))
}

/// Approximate number of bytes of each row: texts, bytes and lists by their lengths, everything else on average.
pub fn row_bytes(batch: &RecordBatch) -> Vec<u32> {
    let rows = batch.num_rows();
    let mut even = 0;
    let mut sizes = vec![0_usize; rows];
    for column in batch.columns() {
        let mut add = |lengths: &mut dyn Iterator<Item = usize>| {
            sizes.iter_mut().zip(lengths).for_each(|(size, length)| *size += length);
        };
        match column.data_type() {
            DataType::Utf8 => add(&mut gaps(column.as_string::<i32>().value_offsets())),
            DataType::LargeUtf8 => add(&mut gaps(column.as_string::<i64>().value_offsets())),
            DataType::Binary => add(&mut gaps(column.as_binary::<i32>().value_offsets())),
            DataType::LargeBinary => add(&mut gaps(column.as_binary::<i64>().value_offsets())),
            DataType::Utf8View => add(&mut column.as_string_view().lengths().map(|length| length as usize + 16)),
            DataType::BinaryView => add(&mut column.as_binary_view().lengths().map(|length| length as usize + 16)),
            DataType::List(_) => {
                let list = column.as_list::<i32>();
                let item = average(list.values());
                add(&mut gaps(list.value_offsets()).map(|items| items * item));
            }
            DataType::LargeList(_) => {
                let list = column.as_list::<i64>();
                let item = average(list.values());
                add(&mut gaps(list.value_offsets()).map(|items| items * item));
            }
            _ => even += array_used(column),
        }
    }
    let even = even.div_ceil(rows.max(1));
    sizes.into_iter().map(|size| u32::try_from(size + even).unwrap_or(u32::MAX)).collect()
}

fn average(values: &ArrayRef) -> usize {
    array_used(values).div_ceil(values.len().max(1))
}

fn gaps<O: Copy + TryInto<usize>>(offsets: &[O]) -> impl Iterator<Item = usize> {
    let at = |offset: O| offset.try_into().unwrap_or(0);
    offsets.windows(2).map(move |pair| at(pair[1]).saturating_sub(at(pair[0])))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, ListArray, StringArray, StringViewArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    fn texts() -> Vec<String> {
        (0..10_000).map(|row| format!("a text of more than twelve bytes, number {row}")).collect()
    }

    fn batch(column: ArrayRef) -> RecordBatch {
        RecordBatch::try_from_iter([("column", column)]).unwrap()
    }

    #[test]
    fn slices_let_go_of_what_they_do_not_use() {
        let lists = (0..10_000).map(|row| Some(vec![Some(row); 9])).collect::<Vec<_>>();
        let of_views: ArrayRef = Arc::new(texts().iter().map(Some).collect::<StringViewArray>());
        let of_texts: ArrayRef = Arc::new(texts().iter().map(Some).collect::<StringArray>());
        let of_lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists));
        for column in [of_views, of_texts, of_lists] {
            let whole = batch(column);
            let slice = whole.slice(5_000, 100);
            let own = compact(&slice).unwrap();
            assert_eq!(own, slice);
            assert!(held(&slice) > held(&whole) / 2, "{:?}", whole.schema());
            assert!(held(&own) < held(&whole) / 50, "{} of {}", held(&own), held(&whole));
            assert!(used(&own) <= held(&own) && used(&slice).abs_diff(used(&own)) < 1_000);
            let rows: usize = row_bytes(&slice).iter().map(|bytes| *bytes as usize).sum();
            assert!(rows.abs_diff(used(&slice)) < used(&slice) / 4, "{rows} {}", used(&slice));
        }
    }

    #[test]
    fn what_is_used_is_not_copied() {
        let whole = batch(Arc::new(Int32Array::from_iter_values(0..10_000)));
        let same = compact(&whole).unwrap();
        assert_eq!(same.column(0).to_data().buffers()[0].as_ptr(), whole.column(0).to_data().buffers()[0].as_ptr());
    }
}
