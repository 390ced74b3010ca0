//! Pure algorithms on slices and numbers. This module knows neither Arrow nor SQL.

pub mod allocation;
pub mod chars;
pub mod json;
pub mod learn;
pub mod lsh;
pub mod minhash;
pub mod normalize;
pub mod presets;
pub mod quality;
pub mod random;
pub mod scores;
pub mod shingler;
pub mod shingles;
pub mod simhash;
pub mod union_find;
pub mod vector;
pub mod wide;
pub mod words;
