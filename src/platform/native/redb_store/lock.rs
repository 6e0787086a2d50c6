//! The lock file beside a store: who holds it, by process id.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::file::open_error;
use crate::error::StoreError;

/// Holds a store for this process until dropped.
///
/// The file `PATH.lock` is left behind empty: to delete it would race with one who has just opened
/// it and is about to lock it.
#[derive(Debug)]
pub(super) struct LockFile(File);

impl LockFile {
    /// Locks the store at `path` and writes this process's id into the lock file.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when it is locked, also by this process; [`StoreError::Open`] when the
    /// lock file can't be made or locked.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let failed = |error| open_error(path, format!("its lock file: {error}"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path.with_added_extension("lock")).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = holder(&mut file);
                return Err(StoreError::InUse { path: path.display().to_string(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Self(file))
    }
}

impl Drop for LockFile {
    /// The id is wiped before the lock is freed, as nobody could tell afterwards. Closing the file would
    /// free it only once no process that is just being started has a copy of it.
    fn drop(&mut self) {
        let _ = self.0.set_len(0);
        let _ = self.0.unlock();
    }
}

/// The process id in a lock file. Nothing where the system does not let a locked file be read, and
/// in the moment between a holder's lock and its writing.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
