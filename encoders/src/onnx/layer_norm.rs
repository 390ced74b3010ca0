//! Layer normalisation of the sum of two layers (SkipLayerNormalization), several rows at a time.
//!
//! libonnxruntime (1.32) sums the squares of a row one value at a time, each with a division that depends on the previous one
//! (Welford, "Note on a method for calculating corrected sums of squares and products", Technometrics 1962). For
//! all-MiniLM-L6-v2 in 8 bits this takes a sixth of the time. Here the same numbers are computed in the same order for
//! sixteen rows side by side, which keeps the processor busy. Vectors of quantised models are sensitive to the last digits,
//! so this operator is only used where a trial gives exactly the library's bits ([`is_same`]).

use std::borrow::Cow;
use std::path::Path;
use std::sync::OnceLock;

use ort::operator::{
    BoxedKernel, ComputeContext, KernelContext, Operator, OperatorDomain, OperatorInput, OperatorOutput,
};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{Tensor, TensorElementType};
use prost::Message;

use super::runtime::Runtime;

/// Number of rows processed side by side.
const ROWS: usize = 16;

/// The operator, named as the library's optimiser names it.
struct SkipLayerNormalization;

impl Operator for SkipLayerNormalization {
    type Kernel<'attr> = BoxedKernel<'attr>;

    fn name(&self) -> &str {
        "SkipLayerNormalization"
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        let (needed, maybe) = (OperatorInput::required(TensorElementType::Float32), || {
            OperatorInput::optional(TensorElementType::Float32)
        });
        // The two terms, the factor, and the summands after and before.
        let again = OperatorInput::required(TensorElementType::Float32);
        [needed, again, OperatorInput::required(TensorElementType::Float32), maybe(), maybe()]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        let maybe = || OperatorOutput::optional(TensorElementType::Float32);
        // Mean and deviation are only needed for training; the sum is needed by the next layer.
        [OperatorOutput::required(TensorElementType::Float32), maybe(), maybe(), maybe()]
    }

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> ort::Result<BoxedKernel<'attr>> {
        let epsilon = context.get::<f32>("epsilon").ok_or_else(|| ort::Error::new("it has no epsilon"))?;
        let mut columns = vec![];
        Ok(Box::new(move |context: &ComputeContext| compute(context, epsilon, &mut columns)))
    }
}

fn compute(context: &ComputeContext, epsilon: f32, columns: &mut Vec<[f32; ROWS]>) -> ort::Result<()> {
    let missing = || ort::Error::new("an input is missing");
    let [input, skip, factor] = [0, 1, 2].map(|at| context.input(at));
    let (input, skip, factor) = (input?.ok_or_else(missing)?, skip?.ok_or_else(missing)?, factor?.ok_or_else(missing)?);
    let given = context.num_inputs()?;
    let optional = |at: usize| if at < given { context.input(at) } else { Ok(None) };
    let (after, before) = (optional(3)?, optional(4)?);
    let (shape, input) = input.try_extract_tensor::<f32>()?;
    let sum = Sum {
        input,
        skip: skip.try_extract_tensor::<f32>()?.1,
        factor: factor.try_extract_tensor::<f32>()?.1,
        after: after.as_ref().map(|value| value.try_extract_tensor::<f32>()).transpose()?.map(|(_, values)| values),
        before: before.as_ref().map(|value| value.try_extract_tensor::<f32>()).transpose()?.map(|(_, values)| values),
        epsilon,
    };
    let mut output = context.output(0, shape.to_vec())?.ok_or_else(missing)?;
    let (_, output) = output.try_extract_tensor_mut::<f32>()?;
    let mut sums = if context.num_outputs()? > 3 { context.output(3, shape.to_vec())? } else { None };
    let sums = sums.as_mut().map(|value| value.try_extract_tensor_mut::<f32>()).transpose()?;
    let done = sum.normalise(output, sums.map(|(_, sums)| sums), columns);
    done.ok_or_else(|| ort::Error::new("the lengths of its inputs do not fit"))
}

struct Sum<'a> {
    input: &'a [f32],
    /// Repeated if it is shorter.
    skip: &'a [f32],
    factor: &'a [f32],
    after: Option<&'a [f32]>,
    before: Option<&'a [f32]>,
    epsilon: f32,
}

