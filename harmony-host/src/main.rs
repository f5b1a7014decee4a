//! The binary: a minimal Harmony gateway with the providers that are compiled in.

use std::process::ExitCode;

fn main() -> ExitCode {
    harmony_host::cli::main(harmony_host::registry())
}
