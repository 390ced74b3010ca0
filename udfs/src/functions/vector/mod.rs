//! Vector functions. Vectors are lists of 16, 32 or 64-bit floats, of fixed size or not, read as rows of 32-bit floats.

pub mod cosine_similarity;
pub mod embeddings;
pub mod frechet_distance;
pub mod gaussian_moments;
pub mod l2_distance;
pub mod l2_normalize;
mod moments;
mod pairs;
pub mod random_projection;
pub mod vec_avg;
pub mod vec_scale;
