//! Points at which tests end the process or inject disk errors. Without the feature `failpoints` they do nothing.

use std::io;
use std::path::Path;

/// Aborts the process at `point` if `FAILPOINTS` names it, like a kill or a power cut: `committed=return` aborts when the
/// point is reached first, `committed=2*off->return` when it is reached for the third time.
pub(crate) fn kill(point: &str) {
    #[cfg(feature = "failpoints")]
    fail::fail_point!(point, |_| std::process::abort());
    #[cfg(not(feature = "failpoints"))]
    let _ = point;
}

/// Injects a disk error for `path` while the file named by `HARMONY_DISK_FAULT` exists. The file holds an errno and,
/// optionally, a word: then only paths that contain the word fail. Tests create and delete the file while the process
/// runs.
///
/// # Errors
/// The error with that errno.
pub(crate) fn disk(path: &Path) -> io::Result<()> {
    let Some(text) = read_fault_file("HARMONY_DISK_FAULT") else { return Ok(()) };
    let mut words = text.split_whitespace();
    let code = words.next().and_then(|code| code.parse().ok());
    let applies = words.next().is_none_or(|part| path.to_string_lossy().contains(part));
    match code.filter(|_| applies) {
        Some(code) => Err(io::Error::from_raw_os_error(code)),
        None => Ok(()),
    }
}

/// Returns whether files cannot be exchanged by a rename: while the file named by `HARMONY_NO_EXCHANGE` exists.
pub(crate) fn no_exchange() -> bool {
    #[cfg(test)]
    if NO_EXCHANGE.get() {
        return true;
    }
    read_fault_file("HARMONY_NO_EXCHANGE").is_some()
}

#[cfg(test)]
thread_local! {
    /// Set by a test whose thread is to have no exchange.
    pub(crate) static NO_EXCHANGE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Injects a probe failure while the file named by `HARMONY_PROBE_FAULT` exists.
///
/// # Errors
/// The text of that file.
pub(crate) fn probe() -> Result<(), String> {
    read_fault_file("HARMONY_PROBE_FAULT").map_or(Ok(()), Err)
}

/// Returns the text of the file that an environment variable names, if the file exists.
#[cfg(feature = "failpoints")]
fn read_fault_file(variable: &str) -> Option<String> {
    std::fs::read_to_string(std::env::var_os(variable)?).ok()
}

#[cfg(not(feature = "failpoints"))]
fn read_fault_file(_: &str) -> Option<String> {
    None
}

/// Configures the points from `FAILPOINTS`, until the returned value is dropped.
#[cfg(feature = "failpoints")]
pub(crate) fn set_up() -> fail::FailScenario<'static> {
    fail::FailScenario::setup()
}