impl Sum<'_> {
    /// For each row of `input + skip + before`, subtracts the mean, divides by the deviation, multiplies by `factor` and adds
    /// `after`. The sums themselves go to `sums`. `None` if lengths do not match.
    fn normalise(
        &self,
        output: &mut [f32],
        mut sums: Option<&mut [f32]>,
        columns: &mut Vec<[f32; ROWS]>,
    ) -> Option<()> {
        let width = self.factor.len();
        let fits = |part: Option<&[f32]>| part.is_none_or(|part| part.len() == width);
        let whole = |part: &[f32]| part.len().is_multiple_of(width);
        let same = output.len() == self.input.len() && sums.as_ref().is_none_or(|sums| sums.len() == output.len());
        let empty = width == 0 || self.skip.is_empty();
        if empty || !whole(self.input) || !whole(self.skip) || !same || !fits(self.after) || !fits(self.before) {
            return None;
        }
        columns.resize(width, [0.0; ROWS]);
        let mut skips = self.skip.chunks_exact(width).cycle();
        for (number, (rows, output)) in self.input.chunks(width * ROWS).zip(output.chunks_mut(width * ROWS)).enumerate()
        {
            for ((row, input), output) in rows.chunks_exact(width).enumerate().zip(output.chunks_exact_mut(width)) {
                let skip = skips.next()?;
                output.iter_mut().zip(input).zip(skip).for_each(|((sum, input), skip)| *sum = input + skip);
                if let Some(before) = self.before {
                    output.iter_mut().zip(before).for_each(|(sum, before)| *sum += before);
                }
                columns.iter_mut().zip(&*output).for_each(|(column, sum)| column[row] = *sum);
            }
            if let Some(sums) = &mut sums {
                sums[number * width * ROWS..][..output.len()].copy_from_slice(output);
            }
            let (means, squares) = moments(columns);
            for ((output, mean), squares) in output.chunks_exact_mut(width).zip(means).zip(squares) {
                let deviation = (squares / width as f32 + self.epsilon).sqrt();
                let scaled = output.iter_mut().zip(self.factor);
                match self.after {
                    Some(after) => scaled.zip(after).for_each(|((value, factor), after)| {
                        *value = (*value - mean) / deviation * factor + after;
                    }),
                    None => scaled.for_each(|(value, factor)| *value = (*value - mean) / deviation * factor),
                }
            }
        }
        Some(())
    }
}

/// The mean of each row, and the sum of squared differences from it.
fn moments(columns: &[[f32; ROWS]]) -> ([f32; ROWS], [f32; ROWS]) {
    let (mut means, mut squares) = ([0.0; ROWS], [0.0; ROWS]);
    for (number, column) in columns.iter().enumerate() {
        let count = (number + 1) as f32;
        for ((value, mean), squares) in column.iter().zip(&mut means).zip(&mut squares) {
            let difference = value - *mean;
            *mean += difference / count;
            *squares += (value - *mean) * difference;
        }
    }
    (means, squares)
}

/// Opens the model at `path` with our operator in place of the library's; `None` if that would give other bits.
pub(super) fn open(builder: SessionBuilder, runtime: &Runtime, path: &Path) -> Option<ort::Result<Session>> {
    static SAME: OnceLock<bool> = OnceLock::new();
    let same = *SAME.get_or_init(|| {
        let same = is_same(runtime).unwrap_or(false);
        log::debug!("sums of layers are normalised by {}", if same { "limpid" } else { "the library" });
        same
    });
    let mut bytes = if same { std::fs::read(path).ok()? } else { return None };
    // A domain with a custom operator gets version 1000, which contains none of the library's operators, unless the model
    // states the version. It need not do so before optimisation. Fields may be appended to a message.
    bytes.extend(Imports { domains: vec![Import { domain: DOMAIN.to_owned(), version: 1 }] }.encode_to_vec());
    Some(added(builder).and_then(|mut builder| builder.commit_from_memory(&bytes)))
}

/// The domain of the operators that the library's optimiser inserts.
const DOMAIN: &str = "com.microsoft";

/// The operator versions that a model uses, as an ONNX message.
#[derive(Clone, PartialEq, Message)]
struct Imports {
    #[prost(message, repeated, tag = "8")]
    domains: Vec<Import>,
}

#[derive(Clone, PartialEq, Message)]
struct Import {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(int64, tag = "2")]
    version: i64,
}

fn added(builder: SessionBuilder) -> ort::Result<SessionBuilder> {
    Ok(builder.with_operators(OperatorDomain::new(DOMAIN)?.add(SkipLayerNormalization)?)?)
}

