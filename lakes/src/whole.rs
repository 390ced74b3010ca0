//! Files that appear whole or not at all, with errors that name them.

use std::fs::File;
use std::path::Path;

use datafusion::common::{Result, exec_datafusion_err};

use crate::lake::discover::plain;

/// Writes the file `path` through `write`.
///
/// # Errors
/// The folder cannot be written; those of `write`.
pub fn write(path: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    limpid_io::write_with(path, write)
        .map_err(|e| exec_datafusion_err!("cannot write {}: {}", path.display(), plain(&e.to_string())))
}
