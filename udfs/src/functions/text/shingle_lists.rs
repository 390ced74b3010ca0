//! Lists of the shingles of texts. A shingle is a view into its text, so a list takes 16 bytes per shingle rather than the
//! text `n` times.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, StringViewArray, make_view};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use hashbrown::HashSet;

/// Maximum number of bytes per text buffer; views can address 4 GiB.
const BUFFER_BYTES: usize = 1 << 30;
const MAX_TEXT_BYTES: usize = 1 << 31;

/// The type of the lists.
pub(super) fn list_type() -> DataType {
    DataType::List(item())
}

fn item() -> FieldRef {
    Field::new_list_field(DataType::Utf8View, true).into()
}

/// Builds the column row by row.
#[derive(Debug)]
pub(super) struct ShingleLists {
    full: Vec<Buffer>,
    buffer: Vec<u8>,
    views: Vec<u128>,
    offsets: Vec<i32>,
    valid: Vec<bool>,
}

impl ShingleLists {
    pub(super) fn with_capacity(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { full: vec![], buffer: vec![], views: vec![], offsets, valid: Vec::with_capacity(rows) }
    }

    pub(super) fn push_null(&mut self) -> Result<()> {
        self.end_row(false)
    }

    /// Adds a row with the distinct parts `text[start..end]` that `each` reports, in order of first occurrence.
    pub(super) fn push(&mut self, text: &str, each: impl FnOnce(&mut dyn FnMut(usize, usize))) -> Result<()> {
        if text.len() > MAX_TEXT_BYTES {
            return exec_err!("shingles are made of texts up to 2 GiB, and this one has {} bytes", text.len());
        }
        if self.buffer.len() + text.len() > BUFFER_BYTES && !self.buffer.is_empty() {
            self.full.push(std::mem::take(&mut self.buffer).into());
        }
        let (at, buffer) = (self.buffer.len(), self.full.len() as u32);
        self.buffer.extend_from_slice(text.as_bytes());
        let mut seen = HashSet::new();
        each(&mut |start, end| {
            let shingle = &text[start..end];
            if seen.insert(shingle) {
                // Within a buffer of less than 4 GiB.
                self.views.push(make_view(shingle.as_bytes(), buffer, (at + start) as u32));
            }
        });
        self.end_row(true)
    }

    fn end_row(&mut self, valid: bool) -> Result<()> {
        let end = i32::try_from(self.views.len()).map_err(|_| {
            exec_datafusion_err!("one batch has more than 2³¹ shingles: set datafusion.execution.batch_size lower")
        })?;
        self.offsets.push(end);
        self.valid.push(valid);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<ArrayRef> {
        self.full.push(self.buffer.into());
        let shingles = StringViewArray::try_new(ScalarBuffer::from(self.views), self.full, None)?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let nulls = NullBuffer::from(self.valid);
        Ok(Arc::new(ListArray::try_new(item(), offsets, Arc::new(shingles), Some(nulls))?))
    }
}
