//! A session of the runtime, owned by one thread of a model.

use std::borrow::Cow;
use std::path::Path;

use half::f16;
use ort::session::Session as OrtSession;
use ort::session::SessionInputValue;
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions};
use ort::value::{Outlet, Tensor, TensorElementType};

use super::batcher::{Numbers, Row, Run};
use super::layer_norm;
use super::provider::{guarded, prepared, text};
use super::runtime::{Backend, Runtime};
use super::signature::{Feed, FeedKind, feeds, output};
use super::tail::{self, Tail};
use crate::device::Device;
use crate::folder::{Modality, Pooling, Settings};
use crate::{Error, Result};

/// A model ready to run.
pub struct Session {
    session: OrtSession,
    feeds: Vec<Feed>,
    output: String,
    /// Excludes the other outputs; tract does not support this.
    options: Option<RunOptions<HasSelectedOutputs>>,
    /// The nodes added to the model, if any.
    tail: Option<Tail>,
    modality: Modality,
    pooling: Pooling,
    crop: usize,
}

impl Session {
    /// Opens the model at `path`.
    pub fn open(path: &Path, settings: &Settings, device: Device, threads: usize) -> Result<Self> {
        let runtime = Runtime::get()?;
        if !path.is_file() {
            return Err(Error::File { path: path.to_owned(), message: "there is no such file".to_owned() });
        }
        if device != Device::Cpu {
            match guarded(|| Self::extended(runtime, path, settings, device, threads)) {
                Ok(session) => return Ok(session),
                // Errors are reported below. If there is none, the whole output is copied back.
                Err(message) => log::debug!("{}: not extended on {device}: {message}", path.display()),
            }
        }
        let plain = |device| {
            guarded(|| {
                let mut builder = prepared(runtime, device, threads)?;
                // Only for one thread and 32-bit floats. If a model is refused with the operator, the library opens it alone.
                if device == Device::Cpu
                    && threads == 1
                    && runtime.backend != Backend::Tract
                    && let Some(Ok(session)) = layer_norm::open(builder.clone(), runtime, path)
                {
                    return Ok(session);
                }
                builder.commit_from_file(path).map_err(text)
            })
        };
        let session = plain(device).map_err(|message| match device {
            Device::Cpu => Error::Onnx { path: path.to_owned(), message },
            _ if plain(Device::Cpu).is_ok() => Error::NoDevice { device: device.to_string(), message },
            _ => Error::Onnx { path: path.to_owned(), message },
        })?;
        let shape = |message: String| Error::Shape { path: path.to_owned(), message };
        let feeds = feeds(&session, settings).map_err(shape)?;
        let output = output(&session, settings).map_err(shape)?.name().to_owned();
        Self::new(session, feeds, output, runtime, settings, None).map_err(shape)
    }

    /// Opens the model with nodes added that postprocess its output, unless the output is wanted unchanged.
    fn extended(
        runtime: &Runtime,
        path: &Path,
        settings: &Settings,
        device: Device,
        threads: usize,
    ) -> Result<Self, String> {
        let mut builder = prepared(runtime, device, threads)?;
        let mut session = builder.edit_from_file(path).map_err(text)?;
        let feeds = feeds(&session, settings)?;
        let output = output(&session, settings)?;
        let tail = Tail::of(settings, output);
        let mut name = output.name().to_owned();
        if let Some(tail) = tail {
            let output = Outlet::new(output.name(), output.dtype().clone());
            tail.append(&mut session, &output).map_err(text)?;
            name = tail::OUTPUT.to_owned();
        }
        Self::new(session.into_session().map_err(text)?, feeds, name, runtime, settings, tail)
    }

    fn new(
        session: OrtSession,
        feeds: Vec<Feed>,
        output: String,
        runtime: &Runtime,
        settings: &Settings,
        tail: Option<Tail>,
    ) -> Result<Self, String> {
        let crop = settings.image.as_ref().map_or(0, |image| image.crop);
        let (modality, pooling) = (settings.modality, settings.pooling);
        let options = match runtime.backend {
            Backend::Tract => None,
            Backend::Library { .. } => {
                let chosen = OutputSelector::no_default().with(&output);
                Some(RunOptions::new().map_err(text)?.with_outputs(chosen))
            }
        };
        Ok(Self { session, feeds, output, options, tail, modality, pooling, crop })
    }

