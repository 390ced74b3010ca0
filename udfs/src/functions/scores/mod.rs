//! Scores of training examples: one number per row from a model's probabilities, losses and gradients.

pub mod answer_match;
mod answers;
pub mod el2n;
pub mod entropy;
pub mod forgetting_events;
pub mod grand;
pub mod histogram_entropy;
pub mod js_divergence;
pub mod kl_divergence;
pub mod list_topk_mask;
pub(crate) mod lists;
pub mod margin;
pub mod minmax_scale;
pub mod neighbor_score;
pub(in crate::functions) mod parameters;
pub mod perplexity;
pub mod pvi;
mod rescale;
pub mod softmax;
pub mod span_runs;
pub mod topsis_closeness;
pub mod topsis_stats;
pub mod vec_spread;
pub mod weight_delta;
pub mod width_bucket;
pub mod zscore;

#[cfg(test)]
mod tests;
