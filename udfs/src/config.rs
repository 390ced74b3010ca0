//! Settings of limpid: `SET limpid.name = value`.

use std::any::Any;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::common::Result;
use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::common::extensions_options;

extensions_options! {
    /// Defaults of operators; an argument of the call goes before.
    pub struct Settings {
        /// Seed of everything random.
        pub seed: u64, default = 42
        /// Rows of an LSH bucket that a row is compared with; what is left out is counted and warned of.
        pub bucket_limit: u64, default = 1000
        /// Probability, at least, that a pair of rows at the threshold is found.
        pub recall: f64, default = 0.99
        /// Folder in which vectors of encoders are kept, so that none is made twice; without it none is kept. The environment
        /// variable LIMPID_EMBEDDING_CACHE sets it for a whole program.
        pub embedding_cache: String, default = String::new()
    }
}

/// The [`Settings`] of a session under their full names. The macro omits the prefix, but `SHOW limpid.seed` and the executors
/// of a cluster look settings up by full name.
#[derive(Debug, Clone, Default)]
pub struct LimpidOptions {
    settings: Settings,
    /// Shared by all copies of the session's options, because functions have no plan metrics to count in.
    without_vector: Arc<AtomicU64>,
}

impl ConfigExtension for LimpidOptions {
    const PREFIX: &'static str = "limpid";
}

/// The environment variable that names the folder of the embedding cache.
pub const EMBEDDING_CACHE: &str = "LIMPID_EMBEDDING_CACHE";

impl LimpidOptions {
    /// The default settings, including those from the environment.
    pub fn of_environment() -> Self {
        let embedding_cache = std::env::var(EMBEDDING_CACHE).unwrap_or_default();
        Self { settings: Settings { embedding_cache, ..Settings::default() }, ..Self::default() }
    }

    /// The folder of the embedding cache.
    pub fn cache(&self) -> Option<&str> {
        Some(self.embedding_cache.as_str()).filter(|folder| !folder.is_empty())
    }

    /// Counts texts that received no vector because the model does not know their script.
    pub fn count_without_vector(&self, texts: u64) {
        self.without_vector.fetch_add(texts, Ordering::Relaxed);
    }

    /// The number of such texts since the session began. The difference before and after a query is the query's count.
    pub fn without_vector(&self) -> u64 {
        self.without_vector.load(Ordering::Relaxed)
    }

    /// The settings of a session, or the defaults if it has none.
    pub fn of(options: &ConfigOptions) -> Self {
        options.extensions.get::<Self>().cloned().unwrap_or_default()
    }
}

impl ExtensionOptions for LimpidOptions {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        ExtensionOptions::set(&mut self.settings, key, value)
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        let mut entries = ExtensionOptions::entries(&self.settings);
        for entry in &mut entries {
            entry.key = format!("{}.{}", Self::PREFIX, entry.key);
        }
        entries
    }
}

impl Deref for LimpidOptions {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl DerefMut for LimpidOptions {
    fn deref_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_listed_under_the_names_that_set_them() {
        let mut options = ConfigOptions::new();
        options.extensions.insert(LimpidOptions::default());
        options.set("limpid.seed", "7").unwrap();
        assert_eq!(LimpidOptions::of(&options).seed, 7);
        assert!(options.set("limpid.nonsense", "7").is_err());
        let listed: Vec<ConfigEntry> =
            options.entries().into_iter().filter(|e| !e.key.starts_with("datafusion.")).collect();
        assert!(listed.iter().any(|e| e.key == "limpid.seed" && e.value.as_deref() == Some("7")));
        for entry in listed {
            options.set(&entry.key, &entry.value.unwrap()).unwrap();
        }
    }
}
