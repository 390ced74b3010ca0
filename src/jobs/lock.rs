//! One run at a time in a work folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::process;

use super::error::{JobError, Result};

/// Locks the work folder until dropped, or until the process ends in whatever way. The lock is the operating system's; the
/// file only says who holds it.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Locks `work`, creating it if needed. The error names the process that holds the lock.
    pub fn take(job: &str, work: &Path) -> Result<Self> {
        fs::create_dir_all(work).map_err(JobError::io("create the work folder", work))?;
        let path = work.join(".lock");
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(JobError::io("open the lock", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(job, &path, &mut file)),
            Err(TryLockError::Error(error)) => return Err(JobError::io("lock", &path)(error)),
        }
        let write = file.set_len(0).and_then(|()| writeln!(file, "{}", process::id()));
        write.map_err(JobError::io("write the lock", &path))?;
        Ok(Self { _file: file })
    }
}

fn held(job: &str, path: &Path, file: &mut File) -> JobError {
    let mut holder = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut holder));
    let holder = match (read, holder.trim()) {
        (Ok(_), pid) if !pid.is_empty() => format!("process {pid}"),
        _ => "another process".to_owned(),
    };
    JobError::Other(format!("job `{job}` is already running: {holder} holds {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_run_is_refused_and_stale_files_are_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".lock"), "1\n").unwrap();
        let lock = Lock::take("tiny", dir.path()).unwrap();
        let error = Lock::take("tiny", dir.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", process::id())), "{error}");
        drop(lock);
        Lock::take("tiny", dir.path()).unwrap();
    }
}
