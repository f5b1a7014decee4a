//! The key of the audit log.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use aws_lc_rs::hmac;

use crate::storage::atomic_file;
use crate::storage::io_error;

/// The size of a new key in bytes: that of the hash.
const NEW_BYTES: usize = 32;

/// The least size of a key that an operator provides, in bytes.
const LEAST_BYTES: usize = 32;

/// The size limit of the file of a key in bytes.
const MAX_BYTES: u64 = 4 * 1024;

/// The key of the records. Who has it can write records that verify.
pub(crate) struct Key(hmac::Key);

impl Key {
    /// Reads the key in the file at `path`: all its bytes but white space at the end.
    ///
    /// # Errors
    /// The error of the operating system; a key that is too short or too long.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let read = || {
            let mut bytes = Vec::new();
            File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(io_error::at(path))?;
        let key = bytes.trim_ascii_end();
        if key.len() < LEAST_BYTES || bytes.len() as u64 > MAX_BYTES {
            let message = format!(
                "{}: the key of the audit log has {} bytes; expected {LEAST_BYTES} to {MAX_BYTES}, such as of `openssl rand -hex 32`",
                path.display(),
                key.len()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// Makes a key. Returns its text too, for [`store`](Self::store).
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn make() -> io::Result<(Self, String)> {
        let mut bytes = [0; NEW_BYTES];
        aws_lc_rs::rand::fill(&mut bytes)
            .map_err(|_| io::Error::other("the system has no random numbers"))?;
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((Self(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())), text))
    }

    /// Stores the text of a key at `path`, for the owner only.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn store(path: &Path, text: &str) -> io::Result<()> {
        atomic_file::write(path, format!("{text}\n").as_bytes(), 0o600).map_err(io_error::at(path))
    }

    /// Returns the key for HMAC.
    pub(super) fn hmac(&self) -> &hmac::Key {
        &self.0
    }

    /// Returns whether others than the owner can read the file at `path`.
    pub(super) fn is_exposed(path: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Opens a file of the log for appending; a new one is its owner's alone.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_key_is_private_and_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.key");
        let (made, text) = Key::make().unwrap();
        Key::store(&path, &text).unwrap();
        let tag = hmac::sign(made.hmac(), b"text");
        hmac::verify(Key::read(&path).unwrap().hmac(), b"text", tag.as_ref()).unwrap();
        assert!(!Key::is_exposed(&path));
        assert_ne!(Key::make().unwrap().1, text);
    }

    #[test]
    fn short_keys_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        for (bytes, accepted) in [(31, false), (32, true), (4096, true), (4097, false)] {
            fs::write(&path, "k".repeat(bytes)).unwrap();
            assert_eq!(Key::read(&path).is_ok(), accepted, "{bytes}");
        }
    }
}
