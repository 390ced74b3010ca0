//! Small models trained inside the engine, with their gradients and curvature.

pub mod conjugate;
pub mod dense;
pub mod matrix;
pub mod multilinear;
pub mod network;
pub mod regression;
pub mod spectral;
