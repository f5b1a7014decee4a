//! docs/PROVIDERS.md, executed: its files are written to an empty directory, built, tested and run.

use std::path::Path;
use std::process::Command;

use harmony_tests::{Gateway, Workdir, binary_path, eventually, free_port};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Returns the code blocks that have a file name above them.
fn files(guide: &str) -> Vec<(&str, String)> {
    let mut files = Vec::new();
    let mut lines = guide.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix('`').and_then(|line| line.strip_suffix("`:")) else { continue };
        let block = lines.by_ref().skip_while(|line| !line.starts_with("```")).skip(1);
        let text: Vec<&str> = block.take_while(|line| *line != "```").collect();
        files.push((name, text.join("\n") + "\n"));
    }
    files
}

/// A Cargo command in `dir` that uses the crates of this checkout, offline.
fn cargo(dir: &Path, arguments: &[&str]) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(dir).args(arguments).arg("--offline");
    for name in ["provider-api", "provider-local", "provider-runbeam", "harmony-host"] {
        cargo.arg("--config").arg(format!("patch.crates-io.{name}.path = \"{ROOT}/{name}\""));
    }
    cargo.env("CARGO_TARGET_DIR", binary_path("").parent().expect("a target directory"));
    if std::env::var_os("CARGO_PROFILE_DEV_DEBUG").is_none() {
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
    }
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    cargo
}

/// The files of the guide build a gateway that serves the changes of its provider.
#[tokio::test]
async fn the_guide_builds_a_working_gateway() {
    let guide = std::fs::read_to_string(format!("{ROOT}/docs/PROVIDERS.md")).expect("the guide");
    let files = files(&guide);
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let expected = [
        "Cargo.toml",
        "src/lib.rs",
        "src/main.rs",
        "config.toml",
        "inbox/001.pipeline.toml",
        "tests/conformance.rs",
    ];
    assert_eq!(names, expected);
    let (_, provider) = &files[1];
    assert!(provider.lines().count() < 120, "the smallest provider has {} lines", provider.lines().count());
    let port = free_port();
    let dir = Workdir::with(files);
    dir.edit("config.toml", "8080", &port.to_string());
    let locked = std::fs::read_to_string(format!("{ROOT}/Cargo.lock")).expect("a lock file");
    dir.write("Cargo.lock", &locked);

    // Builds the gateway, too, and runs the conformance kit.
    let tested = cargo(dir.path(), &["test", "--quiet"]).output().expect("cargo runs");
    let output =
        String::from_utf8_lossy(&tested.stdout).into_owned() + &String::from_utf8_lossy(&tested.stderr);
    assert!(tested.status.success(), "{output}");

    let mut gateway = Gateway::spawn_program(&binary_path("inbox-gateway"), &dir.config(), &[], &[]);
    gateway.wait_until_ready().await;
    let url = format!("http://127.0.0.1:{port}/hello");
    eventually("the pipeline of the inbox is served", || async {
        let status = harmony_tests::get(&url).await.map(|answer| answer.status());
        if matches!(status, Ok(status) if status == 200) { Ok(()) } else { Err(gateway.log()) }
    })
    .await;
    eventually("the verdict is in the inbox", || async {
        let log = std::fs::read_to_string(dir.path().join("inbox/001.log")).unwrap_or_default();
        if log == "received\napplied\n" { Ok(()) } else { Err(log) }
    })
    .await;

    dir.write("inbox/002.pipeline.toml", "[pipelines.broken]\nnetworks = [\"nowhere\"]\n");
    let verdict = eventually("the broken change is rejected", || async {
        let log = std::fs::read_to_string(dir.path().join("inbox/002.log")).unwrap_or_default();
        if log.contains("rejected") { Ok(log) } else { Err(log) }
    })
    .await;
    assert!(verdict.contains("nowhere"), "{verdict}");
    assert_eq!(harmony_tests::get(&url).await.expect("an answer").status(), 200);
}
