//! Bytes of rows, computed from their values alone.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;

/// Approximate number of bytes of the values of `batch`. Arrow's own numbers depend on how buffers are shared, so the end of
/// a row group would depend on how rows arrived.
pub(super) fn value_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(array_bytes).sum()
}

fn array_bytes(array: &ArrayRef) -> usize {
    let rows = array.len();
    match array.data_type() {
        DataType::Utf8 => offsets_span(array.as_string::<i32>().offsets()),
        DataType::LargeUtf8 => offsets_span(array.as_string::<i64>().offsets()),
        DataType::Binary => offsets_span(array.as_binary::<i32>().offsets()),
        DataType::LargeBinary => offsets_span(array.as_binary::<i64>().offsets()),
        DataType::Utf8View => array.as_string_view().lengths().map(|length| length as usize).sum(),
        DataType::BinaryView => array.as_binary_view().lengths().map(|length| length as usize).sum(),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let (start, span) = (first(list.offsets()), offsets_span(list.offsets()));
            array_bytes(&list.values().slice(start, span))
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            let (start, span) = (first(list.offsets()), offsets_span(list.offsets()));
            array_bytes(&list.values().slice(start, span))
        }
        DataType::FixedSizeList(_, width) => {
            let width = usize::try_from(*width).unwrap_or(0);
            rows * array.as_fixed_size_list().values().data_type().primitive_width().unwrap_or(16) * width
        }
        DataType::Struct(_) => array.as_struct().columns().iter().map(array_bytes).sum(),
        other => rows * other.primitive_width().unwrap_or(16),
    }
}

fn first<O: Copy + TryInto<usize>>(offsets: &[O]) -> usize {
    offsets.first().and_then(|&offset| offset.try_into().ok()).unwrap_or(0)
}

fn offsets_span<O: Copy + TryInto<usize>>(offsets: &[O]) -> usize {
    let last = offsets.last().and_then(|&offset| offset.try_into().ok()).unwrap_or(0);
    last - first(offsets)
}
