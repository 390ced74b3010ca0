//! Fits a logistic regression to its optimum, solves one linear system with its Hessian, and computes one dot product per
//! row.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{Result, exec_err, internal_datafusion_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

use super::{Lissa, Parameters};
use crate::kernels::learn::conjugate;
use crate::kernels::learn::dense::{add, dot, softmax};
use crate::kernels::learn::regression::{Regression, Rows, SHARDS};
use crate::kernels::random::SplitMix64;
use crate::operators::examples::{Buffer, Examples, Subset};
use crate::operators::frame::Work;

/// The fit stops at this norm of the gradient, and the solver at this relative residual.
const TOLERANCE: f64 = 1e-10;

/// Maximum number of Hessian products in conjugate gradients.
const PRODUCTS: usize = 2000;

/// What the call asks for.
pub(super) struct Asked {
    /// The SQL name.
    pub name: &'static str,
    /// Whether to return the vector rather than the scores.
    pub vector: bool,
    /// The regression and the solver.
    pub parameters: Parameters,
}

/// Fits, solves, and returns the scores or the vector.
pub(super) async fn run(asked: Asked, mut work: Work) -> Result<SendableRecordBatchStream> {
    let name = asked.name;
    let flagged = work.columns[0].len() > 3;
    let examples = Examples::gather(name, &mut work).await?;
    let (threads, schema) = (work.threads(), Arc::clone(&work.schema));
    let memory = MemoryConsumer::new(format!("gradients of {name}")).register(work.context.task.memory_pool());
    memory.try_grow((SHARDS + 12) * examples.dimensions() * examples.classes() * size_of::<f64>())?;
    let rows = work.context.task.session_config().batch_size();
    let batches = SpawnedTask::spawn_blocking(move || {
        let _held = memory;
        if examples.is_empty() { Ok(vec![]) } else { answer(&asked, &examples, flagged, threads, &schema, rows) }
    });
    let batches = batches.join().await.map_err(|e| internal_datafusion_err!("{name}: {e}"))??;
    let batches = futures::stream::iter(batches.into_iter().map(Ok));
    Ok(Box::pin(RecordBatchStreamAdapter::new(work.schema, batches)))
}

fn answer(
    asked: &Asked,
    examples: &Examples,
    flagged: bool,
    threads: usize,
    schema: &SchemaRef,
    rows: usize,
) -> Result<Vec<RecordBatch>> {
    let Asked { name, vector: is_vector, parameters } = asked;
    if let Some(at) = (0..examples.len()).find(|at| examples.label(*at).is_none()) {
        let shown = arrow::util::display::array_value_to_string(&examples.ids(at..at + 1)?, 0)?;
        return exec_err!("{name}: the row with id {shown} has no label");
    }
    let of = |target: bool| -> Vec<u32> {
        (0..examples.len()).filter(|at| !flagged || examples.flag(*at) == target).map(|at| at as u32).collect()
    };
    let (train, target) = (of(false), of(true));
    if train.is_empty() || target.is_empty() {
        let (kind, value) = if train.is_empty() { ("training", "false") } else { ("target", "true") };
        return exec_err!("{name}: there is no {kind} row: `target` is {value} in no row");
    }
    if !flagged {
        log::warn!(
            "{name}: without `target` the influence is that on the training loss itself, which at the optimum measures \
             alignment with the weights; name a validation set with `target => column`"
        );
    }
    let l2 = parameters.l2.get();
    let model = Regression { inputs: examples.dimensions(), classes: examples.classes(), l2, threads };
    let (train_rows, target_rows) = (examples.subset(train.clone()), examples.subset(target));
    let mut weights = vec![0.0; model.inputs * model.classes];
    let left = model.fit(&mut weights, &train_rows, TOLERANCE)?;
    if left > 1e-6 {
        log::warn!("{name}: the fit ended with a gradient of norm {left:e}; scale the vectors or raise l2");
    }
    let (_, gradient) = model.risk(&weights, &target_rows)?;
    let s = solve(asked, &model, &weights, &train_rows, &gradient)?;
    if *is_vector {
        return Ok(vec![vector(&model, s, weights, schema)?]);
    }
    scores(&model, &weights, &s, examples, &train, schema, rows)
}

