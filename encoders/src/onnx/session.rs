//! One session of the runtime: what a thread of a model's own runs.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use half::f16;
use ort::ep;
use ort::session::Session as OrtSession;
use ort::session::SessionInputValue;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions};
use ort::value::{Tensor, TensorElementType, ValueType};

use super::batcher::{Numbers, Row, Run};
use super::layer_norm;
use super::runtime::{Backend, Runtime};
use crate::device::Device;
use crate::folder::{Modality, Pooling, Settings};
use crate::{Error, Result};

/// A model ready to run.
pub struct Session {
    session: OrtSession,
    feeds: Vec<Feed>,
    output: String,
    /// What leaves out the other outputs; tract knows no such thing.
    options: Option<RunOptions<HasSelectedOutputs>>,
    modality: Modality,
    pooling: Pooling,
    crop: usize,
}

#[derive(Debug)]
struct Feed {
    name: String,
    kind: FeedKind,
    element: TensorElementType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FeedKind {
    Ids,
    Mask,
    Types,
    Positions,
    Pixels,
}

impl Session {
    /// Opens the model at `path`.
    pub fn open(path: &Path, settings: &Settings, device: Device, threads: usize) -> Result<Self> {
        let runtime = Runtime::get()?;
        if !path.is_file() {
            return Err(Error::File { path: path.to_owned(), message: "there is no such file".to_owned() });
        }
        let session = guarded(|| build(runtime, path, device, threads)).map_err(|message| match device {
            Device::Cpu => Error::Onnx { path: path.to_owned(), message },
            _ if guarded(|| build(runtime, path, Device::Cpu, threads)).is_ok() => {
                Error::NoDevice { device: device.to_string(), message }
            }
            _ => Error::Onnx { path: path.to_owned(), message },
        })?;
        let shape = |message: String| Error::Shape { path: path.to_owned(), message };
        let feeds = feeds(&session, settings).map_err(shape)?;
        let output = output(&session, settings).map_err(shape)?;
        let crop = settings.image.as_ref().map_or(0, |image| image.crop);
        let (modality, pooling) = (settings.modality, settings.pooling);
        let options = match runtime.backend {
            Backend::Tract => None,
            Backend::Library { .. } => {
                let options = RunOptions::new().map_err(|error| shape(error.to_string()))?;
                Some(options.with_outputs(OutputSelector::no_default().with(&output)))
            }
        };
        Ok(Self { session, feeds, output, options, modality, pooling, crop })
    }

    fn run_rows(&mut self, rows: &[Row]) -> Result<Numbers, String> {
        let inputs = self.feeds.iter().map(|feed| Ok((Cow::from(feed.name.as_str()), self.value(feed, rows)?)));
        let inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = inputs.collect::<Result<_, String>>()?;
        let outputs = match &self.options {
            Some(options) => self.session.run_with_options(inputs, options),
            None => self.session.run(inputs),
        };
        let outputs = outputs.map_err(|error| error.to_string())?;
        let Some(value) = outputs.get(&self.output) else { return Err(format!("it gave no output {}", self.output)) };
        let (shape, values) = match value.try_extract_tensor::<f32>() {
            Ok((shape, values)) => (shape, Cow::from(values)),
            Err(error) => match value.try_extract_tensor::<f16>() {
                Ok((shape, values)) => (shape, values.iter().map(|value| value.to_f32()).collect()),
                Err(_) => return Err(error.to_string()),
            },
        };
        let dims: Vec<usize> = shape.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect();
        let result = match self.modality {
            Modality::Causal => losses(rows, &dims, &values),
            Modality::Text => {
                let lengths: Vec<usize> = rows.iter().map(|row| tokens(row).len()).collect();
                pooled(&lengths, self.pooling, &dims, &values)
            }
            Modality::Image => {
                let length = dims.get(1).copied().unwrap_or(0);
                pooled(&vec![length; rows.len()], self.pooling, &dims, &values)
            }
        };
        result.ok_or_else(|| format!("output {} has the shape {dims:?}", self.output))
    }

