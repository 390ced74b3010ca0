//! `limpid init`: a commented job file to start from.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use clap::Args;

use super::engine::Engine;
use super::errors::Failure;
use crate::jobs::reference;

/// The file that is written.
const TEMPLATE: &str = include_str!("init.yaml");

/// Write a commented job file to start from
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The file to write; it must not exist
    #[arg(value_name = "FILE", default_value = "job.yaml")]
    pub file: PathBuf,
    /// Print the JSON schema of job files instead, with which editors complete and check them
    #[arg(long, conflicts_with = "file")]
    pub schema: bool,
}

/// Runs the command.
///
/// # Errors
/// The file exists or cannot be written.
pub fn run(args: &InitArgs, _engine: &Engine) -> Result<(), Failure> {
    if args.schema {
        write!(std::io::stdout(), "{}", reference::schema_text())?;
        return Ok(());
    }
    let file = args.file.display();
    limpid_io::write_new(&args.file, TEMPLATE).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::error(format!("{file} exists already and is left as it is")),
        _ => Failure::error(format!("cannot write {file}: {error}")),
    })?;
    writeln!(std::io::stdout(), "{file} is written; edit `sources`, then: limpid run {file} --dry-run")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::jobs::job::Job;

    #[test]
    fn the_template_is_a_valid_job() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("job.yaml");
        std::fs::write(&file, TEMPLATE).unwrap();
        let job = Job::read(&file, &BTreeMap::new()).unwrap();
        assert_eq!(job.steps.len(), 3);
    }
}
