use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The gateway's binary, built as this test is.
///
/// # Panics
/// When it cannot be built.
pub fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| built("harmony-host", &["--workspace"])).clone()
}

/// The same gateway with the points at which `FAILPOINTS` ends it, and the disk that refuses when
/// `HARMONY_DISK_FAULT` says so. Built as this test is.
///
/// # Panics
/// When it cannot be built.
pub fn faulty_binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let chosen = ["--package", "harmony-tests", "--features", "failpoints"];
    BINARY.get_or_init(|| built("faulty-gateway", &chosen)).clone()
}

fn built(name: &str, chosen: &[&str]) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--bin", name]).args(chosen);
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    assert!(cargo.status().expect("cargo runs").success(), "{name} cannot be built");
    place_of(name)
}

/// Where Cargo puts the binary `name`, when it is built as this test is.
///
/// # Panics
/// When this test is not where Cargo puts tests.
pub fn place_of(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let profile = test.ancestors().find(|path| path.join("deps").is_dir()).expect("a target directory");
    profile.join(name)
}
