//! Log records on standard error.

use std::sync::OnceLock;

use log::{LevelFilter, Log, Metadata, Record};

use super::errors::note;

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// How much is said of limpid's own work, and of that of the libraries below.
#[derive(Debug, Clone, Copy)]
struct Logger {
    ours: LevelFilter,
    others: LevelFilter,
}

/// Says more the more often `-v` is given, and only errors with `-q`. Called once, before anything logs.
pub fn start(verbose: u8, quiet: bool) {
    let (ours, others) = match verbose {
        _ if quiet => (LevelFilter::Error, LevelFilter::Error),
        0 => (LevelFilter::Warn, LevelFilter::Warn),
        1 => (LevelFilter::Info, LevelFilter::Warn),
        2 => (LevelFilter::Debug, LevelFilter::Info),
        _ => (LevelFilter::Trace, LevelFilter::Debug),
    };
    // Fails only where a logger is set already, which then serves.
    if log::set_logger(LOGGER.get_or_init(|| Logger { ours, others })).is_ok() {
        log::set_max_level(ours);
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata) -> bool {
        let ours = metadata.target().split("::").next().is_some_and(|root| root.starts_with("limpid"));
        metadata.level() <= if ours { self.ours } else { self.others }
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            let level = match record.level() {
                log::Level::Warn => "warning".to_owned(),
                other => other.as_str().to_lowercase(),
            };
            note(&format!("{level}: {}", record.args()));
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use log::Level;

    use super::*;

    #[test]
    fn libraries_say_less() {
        let logger = Logger { ours: LevelFilter::Info, others: LevelFilter::Warn };
        let enabled = |target, level| logger.enabled(&Metadata::builder().target(target).level(level).build());
        assert!(enabled("limpid::cli", Level::Info) && enabled("limpid_udfs::operators", Level::Info));
        assert!(!enabled("datafusion::physical_plan", Level::Info) && enabled("datafusion", Level::Warn));
        assert!(!enabled("limpid", Level::Debug));
    }
}
