//! Arguments and waiting, shared by the encoder functions of SQL.

use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeListArray, Float32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field};
use datafusion::common::{DataFusionError, Result, exec_err, plan_err};
use datafusion::logical_expr::ScalarFunctionArgs;
use limpid_encoders::device::Device;
use limpid_encoders::folder::Modality;
use limpid_encoders::{Model, Vectors, registry};

use super::embedder::Embedder;
use crate::config::LimpidOptions;
use crate::functions::literals::Literals;
use crate::functions::vector::embeddings::float_item;

/// The model that a call names (`default` if it names none), on the device and with the prompt given by the following
/// arguments.
pub(super) fn model(
    function: &str,
    literals: &Literals<'_>,
    default: Option<&str>,
    needed: Modality,
) -> Result<Arc<Model>> {
    let name = literals.text(1, "model")?.or(default);
    let Some(name) = name else { return plan_err!("{function}: name a model, as in model => 'NAME'") };
    open(function, name, literals.text(2, "device")?.unwrap_or("cpu"), literals.text(3, "prompt")?, needed)
}

/// Opens the named model on a device. The named prompt is put before every text.
pub(crate) fn open(
    function: &str,
    name: &str,
    device: &str,
    prompt: Option<&str>,
    needed: Modality,
) -> Result<Arc<Model>> {
    let failed = |error: limpid_encoders::Error| DataFusionError::Plan(format!("{function}: {error}"));
    let device: Device = device.parse().map_err(failed)?;
    let model = waiting(|| registry::open(name, device)).map_err(failed)?;
    model.needs(needed).map_err(failed)?;
    match prompt {
        Some(prompt) => model.with_prompt(prompt).map(Arc::new).map_err(failed),
        None => Ok(model),
    }
}

/// The embedder of a running call, with the session's cache.
pub(super) fn embedder(
    function: &'static str,
    args: &ScalarFunctionArgs,
    default: Option<&str>,
    needed: Modality,
) -> Result<Embedder> {
    let model = model(function, &Literals::running(function, &args.args), default, needed)?;
    waiting(|| Embedder::open(function, model, LimpidOptions::of(&args.config_options).cache()))
}

/// Embeds a column. New vectors go to the cache, and rows without a vector are counted in the session.
pub(super) fn vectors(embedder: &Embedder, session: &LimpidOptions, contents: &ArrayRef) -> Result<ArrayRef> {
    waiting(|| {
        let embedded = embedder.embed(contents)?;
        embedder.flush()?;
        session.count_without_vector(embedded.without_vector as u64);
        Ok(embedded.vectors)
    })
}

/// The Arrow type of the vectors of `model`.
pub(crate) fn vector_type(model: &Model) -> Result<DataType> {
    match i32::try_from(model.info().dimension) {
        Ok(width) if width > 0 => Ok(DataType::FixedSizeList(float_item(DataType::Float32), width)),
        _ => plan_err!("the vectors of model '{}' have {} numbers", model.info().name, model.info().dimension),
    }
}

/// Builds a column of `count` rows. `rows` lists the rows that are not NULL, one per vector.
pub(super) fn column(vectors: Vectors, rows: &[usize], count: usize) -> Result<ArrayRef> {
    let Vectors { dimension, values, present, tokens: _ } = vectors;
    let (values, valid) = if rows.len() == count {
        (values, present)
    } else {
        let (mut all, mut valid) = (vec![0.0; count * dimension], vec![false; count]);
        for ((vector, present), &row) in values.chunks_exact(dimension.max(1)).zip(present).zip(rows) {
            all[row * dimension..(row + 1) * dimension].copy_from_slice(vector);
            valid[row] = present;
        }
        (all, valid)
    };
    let width = i32::try_from(dimension).unwrap_or(0);
    let item = Arc::new(Field::new_list_field(DataType::Float32, true));
    let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
    Ok(Arc::new(FixedSizeListArray::try_new(item, width, Arc::new(Float32Array::from(values)), nulls)?))
}

/// Wraps the error of an encoder in the error of a running call.
pub(super) fn failed<T>(function: &str, error: &limpid_encoders::Error) -> Result<T> {
    exec_err!("{function}: {error}")
}

/// Runs `work`, which blocks on other threads. On a multi-threaded runtime, another worker takes over this worker's tasks
/// meanwhile.
pub(super) fn waiting<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}
