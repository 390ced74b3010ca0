//! The messages of calls, in protobuf.

use datafusion::common::{Result, internal_err};

use super::messages::{ColumnMessage, OrderMessage, required};
use crate::kernels::allocation::{Method, Rounding};
use crate::kernels::vector::search::Metric;
use crate::operators::allocate_budget::AllocateBudget;
use crate::operators::assign_nearest::AssignNearest;
use crate::operators::call::{Call, Real};
use crate::operators::concept_clusters::ConceptClusters;
use crate::operators::embed::Embed;
use crate::operators::farthest_first::{FarthestFirst, Init};
use crate::operators::kmeans::{Kmeans, Rounds};
use crate::operators::max_prior_similarity::{MaxPriorSimilarity, Mode};
use crate::operators::nearest_neighbors::NearestNeighbors;

/// A logical call: columns by name.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CallNodeMessage {
    #[prost(message, optional, tag = "1")]
    pub call: Option<CallMessage>,
    #[prost(message, repeated, tag = "2")]
    pub columns: Vec<ColumnsMessage>,
    #[prost(message, repeated, tag = "3")]
    pub order_by: Vec<OrderMessage>,
}

/// Columns of one input.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ColumnsMessage {
    #[prost(message, repeated, tag = "1")]
    pub columns: Vec<ColumnMessage>,
}

/// A physical call: columns by index.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CallExecMessage {
    #[prost(message, optional, tag = "1")]
    pub call: Option<CallMessage>,
    #[prost(message, repeated, tag = "2")]
    pub columns: Vec<IndexesMessage>,
    #[prost(message, repeated, tag = "3")]
    pub order_by: Vec<OrderMessage>,
}

/// Indexes of columns of one input.
#[derive(Clone, PartialEq, prost::Message)]
pub struct IndexesMessage {
    #[prost(uint64, repeated, tag = "1")]
    pub columns: Vec<u64>,
}

/// The arguments.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CallMessage {
    #[prost(oneof = "CallKind", tags = "1, 2, 3, 4, 5, 6, 7, 8")]
    pub kind: Option<CallKind>,
}

