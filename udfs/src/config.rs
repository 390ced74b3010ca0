//! Settings of limpid: `SET limpid.name = value`.

use datafusion::common::config::{ConfigExtension, ConfigOptions};
use datafusion::common::extensions_options;

extensions_options! {
    /// Defaults of operators; an argument of the call goes before.
    pub struct LimpidOptions {
        /// Seed of everything random.
        pub seed: u64, default = 42
        /// Rows of an LSH bucket that a row is compared with; what is left out is counted and warned of.
        pub bucket_limit: u64, default = 1000
        /// Probability, at least, that a pair of rows at the threshold is found.
        pub recall: f64, default = 0.99
    }
}

impl ConfigExtension for LimpidOptions {
    const PREFIX: &'static str = "limpid";
}

impl LimpidOptions {
    /// The settings of a session; the defaults where it has none.
    pub fn of(options: &ConfigOptions) -> Self {
        options.extensions.get::<Self>().cloned().unwrap_or_default()
    }
}