    fn run_rows(&mut self, rows: &[Row]) -> Result<Numbers, String> {
        let inputs = self.feeds.iter().map(|feed| Ok((Cow::from(feed.name.as_str()), self.value(feed, rows)?)));
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = inputs.collect::<Result<_, String>>()?;
        if let Some(tail) = self.tail {
            inputs.push((Cow::from(tail::INPUT), tail.input(rows).map_err(text)?));
        }
        let outputs = match &self.options {
            Some(options) => self.session.run_with_options(inputs, options),
            None => self.session.run(inputs),
        };
        let outputs = outputs.map_err(text)?;
        let Some(value) = outputs.get(&self.output) else { return Err(format!("it gave no output {}", self.output)) };
        let (shape, values) = match value.try_extract_tensor::<f32>() {
            Ok((shape, values)) => (shape, Cow::from(values)),
            Err(error) => match value.try_extract_tensor::<f16>() {
                Ok((shape, values)) => (shape, values.iter().map(|value| value.to_f32()).collect()),
                Err(_) => return Err(error.to_string()),
            },
        };
        let dims: Vec<usize> = shape.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect();
        let result = match (self.tail, self.modality) {
            (Some(tail), _) => tail.numbers(rows, &dims, &values),
            (None, Modality::Causal) => losses(rows, &dims, &values),
            (None, Modality::Text) => {
                let lengths: Vec<usize> = rows.iter().map(|row| tokens(row).len()).collect();
                pooled(&lengths, self.pooling, &dims, &values)
            }
            (None, Modality::Image) => {
                let length = dims.get(1).copied().unwrap_or(0);
                pooled(&vec![length; rows.len()], self.pooling, &dims, &values)
            }
        };
        result.ok_or_else(|| format!("output {} has the shape {dims:?}", self.output))
    }

    fn value(&self, feed: &Feed, rows: &[Row]) -> Result<SessionInputValue<'static>, String> {
        if feed.kind == FeedKind::Pixels {
            let shape = vec![rows.len(), 3, self.crop, self.crop];
            let values: Vec<f32> = rows.iter().flat_map(pixels).copied().collect();
            if feed.element == TensorElementType::Float16 {
                let values: Vec<f16> = values.into_iter().map(f16::from_f32).collect();
                return Ok(Tensor::from_array((shape, values)).map_err(text)?.into());
            }
            return Ok(Tensor::from_array((shape, values)).map_err(text)?.into());
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
            return Ok(Tensor::from_array((shape, values)).map_err(text)?.into());
        }
        Ok(Tensor::from_array((shape, values)).map_err(text)?.into())
    }
}

impl Run for Session {
    /// Runs `rows` together. Returns a vector per row or, for a causal model, the negative log-likelihood of each token from
    /// the second on.
    fn run(&mut self, rows: &[Row]) -> Result<Numbers, String> {
        guarded(|| self.run_rows(rows))
    }
}

/// The tokens of a row; an image has none.
pub(super) fn tokens(row: &Row) -> &[u32] {
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

/// Pools token vectors into one vector per row; `None` if the shape does not match.
fn pooled(lengths: &[usize], pooling: Pooling, dims: &[usize], values: &[f32]) -> Option<Vec<Vec<f32>>> {
    if values.len() != dims.iter().product::<usize>() || dims.first() != Some(&lengths.len()) {
        return None;
    }
    let (width, size) = match (pooling, dims) {
        (Pooling::None, [_, size]) => (1, *size),
        (Pooling::None, _) => return None,
        (_, [_, width, size]) => (*width, *size),
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
            Pooling::Max => {
                let mut most = vec![f32::NEG_INFINITY; size];
                for token in tokens.get(..length.max(1) * size)?.chunks_exact(size) {
                    // Keep NaN, which is reported as an error later.
                    most.iter_mut()
                        .zip(token)
                        .for_each(|(most, value)| *most = if *value <= *most { *most } else { *value });
                }
                most
            }
            Pooling::Mean | Pooling::MeanSqrtLen => {
                let mut sum = vec![0.0f32; size];
                for token in tokens.get(..length * size)?.chunks_exact(size) {
                    sum.iter_mut().zip(token).for_each(|(sum, value)| *sum += value);
                }
                let count = length.max(1) as f32;
                let count = if pooling == Pooling::Mean { count } else { count.sqrt() };
                sum.iter_mut().for_each(|sum| *sum /= count);
                sum
            }
            Pooling::WeightedMean => {
                let mut sum = vec![0.0f32; size];
                let weights = pooling.weights(length)?;
                for (token, weight) in tokens.get(..length * size)?.chunks_exact(size).zip(weights) {
                    sum.iter_mut().zip(token).for_each(|(sum, value)| *sum += weight * value);
                }
                sum
            }
        });
    }
    Some(vectors)
}

