//! The directory lock: it keeps two gateways from working on the same files.

use std::fs::{OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::storage::{atomic_file, io_error};

/// The time that a start waits for the lock. A gateway of the same process that was just dropped holds the lock until
/// its tasks have ended.
pub(crate) const TAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The interval between attempts to take the lock.
pub(crate) const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// The name of the lock file. It is never removed: a process with the removed file open and a process that creates a
/// new one would both hold a lock.
const NAME: &str = "lock";

/// An exclusive lock on a directory, released on drop. The operating system releases it however the process ends. It
/// also excludes other gateways of the same process.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: std::fs::File,
}

impl Lock {
    /// Locks `directory`. A missing directory is created with access for its owner only.
    ///
    /// # Errors
    /// `WouldBlock` if another gateway holds the lock; otherwise the error of the operating system.
    pub(crate) fn take(directory: &Path) -> io::Result<Self> {
        atomic_file::make_directory(directory, 0o700).map_err(io_error::at(directory))?;
        let path = directory.join(NAME);
        let mut options = OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file =
            options.create(true).truncate(false).write(true).open(&path).map_err(io_error::at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                let message = format!("another gateway works in {}", directory.display());
                Err(io::Error::new(io::ErrorKind::WouldBlock, message))
            }
            Err(TryLockError::Error(error)) => Err(io_error::at(&path)(error)),
        }
    }

    /// Returns whether a gateway holds the lock of `directory`. Never waits, and creates nothing.
    ///
    /// # Errors
    /// The error of the operating system.
    #[cfg(feature = "gateway")]
    pub(crate) fn is_held(directory: &Path) -> io::Result<bool> {
        let file = match std::fs::File::open(directory.join(NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        // Shared and for a moment only: a start that finds the lock taken tries again.
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_lock_is_exclusive_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let (state, inner) = (dir.path().join("state"), dir.path().join("state/inner"));
        let held = Lock::take(&inner).unwrap();
        assert_eq!(Lock::take(&inner).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        Lock::take(&state).unwrap();
        drop(held);
        Lock::take(&inner).unwrap();
        for made in [state, inner] {
            assert_eq!(std::fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }
}