/// Which operator.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum CallKind {
    #[prost(message, tag = "1")]
    AllocateBudget(AllocateBudgetMessage),
    #[prost(message, tag = "2")]
    AssignNearest(AssignNearestMessage),
    #[prost(message, tag = "3")]
    FarthestFirst(FarthestFirstMessage),
    #[prost(message, tag = "4")]
    Kmeans(KmeansMessage),
    #[prost(message, tag = "5")]
    MaxPriorSimilarity(MaxPriorSimilarityMessage),
    #[prost(message, tag = "6")]
    ConceptClusters(ConceptClustersMessage),
    #[prost(message, tag = "7")]
    NearestNeighbors(NearestNeighborsMessage),
    #[prost(message, tag = "8")]
    Embed(EmbedMessage),
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct AllocateBudgetMessage {
    #[prost(uint64, optional, tag = "1")]
    pub budget: Option<u64>,
    #[prost(uint32, tag = "2")]
    pub method: u32,
    #[prost(uint32, tag = "3")]
    pub rounding: u32,
    #[prost(uint64, tag = "4")]
    pub floor: u64,
    #[prost(fixed64, tag = "5")]
    pub floor_ratio_bits: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct AssignNearestMessage {
    #[prost(uint32, tag = "1")]
    pub metric: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct EmbedMessage {
    #[prost(bool, tag = "1")]
    pub images: bool,
    #[prost(string, tag = "2")]
    pub model: String,
    #[prost(string, tag = "3")]
    pub device: String,
    #[prost(string, optional, tag = "4")]
    pub cache: Option<String>,
    #[prost(uint32, tag = "5")]
    pub dimension: u32,
    #[prost(string, tag = "6")]
    pub output: String,
    #[prost(string, optional, tag = "7")]
    pub prompt: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct FarthestFirstMessage {
    #[prost(uint32, tag = "1")]
    pub metric: u32,
    #[prost(uint64, tag = "2")]
    pub k: u64,
    #[prost(uint32, tag = "3")]
    pub init: u32,
    #[prost(uint64, tag = "4")]
    pub seed: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct KmeansMessage {
    #[prost(uint32, tag = "1")]
    pub metric: u32,
    #[prost(uint64, tag = "2")]
    pub k: u64,
    #[prost(uint64, tag = "3")]
    pub iterations: u64,
    #[prost(uint64, tag = "4")]
    pub sample: u64,
    #[prost(uint64, tag = "5")]
    pub seed: u64,
    #[prost(bool, tag = "6")]
    pub balanced: bool,
    /// 0: not in batches.
    #[prost(uint64, tag = "7")]
    pub batch_rows: u64,
}

/// `greedy_threshold_bits` absent: all earlier rows count.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MaxPriorSimilarityMessage {
    #[prost(fixed64, optional, tag = "1")]
    pub greedy_threshold_bits: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ConceptClustersMessage {
    #[prost(uint32, tag = "1")]
    pub metric: u32,
    #[prost(uint64, tag = "2")]
    pub k: u64,
    #[prost(uint64, tag = "3")]
    pub iterations: u64,
    #[prost(uint64, tag = "4")]
    pub sample: u64,
    #[prost(bool, tag = "5")]
    pub balanced: bool,
    #[prost(uint64, tag = "6")]
    pub words: u64,
    #[prost(uint64, tag = "7")]
    pub seed: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct NearestNeighborsMessage {
    #[prost(uint32, tag = "1")]
    pub metric: u32,
    #[prost(uint64, tag = "2")]
    pub k: u64,
    #[prost(fixed64, optional, tag = "3")]
    pub threshold_bits: Option<u64>,
    #[prost(fixed64, tag = "4")]
    pub recall_bits: u64,
    #[prost(uint64, tag = "5")]
    pub cells: u64,
    #[prost(uint64, tag = "6")]
    pub seed: u64,
    #[prost(string, optional, tag = "7")]
    pub index: Option<String>,
}

const METRICS: [Metric; 2] = [Metric::Cosine, Metric::L2];
const METHODS: [Method; 3] = [Method::Equal, Method::Proportional, Method::Projection];
const ROUNDINGS: [Rounding; 2] = [Rounding::LargestRemainder, Rounding::Floor];
const INITS: [Init; 3] = [Init::NeighbourMax, Init::Random, Init::First];

/// The number of a value, which the tables above list completely: the round trip is tested.
fn number<T: PartialEq>(values: &[T], value: &T) -> u32 {
    values.iter().position(|known| known == value).unwrap_or(values.len()) as u32
}

fn value<T: Copy>(values: &[T], number: u32) -> Result<T> {
    match values.get(number as usize) {
        Some(value) => Ok(*value),
        None => internal_err!("a message of the cluster has the unknown number {number}"),
    }
}

impl From<&Call> for CallMessage {
    fn from(call: &Call) -> Self {
        let kind = match call {
            Call::AllocateBudget(AllocateBudget { budget, method, rounding, floor, floor_ratio }) => {
                CallKind::AllocateBudget(AllocateBudgetMessage {
                    budget: *budget,
                    method: number(&METHODS, method),
                    rounding: number(&ROUNDINGS, rounding),
                    floor: *floor,
                    floor_ratio_bits: floor_ratio.bits(),
                })
            }
            Call::AssignNearest(AssignNearest { metric }) => {
                CallKind::AssignNearest(AssignNearestMessage { metric: number(&METRICS, metric) })
            }
            Call::Embed(Embed { images, model, device, prompt, cache, output, dimension }) => {
                CallKind::Embed(EmbedMessage {
                    images: *images,
                    model: model.clone(),
                    device: device.clone(),
                    prompt: prompt.clone(),
                    cache: cache.clone(),
                    dimension: *dimension,
                    output: output.clone(),
                })
            }
            Call::FarthestFirst(FarthestFirst { metric, k, init, seed }) => {
                CallKind::FarthestFirst(FarthestFirstMessage {
                    metric: number(&METRICS, metric),
                    k: *k,
                    init: number(&INITS, init),
                    seed: *seed,
                })
            }
            Call::Kmeans(Kmeans { metric, k, iterations, sample, seed, rounds }) => CallKind::Kmeans(KmeansMessage {
                metric: number(&METRICS, metric),
                k: *k,
                iterations: *iterations,
                sample: *sample,
                seed: *seed,
                balanced: *rounds == Rounds::Balanced,
                batch_rows: match rounds {
                    Rounds::MiniBatch(rows) => *rows,
                    _ => 0,
                },
            }),
            Call::MaxPriorSimilarity(MaxPriorSimilarity { mode }) => {
                let greedy_threshold_bits = match mode {
                    Mode::Prior => None,
                    Mode::Greedy(threshold) => Some(threshold.bits()),
                };
                CallKind::MaxPriorSimilarity(MaxPriorSimilarityMessage { greedy_threshold_bits })
            }
            Call::ConceptClusters(ConceptClusters { metric, k, iterations, sample, balanced, words, seed }) => {
                CallKind::ConceptClusters(ConceptClustersMessage {
                    metric: number(&METRICS, metric),
                    k: *k,
                    iterations: *iterations,
                    sample: *sample,
                    balanced: *balanced,
                    words: *words,
                    seed: *seed,
                })
            }
            Call::NearestNeighbors(NearestNeighbors { metric, k, threshold, recall, cells, seed, index }) => {
                CallKind::NearestNeighbors(NearestNeighborsMessage {
                    metric: number(&METRICS, metric),
                    k: *k,
                    threshold_bits: threshold.map(Real::bits),
                    recall_bits: recall.bits(),
                    cells: *cells,
                    seed: *seed,
                    index: index.clone(),
                })
            }
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<CallMessage> for Call {
    type Error = datafusion::error::DataFusionError;

    fn try_from(CallMessage { kind }: CallMessage) -> Result<Self> {
        Ok(match required(kind, "call")? {
            CallKind::AllocateBudget(AllocateBudgetMessage { budget, method, rounding, floor, floor_ratio_bits }) => {
                Self::AllocateBudget(AllocateBudget {
                    budget,
                    method: value(&METHODS, method)?,
                    rounding: value(&ROUNDINGS, rounding)?,
                    floor,
                    floor_ratio: Real::from_bits(floor_ratio_bits),
                })
            }
            CallKind::AssignNearest(AssignNearestMessage { metric }) => {
                Self::AssignNearest(AssignNearest { metric: value(&METRICS, metric)? })
            }
            CallKind::Embed(EmbedMessage { images, model, device, prompt, cache, dimension, output }) => {
                Self::Embed(Embed { images, model, device, prompt, cache, output, dimension })
            }
            CallKind::FarthestFirst(FarthestFirstMessage { metric, k, init, seed }) => {
                let (metric, init) = (value(&METRICS, metric)?, value(&INITS, init)?);
                Self::FarthestFirst(FarthestFirst { metric, k, init, seed })
            }
            CallKind::Kmeans(KmeansMessage { metric, k, iterations, sample, seed, balanced, batch_rows }) => {
                let rounds = match (balanced, batch_rows) {
                    (true, _) => Rounds::Balanced,
                    (false, 0) => Rounds::Lloyd,
                    (false, rows) => Rounds::MiniBatch(rows),
                };
                Self::Kmeans(Kmeans { metric: value(&METRICS, metric)?, k, iterations, sample, seed, rounds })
            }
            CallKind::MaxPriorSimilarity(MaxPriorSimilarityMessage { greedy_threshold_bits }) => {
                let mode = match greedy_threshold_bits {
                    None => Mode::Prior,
                    Some(bits) => Mode::Greedy(Real::from_bits(bits)),
                };
                Self::MaxPriorSimilarity(MaxPriorSimilarity { mode })
            }
            CallKind::ConceptClusters(message) => {
                let ConceptClustersMessage { metric, k, iterations, sample, balanced, words, seed } = message;
                let metric = value(&METRICS, metric)?;
                Self::ConceptClusters(ConceptClusters { metric, k, iterations, sample, balanced, words, seed })
            }
            CallKind::NearestNeighbors(message) => {
                let NearestNeighborsMessage { metric, k, threshold_bits, recall_bits, cells, seed, index } = message;
                let metric = value(&METRICS, metric)?;
                let (threshold, recall) = (threshold_bits.map(Real::from_bits), Real::from_bits(recall_bits));
                Self::NearestNeighbors(NearestNeighbors { metric, k, threshold, recall, cells, seed, index })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_comes_back() {
        let mut calls = vec![
            Call::MaxPriorSimilarity(MaxPriorSimilarity { mode: Mode::Prior }),
            Call::MaxPriorSimilarity(MaxPriorSimilarity { mode: Mode::Greedy(0.25.into()) }),
        ];
        for cache in [None, Some("folder".to_owned())] {
            let [model, device, output] = ["m", "cpu", "o"].map(str::to_owned);
            let (images, prompt) = (cache.is_some(), cache.clone());
            calls.push(Call::Embed(Embed { images, model, device, prompt, cache, output, dimension: 3 }));
        }
        for metric in [Metric::Cosine, Metric::L2] {
            calls.push(Call::AssignNearest(AssignNearest { metric }));
            for rounds in [Rounds::Lloyd, Rounds::Balanced, Rounds::MiniBatch(7)] {
                calls.push(Call::Kmeans(Kmeans { metric, k: 3, iterations: 4, sample: 5, seed: 6, rounds }));
            }
            for balanced in [false, true] {
                let (k, iterations, sample, words, seed) = (3, 4, 5, 6, 7);
                let call = ConceptClusters { metric, k, iterations, sample, balanced, words, seed };
                calls.push(Call::ConceptClusters(call));
            }
            for (threshold, index) in [(None, None), (Some((-0.5).into()), Some("a/b".to_owned()))] {
                let (k, recall, cells, seed) = (3, 0.75.into(), 4, 5);
                calls.push(Call::NearestNeighbors(NearestNeighbors {
                    metric,
                    k,
                    threshold,
                    recall,
                    cells,
                    seed,
                    index,
                }));
            }
            for init in [Init::First, Init::Random, Init::NeighbourMax] {
                calls.push(Call::FarthestFirst(FarthestFirst { metric, k: 7, init, seed: 8 }));
            }
        }
        for method in [Method::Projection, Method::Equal, Method::Proportional] {
            for rounding in [Rounding::Floor, Rounding::LargestRemainder] {
                for budget in [None, Some(9)] {
                    let call = AllocateBudget { budget, method, rounding, floor: 1, floor_ratio: 0.5.into() };
                    calls.push(Call::AllocateBudget(call));
                }
            }
        }
        for call in calls {
            assert_eq!(Call::try_from(CallMessage::from(&call)).unwrap(), call);
        }
        assert!(value(&METRICS, 9).is_err());
    }
}
