//! The state of `forgetting_events`: every answer with its step, at eight bytes each, in any order.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::forgetting_events::NAME;
use crate::kernels::scores::forgetting;

/// The result for a row that is never answered correctly.
#[derive(Debug, Clone, Copy)]
pub(super) enum NeverLearned {
    /// Infinity.
    Infinite,
    /// Zero.
    Zero,
    /// The number of steps.
    Steps,
}

/// Packs a step and its answer into one number that sorts by step.
fn pack(step: i64, correct: bool) -> Result<i64> {
    match step.checked_mul(2) {
        Some(double) => Ok(double | i64::from(correct)),
        None => exec_err!("{NAME}: step {step} is out of range"),
    }
}

fn events(answers: &mut [i64], never: NeverLearned) -> Result<Option<f64>> {
    answers.sort_unstable();
    if let Some(pair) = answers.windows(2).find(|pair| pair[0] >> 1 == pair[1] >> 1) {
        return exec_err!("{NAME}: step {} comes twice in a group; group by the run too", pair[0] >> 1);
    }
    if answers.is_empty() {
        return Ok(None);
    }
    let events = forgetting::forgetting_events(answers.iter().map(|answer| answer & 1 == 1));
    Ok(Some(match (events, never) {
        (Some(events), _) => events as f64,
        (None, NeverLearned::Infinite) => f64::INFINITY,
        (None, NeverLearned::Zero) => 0.0,
        (None, NeverLearned::Steps) => answers.len() as f64,
    }))
}

/// Calls `add` with row and packed answer of every row that has an answer.
fn each(values: &[ArrayRef], mut add: impl FnMut(usize, i64)) -> Result<()> {
    let (correct, steps) = (values[0].as_boolean(), values[1].as_primitive::<Int64Type>());
    for row in 0..correct.len() {
        if correct.is_valid(row) && steps.is_valid(row) {
            add(row, pack(steps.value(row), correct.value(row))?);
        }
    }
    Ok(())
}

fn lists(lengths: impl IntoIterator<Item = usize>, answers: Vec<i64>) -> Result<ListArray> {
    if i32::try_from(answers.len()).is_err() {
        return exec_err!("{NAME}: more than {} answers in one state; use more partitions", i32::MAX);
    }
    let offsets = OffsetBuffer::from_lengths(lengths);
    let item = Arc::new(Field::new_list_field(DataType::Int64, true));
    Ok(ListArray::try_new(item, offsets, Arc::new(Int64Array::from(answers)), None)?)
}

/// The answers of a single group.
#[derive(Debug)]
pub(super) struct AnswerLog {
    answers: Vec<i64>,
    never: NeverLearned,
}

impl AnswerLog {
    /// Creates an empty log.
    pub(super) fn new(never: NeverLearned) -> Self {
        Self { answers: vec![], never }
    }
}

impl Accumulator for AnswerLog {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each(values, |_, answer| self.answers.push(answer))
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for answers in states[0].as_list::<i32>().iter().flatten() {
            self.answers.extend_from_slice(answers.as_primitive::<Int64Type>().values());
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::List(Arc::new(lists([self.answers.len()], self.answers.clone())?))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(events(&mut self.answers, self.never)?))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.answers.capacity() * size_of::<i64>()
    }
}

/// The answers of all groups in one log, which avoids an allocation per group.
#[derive(Debug)]
pub(super) struct GroupedAnswerLog {
    groups: Vec<u32>,
    answers: Vec<i64>,
    total: usize,
    never: NeverLearned,
}

impl GroupedAnswerLog {
    /// Creates a log without groups.
    pub(super) fn new(never: NeverLearned) -> Self {
        Self { groups: vec![], answers: vec![], total: 0, never }
    }

    fn grow(&mut self, total: usize) -> Result<()> {
        if u32::try_from(total).is_err() {
            return exec_err!("{NAME}: more than {} groups in one partition", u32::MAX);
        }
        self.total = self.total.max(total);
        Ok(())
    }

    /// Removes the groups to be emitted. Returns the answers in order of groups, and where each group begins.
    fn take(&mut self, emit_to: EmitTo) -> (Vec<usize>, Vec<i64>) {
        let count = match emit_to {
            EmitTo::All => self.total,
            EmitTo::First(count) => count.min(self.total),
        };
        let mut ends = vec![0; count + 1];
        for &group in self.groups.iter().filter(|group| (**group as usize) < count) {
            ends[group as usize + 1] += 1;
        }
        for at in 1..ends.len() {
            ends[at] += ends[at - 1];
        }
        let mut next = ends.clone();
        let mut taken = vec![0; ends[count]];
        let mut kept = 0;
        for at in 0..self.groups.len() {
            let (group, answer) = (self.groups[at] as usize, self.answers[at]);
            if group < count {
                taken[next[group]] = answer;
                next[group] += 1;
            } else {
                self.groups[kept] = (group - count) as u32;
                self.answers[kept] = answer;
                kept += 1;
            }
        }
        self.groups.truncate(kept);
        self.answers.truncate(kept);
        if kept == 0 {
            (self.groups, self.answers) = (vec![], vec![]);
        }
        self.total -= count;
        (ends, taken)
    }
}

impl GroupsAccumulator for GroupedAnswerLog {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.grow(total_num_groups)?;
        each(values, |row, answer| {
            if opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row)) {
                self.groups.push(group_indices[row] as u32);
                self.answers.push(answer);
            }
        })
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.grow(total_num_groups)?;
        let lists = values[0].as_list::<i32>();
        let answers = lists.values().as_primitive::<Int64Type>().values();
        let offsets = lists.value_offsets();
        for (row, &group) in group_indices.iter().enumerate().filter(|(row, _)| lists.is_valid(*row)) {
            // Offsets of a list array are not negative.
            for &answer in &answers[offsets[row] as usize..offsets[row + 1] as usize] {
                self.groups.push(group as u32);
                self.answers.push(answer);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (ends, mut answers) = self.take(emit_to);
        let never = self.never;
        let scores = ends.windows(2).map(|pair| events(&mut answers[pair[0]..pair[1]], never));
        Ok(Arc::new(scores.collect::<Result<Float64Array>>()?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (ends, answers) = self.take(emit_to);
        Ok(vec![Arc::new(lists(ends.windows(2).map(|pair| pair[1] - pair[0]), answers)?)])
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values[0].len();
        let (mut lengths, mut answers) = (vec![0; rows], Vec::with_capacity(rows));
        each(values, |row, answer| {
            if opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row)) {
                lengths[row] = 1;
                answers.push(answer);
            }
        })?;
        Ok(vec![Arc::new(lists(lengths, answers)?)])
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.groups.capacity() * size_of::<u32>() + self.answers.capacity() * size_of::<i64>()
    }
}
