//! Temporary directories with configuration files.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A temporary directory with a configuration. Removed on drop.
#[derive(Debug)]
pub struct Workdir(TempDir);

impl Default for Workdir {
    fn default() -> Self {
        Self::new()
    }
}

impl Workdir {
    /// Creates an empty directory.
    ///
    /// # Panics
    /// Panics if it cannot be created.
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    /// Creates a directory with these files.
    pub fn with<'a>(files: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let dir = Self::new();
        for (name, text) in files {
            dir.write(name, &text);
        }
        dir
    }

    /// Copies a directory tree, with each file's text changed by `substitute`.
    ///
    /// # Panics
    /// Panics if it cannot be read.
    pub fn copy_of(source: &Path, substitute: impl Fn(String) -> String) -> Self {
        let dir = Self::new();
        let mut todo = vec![source.to_owned()];
        while let Some(next) = todo.pop() {
            for entry in fs::read_dir(&next).unwrap_or_else(|e| panic!("{}: {e}", next.display())) {
                let path = entry.expect("a directory entry").path();
                if path.is_dir() {
                    todo.push(path);
                    continue;
                }
                let name = path.strip_prefix(source).expect("below").to_string_lossy().into_owned();
                dir.write(&name, &substitute(fs::read_to_string(&path).expect("text")));
            }
        }
        dir
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of config.toml.
    pub fn config(&self) -> PathBuf {
        self.path().join("config.toml")
    }

    /// Writes a file in place.
    ///
    /// # Panics
    /// Panics if it cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// Writes a temporary file and renames it into place, as editors and deployment tools do.
    ///
    /// # Panics
    /// Panics if it cannot be written.
    pub fn replace(&self, name: &str, text: &str) {
        let temporary = format!("{name}.tmp");
        self.write(&temporary, text);
        fs::rename(self.path().join(temporary), self.path().join(name)).expect("a rename");
    }

    /// Replaces `from` by `to` in a file, and renames the new file into place.
    ///
    /// # Panics
    /// Panics if the file does not contain `from`.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} has no {from:?}");
        self.replace(name, &text.replace(from, to));
    }

    /// The text of a file.
    ///
    /// # Panics
    /// Panics if it cannot be read.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Removes a file.
    ///
    /// # Panics
    /// Panics if it cannot be removed.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}
