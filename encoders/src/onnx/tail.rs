//! Nodes added to the end of a model on a GPU. A model returns a vector per token, or a logit per token and vocabulary entry,
//! but only a vector per text, or a loss per token, is wanted. Reducing the output on the GPU means that a hundredth of it or
//! less is copied back.

use ort::editor::{Graph, Model, Node, ONNX_DOMAIN, Opset};
use ort::operator::Attribute;
use ort::session::SessionInputValue;
use ort::session::builder::EditableSession;
use ort::value::{Outlet, Shape, SymbolicDimensions, Tensor, TensorElementType, ValueType};

use super::batcher::{Numbers, Row};
use super::session::tokens;
use crate::folder::{Modality, Pooling, Settings};

/// The added input: the weights of the tokens of each row, or the next token of each.
pub const INPUT: &str = "limpid_input";
/// The added output.
pub const OUTPUT: &str = "limpid_output";

/// The ONNX number of the type float.
const FLOAT: i64 = 1;

/// How the output of a model is reduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// To one vector per row: the weighted sum of its token vectors. The number is that of tokens per image, for image
    /// models, which have no token ids.
    Pooled(Pooling, Option<usize>),
    /// To the negative log-likelihood of the tokens from the second on.
    Losses,
}

impl Tail {
    /// How `output` is reduced under `settings`; `None` if it is wanted unchanged.
    pub fn of(settings: &Settings, output: &Outlet) -> Option<Self> {
        let of_image = || match output.dtype() {
            ValueType::Tensor { shape, .. } => shape.get(1).and_then(|&tokens| usize::try_from(tokens).ok()),
            _ => None,
        };
        match (settings.modality, settings.pooling) {
            (Modality::Causal, _) => Some(Self::Losses),
            // A maximum is not a weighted sum.
            (_, Pooling::None | Pooling::Max) => None,
            (Modality::Text, pooling) => Some(Self::Pooled(pooling, None)),
            (Modality::Image, pooling) => Some(Self::Pooled(pooling, Some(of_image()?))),
        }
    }

    /// Adds the nodes after `output`. The library returns an error if it does not know an operator.
    pub fn append(self, session: &mut EditableSession<'_>, output: &Outlet) -> ort::Result<()> {
        let ValueType::Tensor { ty: element, .. } = output.dtype() else {
            return Err(ort::Error::new("its output is no tensor"));
        };
        let mut graph = Graph::new()?;
        let node = |kind: &str, inputs: &[&str], output: &str, attributes: &[Attribute]| {
            Node::new(kind, ONNX_DOMAIN, format!("limpid_{kind}"), inputs, [output], attributes)
        };
        let mut last = output.name();
        if *element != TensorElementType::Float32 {
            graph.add_node(node("Cast", &[last], "limpid_floats", &[Attribute::new("to", FLOAT)?])?)?;
            last = "limpid_floats";
        }
        let (element, dims) = match self {
            Self::Pooled(..) => {
                graph.add_node(node("MatMul", &[INPUT, last], OUTPUT, &[])?)?;
                (TensorElementType::Float32, [-1, 1, -1])
            }
            Self::Losses => {
                let axis = |axis: i64| Attribute::new("axis", axis);
                graph.add_node(node("LogSoftmax", &[last], "limpid_logarithms", &[axis(-1)?])?)?;
                let from = ["limpid_logarithms", INPUT];
                graph.add_node(node("GatherElements", &from, "limpid_likelihoods", &[axis(2)?])?)?;
                graph.add_node(node("Neg", &["limpid_likelihoods"], OUTPUT, &[])?)?;
                (TensorElementType::Int64, [-1, -1, 1])
            }
        };
        let tensor = |ty, dims: [i64; 3]| ValueType::Tensor {
            ty,
            shape: Shape::new(dims),
            dimension_symbols: SymbolicDimensions::empty(3),
        };
        let own = session.inputs().iter().map(|input| Outlet::new(input.name(), input.dtype().clone()));
        graph.set_inputs(own.chain([Outlet::new(INPUT, tensor(element, dims))]))?;
        graph.set_outputs([Outlet::new(OUTPUT, tensor(TensorElementType::Float32, [-1, -1, -1]))])?;
        let opset =
            session.opset_for_domain(ONNX_DOMAIN).ok_or_else(|| ort::Error::new("its operators have no version"))?;
        let mut model = Model::new([Opset::new(ONNX_DOMAIN, opset)?])?;
        model.add_graph(graph)?;
        session.apply_model(&model)
    }

    /// The added input for `rows`.
    pub fn input(self, rows: &[Row]) -> ort::Result<SessionInputValue<'static>> {
        let width = self.lengths(rows).max().unwrap_or(0);
        match self {
            Self::Pooled(pooling, _) => {
                let mut weights = vec![0.0f32; rows.len() * width];
                for (weights, length) in weights.chunks_exact_mut(width.max(1)).zip(self.lengths(rows)) {
                    let weights = weights.get_mut(..length).unwrap_or_default();
                    pooling
                        .weights(length)
                        .into_iter()
                        .for_each(|found| weights.copy_from_slice(&found[..weights.len()]));
                }
                Ok(Tensor::from_array((vec![rows.len(), 1, width], weights))?.into())
            }
            Self::Losses => {
                let mut following = Vec::with_capacity(rows.len() * width);
                for row in rows.iter().map(tokens) {
                    let next = |at: usize| row.get(at + 1).map_or(0, |&token| i64::from(token));
                    following.extend((0..width).map(next));
                }
                Ok(Tensor::from_array((vec![rows.len(), width, 1], following))?.into())
            }
        }
    }

    /// Returns the numbers of each of `rows`; `None` if the shape of the added output does not match.
    pub fn numbers(self, rows: &[Row], dims: &[usize], values: &[f32]) -> Option<Numbers> {
        let [count, width, size] = *dims else { return None };
        if count != rows.len() || values.len() != count * width * size || values.is_empty() {
            return None;
        }
        let rows_of = values.chunks_exact(width * size).zip(self.lengths(rows));
        match self {
            Self::Pooled(..) if width == 1 => Some(rows_of.map(|(vector, _)| vector.to_vec()).collect()),
            Self::Losses if size == 1 => {
                rows_of.map(|(losses, length)| Some(losses.get(..length.saturating_sub(1))?.to_vec())).collect()
            }
            _ => None,
        }
    }

    /// Number of tokens of each row.
    fn lengths(self, rows: &[Row]) -> impl Iterator<Item = usize> {
        let of_image = if let Self::Pooled(_, of_image) = self { of_image } else { None };
        rows.iter().map(move |row| of_image.unwrap_or_else(|| tokens(row).len()))
    }
}