/// Computes -ln p of each token from the second on, given the preceding ones.
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

    /// Nodes added for a GPU, run on the CPU, give the same result as the code here.
    #[test]
    fn what_a_card_takes_out_is_what_is_taken_out_here() {
        let runtime = match Runtime::get() {
            Ok(runtime) if runtime.backend != Backend::Tract => runtime,
            _ => return println!("skipped: only libonnxruntime extends models"),
        };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models");
        let texts: Vec<Row> = [&[2, 4, 5, 6, 3][..], &[2, 3], &[2, 5, 3]].map(|t| Row::Tokens(t.to_vec())).into();
        let images = vec![Row::Pixels((0..12).map(|value| value as f32).collect()), Row::Pixels(vec![0.5; 12])];
        for (name, poolings) in [
            (
                "text",
                &[
                    Pooling::Mean,
                    Pooling::Cls,
                    Pooling::Last,
                    Pooling::Max,
                    Pooling::MeanSqrtLen,
                    Pooling::WeightedMean,
                ][..],
            ),
            ("half", &[Pooling::Mean, Pooling::Last]),
            ("causal", &[Pooling::Mean]),
            ("image", &[Pooling::None]),
        ] {
            let mut settings = Settings::read(&folder.join(name)).unwrap();
            let path = settings.model_path(&folder.join(name));
            for &pooling in poolings {
                settings.pooling = pooling;
                let rows = if settings.modality == Modality::Image { &images } else { &texts };
                let mut there = guarded(|| Session::extended(runtime, &path, &settings, Device::Cpu, 1)).unwrap();
                let mut here = Session::open(&path, &settings, Device::Cpu, 1).unwrap();
                let (there, here) = (there.run(rows).unwrap(), here.run(rows).unwrap());
                assert_eq!(there.len(), rows.len());
                for (there, here) in there.iter().zip(&here) {
                    assert_eq!(there.len(), here.len(), "{name} {pooling:?}");
                    assert!(there.iter().zip(here).all(|(a, b)| (a - b).abs() < 1e-5), "{name} {there:?} {here:?}");
                }
            }
        }
    }

    #[test]
    fn pooling_leaves_out_the_padding() {
        let values = [1.0, 2.0, 3.0, 4.0, 9.0, 9.0, 5.0, 6.0, 9.0, 9.0, 9.0, 9.0];
        let pool = |pooling| pooled(&[2, 1], pooling, &[2, 3, 2], &values);
        assert_eq!(pool(Pooling::Mean).unwrap(), [[2.0, 3.0], [5.0, 6.0]]);
        assert_eq!(pool(Pooling::Cls).unwrap(), [[1.0, 2.0], [5.0, 6.0]]);
        assert_eq!(pool(Pooling::Last).unwrap(), [[3.0, 4.0], [5.0, 6.0]]);
        assert_eq!(pool(Pooling::Max).unwrap(), [[3.0, 4.0], [5.0, 6.0]]);
        let root = 2f32.sqrt();
        assert_eq!(pool(Pooling::MeanSqrtLen).unwrap(), [[4.0 / root, 6.0 / root], [5.0, 6.0]]);
        let weighted = pool(Pooling::WeightedMean).unwrap();
        assert!((weighted[0][0] - 7.0 / 3.0).abs() < 1e-6 && weighted[1] == [5.0, 6.0], "{weighted:?}");
        assert!(pool(Pooling::None).is_none());
        assert_eq!(pooled(&[9, 9], Pooling::None, &[2, 6], &values).unwrap()[1], values[6..]);
        assert!(pooled(&[2], Pooling::Mean, &[2, 3, 2], &values).is_none());
        assert!(pooled(&[4, 1], Pooling::Mean, &[2, 3, 2], &values).is_none());
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
