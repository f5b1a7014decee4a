//! The output of the access log: a file, which can be opened again, or standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// The interval of attempts to write to an output that is full and does not block.
const RETRY: Duration = Duration::from_millis(10);

/// The permissions of a new file: it has the addresses of clients, so only the owner and its group read it.
const MODE: u32 = 0o640;

/// The place that the access log is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Standard output.
    Stdout,
    /// A file, to which lines are appended.
    File(PathBuf),
}

/// An open target.
#[derive(Debug)]
pub(super) struct Output {
    target: Target,
    file: File,
}

impl Output {
    /// Opens a target.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn open(target: Target) -> io::Result<Self> {
        let file = match &target {
            // Not the buffered one of the standard library: what stays in a buffer is neither written nor lost.
            Target::Stdout => File::from(io::stdout().as_fd().try_clone_to_owned()?),
            Target::File(path) => OpenOptions::new().create(true).append(true).mode(MODE).open(path)?,
        };
        Ok(Self { target, file })
    }

    /// Opens the file again, which may have been renamed. The open one stays if that fails.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        *self = Self::open(self.target.clone())?;
        Ok(())
    }

    /// Writes lines. Waits for an output that is full.
    ///
    /// # Errors
    /// The error of the operating system. A part may be written then.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        write_all(&mut self.file, lines)
    }
}

fn write_all(output: &mut impl Write, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match output.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Another process that shares the pipe can have made it non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::park_timeout(RETRY),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
