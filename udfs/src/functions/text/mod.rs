//! Text functions: normal forms, shingles and exact similarities.

pub mod char_shingles;
pub mod containment;
pub mod jaccard;
pub mod normalize_text;
mod patterns;
pub mod regexp_extract;
pub mod regexp_extract_all;
mod shingle_lists;
mod similarity;
pub mod string_to_array;
pub mod word_shingles;

pub(crate) use similarity::{DEFAULT_N, MAX_N, unit};