    fn value(&self, feed: &Feed, rows: &[Row]) -> Result<SessionInputValue<'static>, String> {
        let failed = |error: ort::Error| error.to_string();
        if feed.kind == FeedKind::Pixels {
            let shape = vec![rows.len(), 3, self.crop, self.crop];
            let values: Vec<f32> = rows.iter().flat_map(pixels).copied().collect();
            if feed.element == TensorElementType::Float16 {
                let values: Vec<f16> = values.into_iter().map(f16::from_f32).collect();
                return Ok(Tensor::from_array((shape, values)).map_err(failed)?.into());
            }
            return Ok(Tensor::from_array((shape, values)).map_err(failed)?.into());
        }
        let width = rows.iter().map(|row| tokens(row).len()).max().unwrap_or(0);
        let mut values = Vec::with_capacity(rows.len() * width);
        for row in rows.iter().map(tokens) {
            let cell = |at: usize| match feed.kind {
                FeedKind::Ids => row.get(at).map_or(0, |&token| i64::from(token)),
                FeedKind::Mask => i64::from(at < row.len()),
                FeedKind::Positions => at.min(row.len()) as i64,
                FeedKind::Types | FeedKind::Pixels => 0,
            };
            values.extend((0..width).map(cell));
        }
        let shape = vec![rows.len(), width];
        if feed.element == TensorElementType::Int32 {
            let values: Vec<i32> = values.into_iter().map(|value| value as i32).collect();
            return Ok(Tensor::from_array((shape, values)).map_err(failed)?.into());
        }
        Ok(Tensor::from_array((shape, values)).map_err(failed)?.into())
    }
}

impl Run for Session {
    /// Runs `rows` together: a vector a row, or for a causal model the negative log-likelihood of each token from the second.
    fn run(&mut self, rows: &[Row]) -> Result<Numbers, String> {
        guarded(|| self.run_rows(rows))
    }
}

fn tokens(row: &Row) -> &[u32] {
    match row {
        Row::Tokens(tokens) => tokens,
        Row::Pixels(_) => &[],
    }
}

fn pixels(row: &Row) -> &[f32] {
    match row {
        Row::Tokens(_) => &[],
        Row::Pixels(pixels) => pixels,
    }
}

fn build(runtime: &Runtime, path: &Path, device: Device, threads: usize) -> Result<OrtSession, String> {
    let options = || -> ort::Result<OrtSession> {
        let mut builder = OrtSession::builder(&runtime.environment)?;
        if runtime.backend == Backend::Tract {
            // It runs only what its optimiser has seen, and knows no other option.
            builder = builder.with_optimization_level(GraphOptimizationLevel::Level3)?;
        } else {
            builder = builder.with_optimization_level(GraphOptimizationLevel::All)?;
            builder = builder.with_intra_threads(threads)?;
            // The library writes to the terminal what it returns as an error, too.
            builder = builder.with_log_level(ort::logging::LogLevel::Fatal)?;
        }
        let provider = match device {
            Device::Cpu => None,
            Device::Cuda(number) => Some(ep::cuda::CUDA::default().with_device_id(number.into()).build()),
            Device::TensorRt(number) => Some(ep::tensorrt::TensorRT::default().with_device_id(number.into()).build()),
            Device::CoreMl => Some(ep::coreml::CoreML::default().build()),
            Device::DirectMl(number) => Some(ep::directml::DirectML::default().with_device_id(number.into()).build()),
        };
        if let Some(provider) = provider {
            builder = builder.with_execution_providers([provider.error_on_failure()])?;
        }
        // For one thread and 32-bit floats; a model that is refused with it is the library's alone.
        if device == Device::Cpu
            && threads == 1
            && runtime.backend != Backend::Tract
            && let Some(Ok(session)) = layer_norm::open(builder.clone(), runtime, path)
        {
            return Ok(session);
        }
        builder.commit_from_file(path)
    };
    if device != Device::Cpu && runtime.backend == Backend::Tract {
        return Err("tract runs on the processor only; a device needs libonnxruntime".to_owned());
    }
    options().map_err(|error| error.to_string())
}

/// Runs `work`; a panic in the runtime becomes an error.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("the runtime gave up".to_owned()))
}

fn feeds(session: &OrtSession, settings: &Settings) -> Result<Vec<Feed>, String> {
    let (mut feeds, modality) = (vec![], settings.modality);
    for input in session.inputs() {
        let kind = match (modality, input.name()) {
            (Modality::Image, _) if session.inputs().len() == 1 => FeedKind::Pixels,
            (Modality::Image, "pixel_values") => FeedKind::Pixels,
            (Modality::Text | Modality::Causal, "input_ids") => FeedKind::Ids,
            (Modality::Text | Modality::Causal, "attention_mask") => FeedKind::Mask,
            (Modality::Text | Modality::Causal, "token_type_ids") => FeedKind::Types,
            (Modality::Text | Modality::Causal, "position_ids") => FeedKind::Positions,
            (Modality::Image, name) => {
                return Err(format!("it has the input '{name}'; an encoder of images has pixel_values"));
            }
            (_, name) => {
                return Err(format!(
                    "it has the input '{name}'; a model for texts has input_ids, attention_mask, token_type_ids or position_ids"
                ));
            }
        };
        let ValueType::Tensor { ty: element, shape, .. } = input.dtype() else {
            return Err(format!("its input '{}' is no tensor", input.name()));
        };
        takes(kind, *element, shape, settings).map_err(|message| format!("its input '{}' {message}", input.name()))?;
        feeds.push(Feed { name: input.name().to_owned(), kind, element: *element });
    }
    let main = if modality == Modality::Image { FeedKind::Pixels } else { FeedKind::Ids };
    let needed = if modality == Modality::Image { "pixel_values" } else { "input_ids" };
    match feeds.iter().find(|feed| feed.kind == main) {
        Some(_) => Ok(feeds),
        None => Err(format!("it has no input '{needed}'")),
    }
}

