//! Atomic commit of a folder of files with a manifest.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use limpid_failpoints::fail_point;
use limpid_io::StagedFolder;

use super::hashing::write_error;
use super::manifest::{MANIFEST, Manifest, foreign_files};
use super::write::{WriteOptions, write_parts};

/// A folder that is only ever seen complete.
#[derive(Debug, Clone)]
pub struct AtomicDir {
    target: PathBuf,
}

impl AtomicDir {
    /// Creates a handle for the folder `target`, which need not exist.
    pub fn new(target: impl Into<PathBuf>) -> Self {
        Self { target: target.into() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.target
    }

    /// Writes `stream` as the new content of the folder; `extra` is added to the manifest.
    ///
    /// The files depend only on the rows and `options`, not on how the stream divides rows into batches.
    ///
    /// # Errors
    /// Another process is writing the folder; its name is taken by a file, or by a folder that limpid did not write; the
    /// stream fails; or the file system fails, in which case the error names the path. After an error the folder is unchanged
    /// and the staging folder is removed.
    pub async fn write(
        &self,
        stream: SendableRecordBatchStream,
        options: &WriteOptions,
        extra: serde_json::Value,
    ) -> Result<Manifest> {
        let target = self.clone();
        let staging = blocking(move || target.begin()).await?;
        let schema = stream.schema();
        let files = write_parts(staging.path(), stream, options).await?;
        let manifest = Manifest::new(options.format.to_string(), &schema, files, extra);
        blocking(move || commit(&staging, &manifest).map(|()| manifest)).await
    }

    /// Creates a staging folder, if the target may be replaced.
    pub(super) fn begin(&self) -> Result<StagedFolder> {
        let staging = StagedFolder::begin(&self.target).map_err(|e| exec_datafusion_err!("{e}"))?;
        check_replaceable(staging.target())?;
        fail_point!("sink::staged");
        Ok(staging)
    }
}

/// Writes the manifest and renames the folder to its target. The files in it are already synced to disk.
fn commit(staging: &StagedFolder, manifest: &Manifest) -> Result<()> {
    let path = staging.path().join(MANIFEST);
    let text = serde_json::to_vec_pretty(manifest).map_err(|e| write_error(&path, &e))?;
    limpid_io::write(&path, text).map_err(|e| write_error(&path, &e))?;
    fail_point!("sink::manifest-written");
    staging.commit().map_err(|e| exec_datafusion_err!("{e}"))?;
    // The previous folder still exists under another name.
    fail_point!("sink::named");
    Ok(())
}

/// Returns an error unless the target is empty or was written by limpid.
fn check_replaceable(target: &Path) -> Result<()> {
    match fs::metadata(target) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(write_error(target, &e)),
        Ok(metadata) if !metadata.is_dir() => {
            return exec_err!("cannot write {}: there is a file of that name, a folder is needed", target.display());
        }
        Ok(_) => {}
    }
    let mut entries = fs::read_dir(target).map_err(|e| write_error(target, &e))?;
    if entries.next().is_some() && !target.join(MANIFEST).exists() {
        return exec_err!(
            "cannot write {}: it holds files and no {MANIFEST}, so limpid did not write it and will not replace it",
            target.display()
        );
    }
    match foreign_files(target)? {
        None => Ok(()),
        Some(names) => exec_err!(
            "cannot replace {}: it holds files that limpid did not write: {names}; move them elsewhere",
            target.display()
        ),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    SpawnedTask::spawn_blocking(work).await.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))?
}