/// Whether the library accepts our operator and gives the same bits without it.
fn is_same(runtime: &Runtime) -> ort::Result<bool> {
    const MODEL: &[u8] = include_bytes!("../../assets/skip_layer_norm.onnx");
    /// A number of rows that is not a multiple of those side by side, and a width that is not a multiple of anything.
    const SHAPE: [usize; 3] = [1, 37, 67];
    let run = |own: bool| -> ort::Result<Vec<u32>> {
        let builder = Session::builder(&runtime.environment)?
            .with_optimization_level(GraphOptimizationLevel::Disable)?
            .with_intra_threads(1)?
            .with_log_level(ort::logging::LogLevel::Fatal)?;
        let mut builder = if own { added(builder)? } else { builder };
        let mut session = builder.commit_from_memory(MODEL)?;
        let mut state = 1u32;
        let mut numbers = |shape: &[usize], scale: f32| {
            let next = |_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (f64::from(state) / f64::from(u32::MAX) - 0.3) as f32 * scale
            };
            Tensor::from_array((shape.to_vec(), (0..shape.iter().product()).map(next).collect::<Vec<f32>>()))
        };
        let inputs = vec![
            (Cow::from("input"), numbers(&SHAPE, 3.0)?),
            (Cow::from("skip"), numbers(&SHAPE, 0.1)?),
            (Cow::from("gamma"), numbers(&SHAPE[2..], 1.0)?),
            (Cow::from("beta"), numbers(&SHAPE[2..], 2.0)?),
            (Cow::from("bias"), numbers(&SHAPE[2..], 0.7)?),
        ];
        let outputs = session.run(inputs)?;
        let mut bits = vec![];
        for name in ["plain", "biased", "sum"] {
            let value = outputs.get(name).ok_or_else(|| ort::Error::new("an output is missing"))?;
            bits.extend(value.try_extract_tensor::<f32>()?.1.iter().map(|number| number.to_bits()));
        }
        Ok(bits)
    };
    Ok(run(true)? == run(false)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::runtime::Backend;

    #[test]
    fn every_row_has_its_mean_and_deviation() {
        let (width, rows) = (5, 2 * ROWS + 3);
        let values = |start: usize, length: usize| -> Vec<f32> {
            (start..start + length).map(|i| ((i * 37) % 101) as f32 / 10.0 - 5.0).collect()
        };
        let (input, skip) = (values(0, width * rows), values(9, width * rows));
        let (factor, after, before) = (values(3, width), values(5, width), values(7, width));
        let sum = Sum {
            input: &input,
            skip: &skip,
            factor: &factor,
            after: Some(&after),
            before: Some(&before),
            epsilon: 1e-5,
        };
        let (mut output, mut sums, mut columns) = (vec![0.0; input.len()], vec![0.0; input.len()], vec![]);
        sum.normalise(&mut output, Some(&mut sums), &mut columns).unwrap();
        for row in 0..rows {
            let at = row * width..(row + 1) * width;
            let total: Vec<f64> =
                at.clone().map(|i| f64::from(input[i]) + f64::from(skip[i]) + f64::from(before[i % width])).collect();
            let mean = total.iter().sum::<f64>() / width as f64;
            let square = total.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / width as f64;
            for (column, i) in at.enumerate() {
                let expected = (total[column] - mean) / (square + 1e-5).sqrt() * f64::from(factor[column]);
                let near = |a: f32, b: f64| (f64::from(a) - b).abs() < 1e-4;
                assert!(
                    near(output[i], expected + f64::from(after[column])) && near(sums[i], total[column]),
                    "{row} {column}"
                );
            }
        }
        // One row of `skip` is used for all.
        let once = Sum { skip: &skip[..width], ..sum };
        let repeated: Vec<f32> = skip[..width].iter().copied().cycle().take(input.len()).collect();
        let all = Sum { skip: &repeated, ..once };
        let mut other = output.clone();
        once.normalise(&mut output, None, &mut columns).unwrap();
        all.normalise(&mut other, None, &mut columns).unwrap();
        assert_eq!(output, other);
        assert!(Sum { skip: &[], ..once }.normalise(&mut output, None, &mut columns).is_none());
        assert!(once.normalise(&mut output[1..], None, &mut columns).is_none());
    }

    #[test]
    fn the_library_takes_the_operator() {
        let Ok(runtime) = Runtime::get() else { return println!("skipped: there is no runtime") };
        let Backend::Library { minor, .. } = runtime.backend else { return println!("skipped: tract") };
        let same = is_same(runtime).unwrap();
        println!("libonnxruntime 1.{minor}: {}", if same { "the same bits" } else { "other bits" });
        assert!(same || minor != 32 || !cfg!(target_arch = "x86_64"));
    }
}
