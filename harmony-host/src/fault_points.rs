//! Where tests end the process, or let the disk refuse. Without the feature `failpoints` there is nothing here.

use std::io;

/// Ends the process here, as a kill or a power cut does, when `FAILPOINTS` says so: `committed=return` at the
/// first time, `committed=2*off->return` at the third.
pub(crate) fn kill(point: &str) {
    #[cfg(feature = "failpoints")]
    fail::fail_point!(point, |_| std::process::abort());
    #[cfg(not(feature = "failpoints"))]
    let _ = point;
}

/// The error that the disk gives here when the file named by `HARMONY_DISK_FAULT` exists: the number in it, as in
/// errno. The file may come and go while the process runs.
///
/// # Errors
/// That one.
#[cfg(feature = "failpoints")]
pub(crate) fn disk() -> io::Result<()> {
    static FAULT: std::sync::OnceLock<Option<std::path::PathBuf>> = std::sync::OnceLock::new();
    let fault = FAULT.get_or_init(|| std::env::var_os("HARMONY_DISK_FAULT").map(Into::into));
    let code = fault.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
    match code.and_then(|code| code.trim().parse().ok()) {
        Some(code) => Err(io::Error::from_raw_os_error(code)),
        None => Ok(()),
    }
}

/// The disk as it is.
///
/// # Errors
/// None.
#[cfg(not(feature = "failpoints"))]
#[expect(clippy::unnecessary_wraps, reason = "the other build has errors")]
pub(crate) fn disk() -> io::Result<()> {
    Ok(())
}

/// Reads `FAILPOINTS`. The points are as it says for as long as what is returned lives.
#[cfg(feature = "failpoints")]
pub(crate) fn set_up() -> fail::FailScenario<'static> {
    fail::FailScenario::setup()
}
