//! Stochastic gradient descent. The order of the rows depends only on the seed, the epoch and the ids.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::array::{ArrayRef, Float32Array, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::{Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;

use super::{FitSoftmax, NAME};
use crate::kernels::learn::network::{BLOCK, Network, Output, Step};
use crate::kernels::random::mix;
use crate::operators::examples::{Buffer, Examples};
use crate::operators::frame::{F64Bits, Work};

/// State that all runs share.
struct Training {
    parameters: FitSoftmax,
    examples: Examples,
    /// The training rows, with the hashes of their ids.
    learned: Vec<(u32, u64)>,
    schema: SchemaRef,
    rows: usize,
    /// Additional threads per run.
    helpers: usize,
    next: AtomicU32,
}

/// Trains every run and logs its predictions. Runs are distributed over threads; the results do not depend on it.
pub(super) async fn run(parameters: FitSoftmax, mut work: Work) -> Result<SendableRecordBatchStream> {
    let examples = Examples::gather(NAME, &mut work).await?;
    let rows = 0..examples.len();
    let learned = rows.filter(|at| examples.flag(*at) && examples.label(*at).is_some());
    let learned: Vec<(u32, u64)> = learned.map(|at| (at as u32, examples.hash(at))).collect();
    let threads = work.threads().min(parameters.runs as usize);
    let helpers = work.threads() / threads - 1;
    let batch_size = work.context.task.session_config().batch_size();
    let mut stream = RecordBatchReceiverStreamBuilder::new(Arc::clone(&work.schema), threads);
    if examples.is_empty() {
        return Ok(stream.build());
    }
    if learned.is_empty() {
        return exec_err!("{NAME}: no row has a label to learn from");
    }
    let shape = (examples.dimensions(), parameters.hidden as usize, examples.classes());
    let memory = MemoryConsumer::new(format!("networks of {NAME}")).register(work.context.task.memory_pool());
    memory.try_grow(threads * ((1 + helpers) * Network::bytes(shape.0, shape.1, shape.2) + learned.len() * 24))?;
    let training = Arc::new((
        Training {
            parameters,
            examples,
            learned,
            schema: work.schema,
            rows: batch_size,
            helpers,
            next: AtomicU32::new(0),
        },
        memory,
    ));
    for _ in 0..threads {
        let (training, out) = (Arc::clone(&training), stream.tx());
        stream.spawn_blocking(move || training.0.work(&mut |batch| out.blocking_send(Ok(batch)).is_ok()));
    }
    Ok(stream.build())
}

