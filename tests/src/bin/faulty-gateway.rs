//! The gateway with failpoints: `FAILPOINTS` names the points at which the process aborts, and writes to the disk fail
//! while the file named by `HARMONY_DISK_FAULT` exists. A separate program, so that `harmony-host` never contains them.

use std::process::ExitCode;

fn main() -> ExitCode {
    harmony_host::cli::main(harmony_host::registry())
}
