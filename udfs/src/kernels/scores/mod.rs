//! Scores of training examples: what a model's probabilities, gradients and token losses say about a row.

pub mod answer;
pub mod bucket;
pub mod divergence;
pub mod forgetting;
pub mod gradient;
pub mod probability;
pub mod spread;
pub mod tokens;
pub mod topsis;
