//! The files that the gateway leaves: all are the owner's, and few may hold secrets.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use harmony_tests::disk::files_below;

use super::scanner::Scanner;
use super::world::World;

/// The parts of the paths of files that hold texts of documents: the history, the saved configurations, and the changes
/// of the control plane.
const HOLDERS: [&str; 3] = ["/history/", ".generation", "/journal"];

/// The names of files with a key, which are secrets themselves.
const KEYS: [&str; 2] = ["encryption.key", "audit.key"];

fn state(world: &World) -> PathBuf {
    world.dir.path().join(".runbeam")
}

fn is_key(file: &Path) -> bool {
    KEYS.iter().any(|name| file.ends_with(name))
}

/// Makes secrets of the keys of the state.
pub(super) fn add(world: &mut World) {
    let keys: Vec<PathBuf> = files_below(&state(world)).into_iter().filter(|file| is_key(file)).collect();
    assert_eq!(keys.len(), KEYS.len(), "{keys:?}");
    for key in keys {
        let bytes = fs::read(&key).unwrap();
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|error| error.into_bytes().iter().map(|byte| format!("{byte:02x}")).collect());
        world.canaries.token(&key.file_name().unwrap().to_string_lossy(), text.trim());
    }
}

/// Fails if a file or a directory of the state is open to others, or if a secret is in a file that holds no documents.
#[track_caller]
pub(super) fn assert_private(world: &World, scanner: &Scanner) {
    let state = state(world);
    let files = files_below(&state);
    assert!(files.len() > 5, "{files:?}");
    let (mut problems, mut holders) = (Vec::new(), 0);
    for file in &files {
        let name = file.display().to_string();
        for path in file.ancestors().take_while(|path| path.starts_with(&state)) {
            let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                problems.push(format!("{} has the mode {mode:o}", path.display()));
            }
        }
        let leaks = scanner.leaks(&name, &fs::read(file).unwrap());
        match is_key(file) || HOLDERS.iter().any(|part| name.contains(part)) {
            true => holders += usize::from(!leaks.is_empty()),
            false => problems.extend(leaks),
        }
    }
    assert!(holders > 2, "the files that may hold secrets hold some: {files:?}");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
