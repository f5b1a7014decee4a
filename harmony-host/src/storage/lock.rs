//! What keeps two gateways apart that were started on the same files.

use std::fs::{OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::storage::atomic_file;

/// How long a start waits for another gateway to let go: one of this process that was dropped a moment ago still has
/// tasks that end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// How often it tries meanwhile.
pub(crate) const RETRY: Duration = Duration::from_millis(50);

/// Its name in a directory. It is never removed: who has it open and who makes another would both hold one.
const NAME: &str = "lock";

/// A directory that nobody else works in while this lives. The operating system lets go of it however the process
/// ends. It is held against another gateway of the same process too.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: std::fs::File,
}

impl Lock {
    /// Takes `directory`, which is made, for its owner only, when it is missing.
    ///
    /// # Errors
    /// `WouldBlock` when it is taken; else what the operating system says.
    pub(crate) fn take(directory: &Path) -> io::Result<Self> {
        atomic_file::make_directory(directory, 0o700)?;
        let mut options = OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.create(true).truncate(false).write(true).open(directory.join(NAME))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                let message = format!("another gateway works in {}", directory.display());
                Err(io::Error::new(io::ErrorKind::WouldBlock, message))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_directory_is_taken_once_until_it_is_let_go_of_and_is_for_its_owner_only() {
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
