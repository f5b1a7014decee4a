//! The errors for which the sources cannot be checked.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// An error of reading the sources, as opposed to a [`Violation`](super::Violation) in sources that were read.
#[derive(Debug)]
pub struct Error {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Unreadable(io::Error),
    Unparsable(syn::Error),
    NoRoot,
    NoFile { declared_in: String },
    PathAttribute { module: String },
}

impl Error {
    pub(super) fn unreadable(path: &Path, error: io::Error) -> Self {
        Self { path: path.to_owned(), why: Why::Unreadable(error) }
    }

    pub(super) fn unparsable(path: &Path, error: syn::Error) -> Self {
        Self { path: path.to_owned(), why: Why::Unparsable(error) }
    }

    /// Creates the error for a directory `src` without lib.rs and main.rs.
    pub(super) fn no_root(src: &Path) -> Self {
        Self { path: src.to_owned(), why: Why::NoRoot }
    }

    /// Creates the error for a module that the file `declared_in` declares and that has no file.
    pub(super) fn no_file(path: &Path, declared_in: &str) -> Self {
        Self { path: path.to_owned(), why: Why::NoFile { declared_in: declared_in.to_owned() } }
    }

    /// Creates the error for a module with a `#[path]` in the file at `path`.
    pub(super) fn path_attribute(path: &Path, module: &str) -> Self {
        Self { path: path.to_owned(), why: Why::PathAttribute { module: module.to_owned() } }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::Unreadable(_) => write!(f, "{path} cannot be read"),
            Why::Unparsable(_) => write!(f, "{path} is not Rust that the check can parse"),
            Why::NoRoot => {
                write!(f, "{path} has neither lib.rs nor main.rs; is this the root of the workspace?")
            }
            Why::NoFile { declared_in } => {
                write!(f, "{declared_in} declares a module whose file {path} does not exist")
            }
            Why::PathAttribute { module } => write!(
                f,
                "{path} gives the module {module} a #[path]; the check finds modules by their names only"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.why {
            Why::Unreadable(error) => Some(error),
            Why::Unparsable(error) => Some(error),
            Why::NoRoot | Why::NoFile { .. } | Why::PathAttribute { .. } => None,
        }
    }
}