/// An error unless an input takes what it will be given; of its dimensions those that are below 0 are free.
fn takes(kind: FeedKind, element: TensorElementType, shape: &[i64], settings: &Settings) -> Result<(), String> {
    use TensorElementType::{Float16, Float32, Int32, Int64};
    let free = |at: usize, size: usize| shape.get(at).is_none_or(|&dim| dim < 0 || usize::try_from(dim) == Ok(size));
    let dims =
        shape.iter().map(|dim| if *dim < 0 { "?".to_owned() } else { dim.to_string() }).collect::<Vec<_>>().join(" x ");
    if kind == FeedKind::Pixels {
        if !matches!(element, Float32 | Float16) {
            return Err(format!("is a tensor of {element}; needed are floats"));
        }
        let crop = settings.image.as_ref().map_or(0, |image| image.crop);
        let fits = shape.is_empty() || (shape.len() == 4 && free(1, 3) && free(2, crop) && free(3, crop));
        return if fits {
            Ok(())
        } else {
            Err(format!("takes {dims}, and model.toml gives rows x 3 x {crop} x {crop}"))
        };
    }
    if !matches!(element, Int32 | Int64) {
        return Err(format!("is a tensor of {element}; needed are 32 or 64-bit integers"));
    }
    let fits = shape.is_empty() || (shape.len() == 2 && free(0, 1) && shape[1] < 0);
    if fits { Ok(()) } else { Err(format!("takes {dims}; needed is rows x tokens, with any number of tokens")) }
}

/// The name of the output that is read.
fn output(session: &OrtSession, settings: &Settings) -> Result<String, String> {
    let outputs = session.outputs();
    let names = || outputs.iter().map(|output| output.name()).collect::<Vec<_>>().join(", ");
    let usual: &[&str] = match (&settings.output, settings.modality, settings.pooling) {
        (Some(name), ..) => &[name.as_str()],
        (None, Modality::Causal, _) => &["logits"],
        (None, Modality::Text, Pooling::None) => &["sentence_embedding", "pooler_output"],
        (None, Modality::Image, Pooling::None) => &["image_embeds", "pooler_output"],
        (None, ..) => &["last_hidden_state", "token_embeddings"],
    };
    let found = usual.iter().find_map(|name| outputs.iter().find(|output| output.name() == *name));
    let only = if settings.output.is_none() && outputs.len() == 1 { outputs.first() } else { None };
    let Some(output) = found.or(only) else {
        return Err(format!(
            "it has no output '{}', but {}; name one as `output` in model.toml",
            usual.join("' or '"),
            names()
        ));
    };
    let needed = if settings.modality != Modality::Causal && settings.pooling == Pooling::None { 2 } else { 3 };
    match output.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32 | TensorElementType::Float16, shape, .. }
            if shape.is_empty() || shape.len() == needed =>
        {
            Ok(output.name().to_owned())
        }
        ValueType::Tensor { shape, .. } if shape.len() == 2 && needed == 3 => Err(format!(
            "its output '{}' has two dimensions, a vector a row; set pooling = \"none\" or name another output of {}",
            output.name(),
            names()
        )),
        ValueType::Tensor { ty, shape, .. } => Err(format!(
            "its output '{}' is a tensor of {ty} with {} dimensions; needed are floats with {needed}",
            output.name(),
            shape.len()
        )),
        _ => Err(format!("its output '{}' is no tensor", output.name())),
    }
}

/// A vector a row, from the vectors of its tokens; `None` where the shape does not fit.
fn pooled(lengths: &[usize], pooling: Pooling, dims: &[usize], values: &[f32]) -> Option<Vec<Vec<f32>>> {
    if values.len() != dims.iter().product::<usize>() || dims.first() != Some(&lengths.len()) {
        return None;
    }
    let (width, size) = match (pooling, dims) {
        (Pooling::None, [_, size]) => (1, *size),
        (Pooling::Mean | Pooling::Cls | Pooling::Last, [_, width, size]) => (*width, *size),
        _ => return None,
    };
    if size == 0 || width == 0 {
        return None;
    }
    let mut vectors = vec![];
    for (tokens, &length) in values.chunks_exact(width * size).zip(lengths) {
        let vector = |token: usize| tokens.get(token * size..(token + 1) * size);
        vectors.push(match pooling {
            Pooling::None | Pooling::Cls => vector(0)?.to_vec(),
            Pooling::Last => vector(length.checked_sub(1)?)?.to_vec(),
            Pooling::Mean => {
                let mut sum = vec![0.0f32; size];
                for token in tokens.get(..length * size)?.chunks_exact(size) {
                    sum.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
                }
                let count = length.max(1) as f32;
                sum.iter_mut().for_each(|sum| *sum /= count);
                sum
            }
        });
    }
    Some(vectors)
}