/// Computes `H^-1 gradient`, exactly or by the stochastic recursion.
fn solve(asked: &Asked, model: &Regression, weights: &[f64], rows: &Subset<'_>, gradient: &[f64]) -> Result<Vec<f64>> {
    if let Some(lissa) = &asked.parameters.lissa {
        return recurse(lissa, model, weights, rows, gradient);
    }
    let mut s = vec![0.0; gradient.len()];
    let product = |direction: &[f64]| model.curvature(weights, rows, direction);
    let solved = conjugate::solve(product, gradient, &mut s, TOLERANCE, PRODUCTS)?;
    if solved.residual > 1e-6 {
        log::warn!(
            "{}: {} products leave a residual of {:e}; raise l2 or scale the vectors",
            asked.name,
            solved.iterations,
            solved.residual
        );
    }
    Ok(s)
}

/// LiSSA (Agarwal, Bullins and Hazan, Second-order stochastic optimization, 2017) on single rows, as implemented in
/// recommender code. It effectively solves with `(H + damp * scale)^-1`, and this ridge is not small by default.
fn recurse(
    lissa: &Lissa,
    model: &Regression,
    weights: &[f64],
    rows: &Subset<'_>,
    gradient: &[f64],
) -> Result<Vec<f64>> {
    let (damp, scale) = (lissa.damp.get(), lissa.scale.get());
    let mut random = SplitMix64::new(lissa.seed);
    let mut estimate = gradient.to_vec();
    let mut scratch = vec![];
    for _ in 0..lissa.depth {
        // Multiply by the upper half of a 64-bit number: uniform up to a bias of one part in 2^32.
        let row = (((random.next_u64() >> 32) * rows.len() as u64) >> 32) as usize;
        let mut bent: Vec<f64> = estimate.iter().map(|value| model.l2 * value).collect();
        rows.visit(row..row + 1, &mut |input, _| {
            model.add_curvature(weights, input, &estimate, &mut scratch, &mut bent);
        })?;
        estimate.iter_mut().for_each(|value| *value *= 1.0 - damp);
        add(&mut estimate, 1.0, gradient);
        add(&mut estimate, -1.0 / scale, &bent);
    }
    if estimate.iter().any(|value| !value.is_finite()) {
        return exec_err!("the LiSSA recursion diverged: raise `scale` or use solver => 'cg'");
    }
    estimate.iter_mut().for_each(|value| *value /= scale);
    Ok(estimate)
}

fn vector(model: &Regression, s: Vec<f64>, weights: Vec<f64>, schema: &SchemaRef) -> Result<RecordBatch> {
    let item = Arc::new(Field::new_list_field(DataType::Float64, true));
    let lists = |values: Vec<f64>| -> Result<ArrayRef> {
        let offsets = OffsetBuffer::from_repeated_length(model.inputs, model.classes);
        Ok(Arc::new(ListArray::try_new(Arc::clone(&item), offsets, Arc::new(Float64Array::from(values)), None)?))
    };
    let classes: Int64Array = (0..model.classes as i64).collect();
    Ok(RecordBatch::try_new(Arc::clone(schema), vec![Arc::new(classes), lists(s)?, lists(weights)?])?)
}

/// Computes `(p - y)^T S x / rows` for every training row.
fn scores(
    model: &Regression,
    weights: &[f64],
    s: &[f64],
    examples: &Examples,
    train: &[u32],
    schema: &SchemaRef,
    rows: usize,
) -> Result<Vec<RecordBatch>> {
    let (mut buffer, mut probs) = (Buffer::default(), vec![]);
    let mut batches = vec![];
    for part in train.chunks(rows.max(1)) {
        let mut scores = Vec::with_capacity(part.len());
        for &row in part {
            let input = examples.vector(row as usize, &mut buffer)?;
            model.logits(weights, input, &mut probs);
            softmax(&mut probs);
            probs[examples.label(row as usize).unwrap_or_default()] -= 1.0;
            let along = s.chunks_exact(model.inputs).zip(&probs).map(|(s, error)| error * dot(s, input));
            scores.push(along.sum::<f64>() / train.len() as f64);
        }
        let ids = examples.ids(part.iter().map(|row| *row as usize))?;
        batches.push(RecordBatch::try_new(Arc::clone(schema), vec![ids, Arc::new(Float64Array::from(scores))])?);
    }
    Ok(batches)
}
