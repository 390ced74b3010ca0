//! Visits rows by score, building a graph of the concepts of all kept rows.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type};
use arrow::util::display::array_value_to_string;
use datafusion::common::{Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::TryStreamExt;
use hashbrown::HashSet;

use super::{GraphFilter, NAME};
use crate::operators::frame::Work;
use crate::operators::interner::Names;

/// Bytes per edge of the graph.
const LINK: usize = 24;

/// A row with its id and concepts as numbers.
struct Row {
    id: u32,
    score: Option<f64>,
    concepts: Vec<u32>,
}

/// Runs the filter over all rows.
pub(super) async fn run(_: GraphFilter, mut work: Work) -> Result<SendableRecordBatchStream> {
    let below = work.input.schema();
    let memory = MemoryConsumer::new(format!("rows of {NAME}")).register(work.context.task.memory_pool());
    let mut ids = Names::try_new(NAME, work.name(0), below.field(work.column(0)).data_type(), &work.context.task)?;
    let mut concepts = Names::try_new(NAME, work.name(2), &DataType::Utf8, &work.context.task)?;
    let texts = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    let mut rows: Vec<Row> = vec![];
    while let Some(batch) = work.input.try_next().await? {
        let column = |role: usize| batch.column(work.column(role));
        let id = ids.number(column(0))?;
        let scores = cast(column(1), &DataType::Float64)?;
        let (scores, lists) = (scores.as_primitive::<Float64Type>(), cast(column(2), &texts)?);
        let lists = lists.as_list::<i32>();
        for (row, &id) in id.iter().enumerate() {
            let score = scores.is_valid(row).then(|| scores.value(row));
            if score.is_some_and(f64::is_nan) {
                return exec_err!("{NAME}: column `{}` has NaN", work.name(1));
            }
            let mut numbers = if lists.is_valid(row) { concepts.number(&lists.value(row))? } else { vec![] };
            numbers.sort_unstable();
            numbers.dedup();
            memory.try_grow(size_of::<Row>() + numbers.len() * size_of::<u32>())?;
            rows.push(Row { id, score, concepts: numbers });
        }
    }
    let (ids, concepts) = (ids.finish(), concepts.finish());
    for row in &mut rows {
        row.id = ids.place(row.id);
        row.concepts.iter_mut().for_each(|concept| *concept = concepts.place(*concept));
        row.concepts.sort_unstable();
    }
    // High scores first, then rows without a score; ties in ascending order of id.
    rows.sort_by(|a, b| b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal).then(a.id.cmp(&b.id)));
    if ids.len() < rows.len() {
        return exec_err!("{NAME}: column `{}` has an id that comes twice", work.name(0));
    }
    let mut known = vec![false; concepts.len()];
    let mut links: HashSet<(u32, u32)> = HashSet::new();
    let mut reasons: Vec<Option<(u32, u32)>> = Vec::with_capacity(rows.len());
    for row in &rows {
        let conflict =
            pairs(&row.concepts).find(|(a, b)| known[*a as usize] && known[*b as usize] && !links.contains(&(*a, *b)));
        reasons.push(conflict);
        if conflict.is_none() {
            row.concepts.iter().for_each(|concept| known[*concept as usize] = true);
            let before = links.len();
            links.extend(pairs(&row.concepts));
            memory.try_grow((links.len() - before) * LINK)?;
        }
    }
    let names = concepts.column(0..concepts.len())?;
    let reasons: Vec<Option<String>> = reasons
        .into_iter()
        .map(|conflict| {
            let Some((a, b)) = conflict else { return Ok(None) };
            let name = |concept: u32| array_value_to_string(&names, concept as usize);
            Ok(Some(format!("'{}' and '{}' are known and not linked", name(a)?, name(b)?)))
        })
        .collect::<Result<_>>()?;
    let keep: BooleanArray = reasons.iter().map(|reason| Some(reason.is_none())).collect();
    let columns: Vec<ArrayRef> =
        vec![ids.column(rows.iter().map(|row| row.id as usize))?, Arc::new(keep), Arc::new(StringArray::from(reasons))];
    let batch = RecordBatch::try_new(Arc::clone(&work.schema), columns)?;
    Ok(Box::pin(RecordBatchStreamAdapter::new(work.schema, futures::stream::iter([Ok(batch)]))))
}

/// Iterates over all pairs of ascending numbers.
fn pairs(numbers: &[u32]) -> impl Iterator<Item = (u32, u32)> + '_ {
    numbers.iter().enumerate().flat_map(|(at, a)| numbers[at + 1..].iter().map(move |b| (*a, *b)))
}
