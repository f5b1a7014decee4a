//! Where tests end the process, or let the disk refuse. Without the feature `failpoints` there is nothing here.

use std::io;
use std::path::Path;

/// Ends the process here, as a kill or a power cut does, when `FAILPOINTS` says so: `committed=return` at the
/// first time, `committed=2*off->return` at the third.
pub(crate) fn kill(point: &str) {
    #[cfg(feature = "failpoints")]
    fail::fail_point!(point, |_| std::process::abort());
    #[cfg(not(feature = "failpoints"))]
    let _ = point;
}

/// The error that the disk gives for `path` while the file named by `HARMONY_DISK_FAULT` exists: the number in it, as
/// in errno. With a word after it, only for paths that have that in them. The file may come and go while the process
/// runs.
///
/// # Errors
/// That one.
pub(crate) fn disk(path: &Path) -> io::Result<()> {
    let Some(text) = while_there("HARMONY_DISK_FAULT") else { return Ok(()) };
    let mut words = text.split_whitespace();
    let code = words.next().and_then(|code| code.parse().ok());
    let struck = words.next().is_none_or(|part| path.to_string_lossy().contains(part));
    match code.filter(|_| struck) {
        Some(code) => Err(io::Error::from_raw_os_error(code)),
        None => Ok(()),
    }
}

/// What a probe finds here while the file named by `HARMONY_PROBE_FAULT` exists.
///
/// # Errors
/// What is in that file.
pub(crate) fn probe() -> Result<(), String> {
    while_there("HARMONY_PROBE_FAULT").map_or(Ok(()), Err)
}

/// The text of the file that a variable names, while there is one.
#[cfg(feature = "failpoints")]
fn while_there(variable: &str) -> Option<String> {
    std::fs::read_to_string(std::env::var_os(variable)?).ok()
}

#[cfg(not(feature = "failpoints"))]
fn while_there(_: &str) -> Option<String> {
    None
}

/// Reads `FAILPOINTS`. The points are as it says for as long as what is returned lives.
#[cfg(feature = "failpoints")]
pub(crate) fn set_up() -> fail::FailScenario<'static> {
    fail::FailScenario::setup()
}