/// -ln p of each token from the second on, given those before it.
fn losses(rows: &[Row], dims: &[usize], values: &[f32]) -> Option<Vec<Vec<f32>>> {
    let [count, width, size] = *dims else { return None };
    if count != rows.len() || values.len() != count * width * size {
        return None;
    }
    let mut losses = vec![];
    for (row, logits) in rows.iter().map(tokens).zip(values.chunks_exact((width * size).max(1))) {
        let mut found = Vec::with_capacity(row.len().saturating_sub(1));
        for (token, logits) in row.iter().skip(1).zip(logits.chunks_exact(size.max(1))) {
            let own = f64::from(*logits.get(*token as usize)?);
            let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = logits.iter().map(|&logit| f64::from(logit - most).exp()).sum();
            found.push((f64::from(most) + sum.ln() - own) as f32);
        }
        losses.push(found);
    }
    Some(losses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooling_leaves_out_the_padding() {
        let values = [1.0, 2.0, 3.0, 4.0, 9.0, 9.0, 5.0, 6.0, 9.0, 9.0, 9.0, 9.0];
        let pool = |pooling| pooled(&[2, 1], pooling, &[2, 3, 2], &values);
        assert_eq!(pool(Pooling::Mean).unwrap(), [[2.0, 3.0], [5.0, 6.0]]);
        assert_eq!(pool(Pooling::Cls).unwrap(), [[1.0, 2.0], [5.0, 6.0]]);
        assert_eq!(pool(Pooling::Last).unwrap(), [[3.0, 4.0], [5.0, 6.0]]);
        assert!(pool(Pooling::None).is_none());
        assert_eq!(pooled(&[9, 9], Pooling::None, &[2, 6], &values).unwrap()[1], values[6..]);
        assert!(pooled(&[2], Pooling::Mean, &[2, 3, 2], &values).is_none());
        assert!(pooled(&[4, 1], Pooling::Mean, &[2, 3, 2], &values).is_none());
    }

    #[test]
    fn inputs_that_take_something_else_are_refused() {
        use TensorElementType::{Float16, Float32, Int32, Int64};
        let mut settings = Settings::text_encoder();
        let text = |element, shape: &[i64]| takes(FeedKind::Mask, element, shape, &settings);
        for (element, shape) in [(Int64, &[-1, -1][..]), (Int32, &[1, -1]), (Int64, &[])] {
            text(element, shape).unwrap();
        }
        assert!(text(Float32, &[-1, -1]).unwrap_err().contains("integers"));
        assert!(text(Int64, &[1, 128]).unwrap_err().contains("takes 1 x 128"));
        assert!(text(Int64, &[2, -1]).is_err() && text(Int64, &[-1, -1, -1]).is_err());
        let (mean, std, filter) = ([0.0; 3], [1.0; 3], crate::folder::Filter::Bilinear);
        settings.image = Some(crate::folder::ImageSettings { resize: 9, crop: 8, mean, std, filter });
        let image = |element, shape: &[i64]| takes(FeedKind::Pixels, element, shape, &settings);
        image(Float16, &[-1, 3, 8, 8]).unwrap();
        image(Float32, &[-1, -1, -1, -1]).unwrap();
        assert!(image(Float32, &[-1, 3, 9, 9]).unwrap_err().contains("rows x 3 x 8 x 8"));
        assert!(image(Int64, &[-1, 3, 8, 8]).is_err() && image(Float32, &[-1, 8, 8, 3]).is_err());
    }

    #[test]
    fn losses_are_the_logarithm_of_the_softmax() {
        let logits = [0.0, 0.0, 1.0, 0.0, 7.0, 7.0];
        let losses = losses(&[Row::Tokens(vec![0, 1, 0])], &[1, 3, 2], &logits).unwrap();
        let expected = [2f32.ln(), (1.0 + (-1f32).exp()).ln()];
        assert!(losses[0].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{losses:?}");
        assert!(super::losses(&[Row::Tokens(vec![0, 5])], &[1, 2, 2], &logits[..4]).is_none());
        assert_eq!(super::losses(&[Row::Tokens(vec![0])], &[1, 1, 2], &logits[..2]).unwrap(), [Vec::<f32>::new()]);
    }
}
