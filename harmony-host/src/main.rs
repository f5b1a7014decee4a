//! The binary: a minimal Harmony gateway with the providers that are compiled in.

use std::process::ExitCode;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    harmony_host::cli::main(harmony_host::registry())
}
