//! One file, whole or not at all.

use std::fs::{File, Permissions};
use std::path::Path;

use datafusion::common::{Result, exec_datafusion_err};

/// Writes the file `path` through `write`, which gets a temporary file in the same folder. Only when `write` succeeds and the
/// bytes are on disk does the file take its name, and with it the place of an older one; otherwise nothing is left behind.
///
/// # Errors
/// What `write` returns, and any error of the file system, with the path.
pub fn atomic_file(path: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let failed = |e: &dyn std::error::Error| exec_datafusion_err!("cannot write {}: {e}", path.display());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{name}.");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix);
    // What any other program would create; tempfile's own default keeps everyone else out.
    #[cfg(unix)]
    builder.permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(|e| failed(&e))?;
    write(file.as_file_mut())?;
    file.as_file().sync_all().map_err(|e| failed(&e))?;
    file.persist(path).map_err(|e| failed(&e.error))?;
    sync_folder(folder).map_err(|e| failed(&e))
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    // Other systems cannot open a folder as a file, and need no such call.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
