//! The gateway's binaries, built with the profile of the running test.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Builds `harmony-host` and returns its path.
///
/// # Panics
/// Panics if the build fails.
pub fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build("harmony-host", &["--workspace"])).clone()
}

/// Builds the gateway with failpoints and returns its path.
///
/// `FAILPOINTS` names the points at which the process aborts. `HARMONY_DISK_FAULT` names a file; while that file
/// exists, writes to the disk fail.
///
/// # Panics
/// Panics if the build fails.
pub fn faulty_binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let selection = ["--package", "harmony-tests", "--features", "failpoints"];
    BINARY.get_or_init(|| build("faulty-gateway", &selection)).clone()
}

/// Builds the program that tries power cuts and returns its path.
///
/// # Panics
/// Panics if the build fails.
pub fn power_cut_binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let selection = ["--package", "harmony-tests", "--features", "failpoints"];
    BINARY.get_or_init(|| build("power-cut", &selection)).clone()
}

fn build(name: &str, selection: &[&str]) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--bin", name]).args(selection);
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    assert!(cargo.status().expect("cargo runs").success(), "{name} cannot be built");
    binary_path(name)
}

/// Returns the path at which Cargo puts the binary `name` for the profile of this test.
///
/// # Panics
/// Panics if this test does not run from a target directory of Cargo.
pub fn binary_path(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let profile = test.ancestors().find(|path| path.join("deps").is_dir()).expect("a target directory");
    profile.join(name)
}
