//! Stochastic gradient descent over the rows in an order that depends on the seed, the epoch and the ids only.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::array::{
    ArrayRef, Float32Array, Float32Builder, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::{Result, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;

use super::{NAME, Parameters};
use crate::kernels::learn::network::{Network, Output, Step};
use crate::kernels::random::mix;
use crate::operators::analysis::examples::{Buffer, Examples};
use crate::operators::analysis::exec::Work;

/// What all runs share.
struct Training {
    parameters: Parameters,
    examples: Examples,
    /// Rows that are learned from, with the hash of their ids.
    learned: Vec<(u32, u64)>,
    schema: SchemaRef,
    rows: usize,
    next: AtomicU32,
}

/// Trains every run and logs what it predicts. Runs are spread over threads; each is the same on any of them.
pub async fn run(parameters: Parameters, mut work: Work) -> Result<SendableRecordBatchStream> {
    let examples = Examples::gather(NAME, &mut work).await?;
    let rows = 0..examples.len();
    let learned = rows.filter(|at| examples.flag(*at) && examples.label(*at).is_some());
    let learned: Vec<(u32, u64)> = learned.map(|at| (at as u32, examples.hash(at))).collect();
    let threads = work.threads().min(parameters.runs as usize);
    let batch_size = work.context.session_config().batch_size();
    let mut stream = RecordBatchReceiverStreamBuilder::new(Arc::clone(&work.schema), threads);
    if examples.is_empty() {
        return Ok(stream.build());
    }
    if learned.is_empty() {
        return exec_err!("{NAME}: no row has a label to learn from");
    }
    let shape = (examples.dimensions(), parameters.hidden as usize, examples.classes());
    let memory = MemoryConsumer::new(format!("networks of {NAME}")).register(work.context.memory_pool());
    memory.try_grow(threads * (Network::bytes(shape.0, shape.1, shape.2) + learned.len() * 24))?;
    let training = Arc::new((
        Training { parameters, examples, learned, schema: work.schema, rows: batch_size, next: AtomicU32::new(0) },
        memory,
    ));
    for _ in 0..threads {
        let (training, out) = (Arc::clone(&training), stream.tx());
        stream.spawn_blocking(move || training.0.work(&mut |batch| out.blocking_send(Ok(batch)).is_ok()));
    }
    Ok(stream.build())
}

impl Training {
    /// Trains runs until none is left, or `send` says that nobody listens.
    fn work(&self, send: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()> {
        loop {
            let run = self.next.fetch_add(1, Ordering::Relaxed);
            if run >= self.parameters.runs || !self.train(run, send)? {
                return Ok(());
            }
        }
    }

    fn train(&self, run: u32, send: &mut dyn FnMut(RecordBatch) -> bool) -> Result<bool> {
        let Parameters { hidden, epochs, batch, seed, last, .. } = self.parameters;
        let examples = &self.examples;
        let seed = mix(mix(seed).wrapping_add(u64::from(run)));
        let mut network = Network::new(examples.dimensions(), hidden as usize, examples.classes(), seed);
        let step = Step {
            rate: f64::from_bits(self.parameters.rate_bits),
            momentum: f64::from_bits(self.parameters.momentum_bits),
            l2: f64::from_bits(self.parameters.l2_bits),
        };
        let (mut out, mut buffer) = (Output::default(), Buffer::default());
        let mut order: Vec<(u64, u32)> = vec![];
        for epoch in 1..=epochs {
            let salt = mix(seed ^ u64::from(epoch));
            order.clear();
            order.extend(self.learned.iter().map(|(row, hash)| (mix(hash ^ salt), *row)));
            order.sort_unstable();
            for rows in order.chunks(batch as usize) {
                for (_, row) in rows {
                    let input = examples.vector(*row as usize, &mut buffer)?;
                    network.forward(input, &mut out);
                    let label = examples.label(*row as usize).unwrap_or_default();
                    network.backward(input, label, rows.len(), &mut out);
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

    /// Sends what the network predicts for every row; `false` where nobody listens.
    fn log(&self, run: u32, epoch: u32, network: &Network, send: &mut dyn FnMut(RecordBatch) -> bool) -> Result<bool> {
        let (mut out, mut buffer) = (Output::default(), Buffer::default());
        let norm = network.last_norm();
        for start in (0..self.examples.len()).step_by(self.rows) {
            let range = start..(start + self.rows).min(self.examples.len());
            let count = range.len();
            let (mut probs, mut logits) = (Float32Builder::new(), Float32Builder::new());
            let mut h_squared = Vec::with_capacity(count);
            for at in range.clone() {
                network.forward(self.examples.vector(at, &mut buffer)?, &mut out);
                out.probs.iter().for_each(|value| probs.append_value(*value as f32));
                out.logits.iter().for_each(|value| logits.append_value(*value as f32));
                h_squared.push(out.h_squared as f32);
            }
            let labels: Int64Array =
                range.clone().map(|at| self.examples.label(at).map(|label| label as i64)).collect();
            let classes = self.examples.classes();
            let columns: Vec<ArrayRef> = vec![
                self.examples.ids(range)?,
                Arc::new(labels),
                Arc::new(Int32Array::from_value(run as i32, count)),
                Arc::new(Int32Array::from_value(epoch as i32, count)),
                lists(probs, classes, count)?,
                lists(logits, classes, count)?,
                Arc::new(Float32Array::from(h_squared)),
                Arc::new(Float64Array::from_value(norm, count)),
            ];
            if !send(RecordBatch::try_new(Arc::clone(&self.schema), columns)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn lists(mut values: Float32Builder, width: usize, count: usize) -> Result<ArrayRef> {
    let item = Arc::new(Field::new_list_field(DataType::Float32, true));
    let offsets = OffsetBuffer::from_repeated_length(width, count);
    Ok(Arc::new(ListArray::try_new(item, offsets, Arc::new(values.finish()), None)?))
}