impl Training {
    /// Trains runs until none is left, or until `send` reports that the receiver is gone.
    fn work(&self, send: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()> {
        loop {
            let run = self.next.fetch_add(1, Ordering::Relaxed);
            if run >= self.parameters.runs || !self.train(run, send)? {
                return Ok(());
            }
        }
    }

    fn train(&self, run: u32, send: &mut dyn FnMut(RecordBatch) -> bool) -> Result<bool> {
        let FitSoftmax { hidden, epochs, batch, seed, last, .. } = self.parameters;
        let examples = &self.examples;
        let seed = mix(mix(seed).wrapping_add(u64::from(run)));
        let mut network = Network::new(examples.dimensions(), hidden as usize, examples.classes(), seed);
        let number = |value: F64Bits| value.get() as f32;
        let step = Step {
            rate: number(self.parameters.rate),
            momentum: number(self.parameters.momentum),
            l2: number(self.parameters.l2),
        };
        let (mut out, mut inputs, mut labels) = (Output::default(), Inputs::default(), vec![]);
        let mut order: Vec<(u64, u32)> = vec![];
        for epoch in 1..=epochs {
            let salt = mix(seed ^ u64::from(epoch));
            order.clear();
            order.extend(self.learned.iter().map(|(row, hash)| (mix(hash ^ salt), *row)));
            order.sort_unstable();
            for rows in order.chunks(batch as usize) {
                for block in rows.chunks(BLOCK) {
                    inputs.gather(examples, block.iter().map(|(_, row)| *row as usize))?;
                    labels.clear();
                    labels.extend(block.iter().map(|(_, row)| examples.label(*row as usize).unwrap_or_default()));
                    network.forward(&inputs.values, &mut out);
                    network.backward(&inputs.values, &labels, rows.len(), &mut out);
                }
                network.step(step);
            }
            if !network.is_finite() {
                return exec_err!("{NAME}: run {run} diverged in epoch {epoch}; a lower learning_rate may help");
            }
            if (epoch == epochs || !last) && !self.log(run, epoch, &network, send)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sends the network's predictions for every row; `false` if the receiver is gone. Threads without a run of their own
    /// share the rows.
    fn log(&self, run: u32, epoch: u32, network: &Network, send: &mut dyn FnMut(RecordBatch) -> bool) -> Result<bool> {
        let starts: Vec<usize> = (0..self.examples.len()).step_by(self.rows).collect();
        let one = |start: &usize| self.predict(run, epoch, network, *start);
        for some in starts.chunks(self.helpers + 1) {
            let batches: Vec<Result<RecordBatch>> = std::thread::scope(|scope| {
                let others: Vec<_> = some[1..].iter().map(|start| scope.spawn(|| one(start))).collect();
                let first = one(&some[0]);
                let others = others.into_iter().map(|other| match other.join() {
                    Ok(batch) => batch,
                    Err(panic) => std::panic::resume_unwind(panic),
                });
                std::iter::once(first).chain(others).collect()
            });
            for batch in batches {
                if !send(batch?) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Computes the predictions for a batch of rows.
    fn predict(&self, run: u32, epoch: u32, network: &Network, start: usize) -> Result<RecordBatch> {
        let range = start..(start + self.rows).min(self.examples.len());
        let (count, classes) = (range.len(), self.examples.classes());
        let (mut out, mut inputs) = (Output::default(), Inputs::default());
        let (mut probs, mut logits) = (Vec::with_capacity(count * classes), Vec::with_capacity(count * classes));
        let mut h_squared: Vec<f32> = Vec::with_capacity(count);
        for from in range.clone().step_by(BLOCK) {
            inputs.gather(&self.examples, from..(from + BLOCK).min(range.end))?;
            network.forward(&inputs.values, &mut out);
            network.probs(&out).for_each(|row| probs.extend_from_slice(row));
            network.logits(&out).for_each(|row| logits.extend_from_slice(row));
            h_squared.extend_from_slice(&out.h_squared);
        }
        let labels: Int64Array = range.clone().map(|at| self.examples.label(at).map(|label| label as i64)).collect();
        let columns: Vec<ArrayRef> = vec![
            self.examples.ids(range)?,
            Arc::new(labels),
            Arc::new(Int32Array::from_value(run as i32, count)),
            Arc::new(Int32Array::from_value(epoch as i32, count)),
            lists(probs, classes, count)?,
            lists(logits, classes, count)?,
            Arc::new(Float32Array::from(h_squared)),
            Arc::new(Float64Array::from_value(network.last_norm(), count)),
        ];
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

/// Vectors of some rows, concatenated.
#[derive(Default)]
struct Inputs {
    values: Vec<f32>,
    buffer: Buffer,
}

impl Inputs {
    fn gather(&mut self, examples: &Examples, rows: impl Iterator<Item = usize>) -> Result<()> {
        self.values.clear();
        for row in rows {
            self.values.extend_from_slice(examples.vector(row, &mut self.buffer)?);
        }
        Ok(())
    }
}

fn lists(values: Vec<f32>, width: usize, count: usize) -> Result<ArrayRef> {
    let item = Arc::new(Field::new_list_field(DataType::Float32, true));
    let offsets = OffsetBuffer::from_repeated_length(width, count);
    Ok(Arc::new(ListArray::try_new(item, offsets, Arc::new(Float32Array::from(values)), None)?))
}
