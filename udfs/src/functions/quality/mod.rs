//! Quality signals and cleaning of texts.

pub mod c4_clean;
pub mod c4_quality;
pub mod fineweb_quality;
pub mod gopher_quality;
pub mod gopher_repetition;
pub mod language;
pub mod pii_redact;
mod record;
mod rewrite;

#[cfg(test)]
mod tests;
