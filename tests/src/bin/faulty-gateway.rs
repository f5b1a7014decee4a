//! The gateway as it is, with the points compiled in at which `FAILPOINTS` ends it and the disk that refuses when
//! `HARMONY_DISK_FAULT` says so. A program of its own, so that neither is ever in `harmony-host`.

use std::process::ExitCode;

fn main() -> ExitCode {
    harmony_host::cli::main(harmony_host::registry())
}
