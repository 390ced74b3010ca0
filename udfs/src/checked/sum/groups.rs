//! Accumulators of many groups.

use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::accumulate::NullState;

use super::accumulators::Range;
use crate::checked::totals::{Native, Total};

/// `sum(x)` of each group.
#[derive(Debug)]
pub struct Groups<T: Total> {
    totals: Vec<Native<T::Wide>>,
    /// The groups that contain a value.
    seen: NullState,
    fits: bool,
    range: Range<T>,
}

impl<T: Total> Groups<T> {
    pub fn new(result: DataType) -> Self {
        Self { totals: vec![], seen: NullState::new(), fits: true, range: Range::new(result) }
    }

    fn take(&mut self, emit_to: EmitTo) -> (Vec<Native<T::Wide>>, Option<NullBuffer>) {
        (emit_to.take_needed(&mut self.totals), self.seen.build(emit_to))
    }

    fn wide(&self, totals: Vec<Native<T::Wide>>, nulls: Option<NullBuffer>) -> ArrayRef {
        let totals = PrimitiveArray::<T::Wide>::new(totals.into(), nulls);
        Arc::new(totals.with_data_type(T::wide_type(&self.range.result)))
    }
}

impl<T: Total> GroupsAccumulator for Groups<T> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        let values = values[0].as_primitive::<T::Value>();
        self.totals.resize(total_groups, Native::<T::Wide>::default());
        let (totals, fits) = (&mut self.totals, &mut self.fits);
        self.seen.accumulate(groups, values, filter, total_groups, |group, value| {
            *fits &= T::add(&mut totals[group], T::widen(value));
        });
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total_groups: usize) -> Result<()> {
        let values = values[0].as_primitive::<T::Wide>();
        self.totals.resize(total_groups, Native::<T::Wide>::default());
        let (totals, fits) = (&mut self.totals, &mut self.fits);
        self.seen.accumulate(groups, values, None, total_groups, |group, value| {
            *fits &= T::add(&mut totals[group], value);
        });
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (totals, nulls) = self.take(emit_to);
        let values = totals.into_iter().map(|total| self.range.value(total, self.fits));
        let values: Vec<Native<T::Value>> = values.collect::<Result<_>>()?;
        let values = PrimitiveArray::<T::Value>::new(values.into(), nulls);
        Ok(Arc::new(values.with_data_type(self.range.result.clone())))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        if !self.fits {
            self.range.value(Native::<T::Wide>::default(), false)?;
        }
        let (totals, nulls) = self.take(emit_to);
        Ok(vec![self.wide(totals, nulls)])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<T::Value>();
        let totals = values.values().iter().map(|value| T::widen(*value)).collect();
        let kept = filter.map(|filter| match filter.nulls() {
            Some(nulls) => NullBuffer::new(nulls.inner() & filter.values()),
            None => NullBuffer::new(filter.values().clone()),
        });
        Ok(vec![self.wide(totals, NullBuffer::union(values.nulls(), kept.as_ref()))])
    }

    fn size(&self) -> usize {
        self.totals.capacity() * size_of::<Native<T::Wide>>() + self.seen.size()
    }
}
