//! The outcome of a check, and how each violation reads.

use std::collections::BTreeSet;
use std::fmt;

/// The outcome of a check.
#[derive(Debug, Default)]
pub struct Report {
    /// The number of files that were read, those of tests left out.
    pub files: usize,
    /// The number of pairs of files of which one imports the other.
    pub imports: usize,
    /// Everything that breaks a promise.
    pub violations: Vec<Violation>,
}

/// An import: one file, another one, and the names that the first takes from it.
#[derive(Debug)]
pub struct Arrow {
    /// The file that imports.
    pub from: String,
    /// The file that defines the names.
    pub to: String,
    /// The names.
    pub names: BTreeSet<String>,
}

/// A broken promise. Files are given by their paths below the root of the workspace.
#[derive(Debug)]
pub enum Violation {
    /// An import from a folder that stands above the importing one.
    Upwards(Arrow),
    /// An import from a file that belongs to no folder, such as lib.rs.
    FromAlone(Arrow),
    /// A folder whose place in the order nobody has decided.
    Unplaced {
        /// The folder.
        folder: String,
    },
    /// A folder that the order names and the crate does not have.
    Missing {
        /// The folder.
        folder: String,
    },
    /// A file that no `mod` declares: it is not compiled, so it could not be checked.
    Stray {
        /// The file.
        file: String,
    },
    /// Files each of which reaches each other one by imports.
    Circle {
        /// The files.
        files: BTreeSet<String>,
        /// All imports among them.
        arrows: Vec<Arrow>,
    },
    /// A file that does not say on its first line what it is about.
    NoDocLine {
        /// The file.
        file: String,
    },
}

impl Arrow {
    fn names(&self) -> String {
        self.names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upwards(arrow) => {
                write!(f, "{} imports {} ({}), which stands above it", arrow.from, arrow.to, arrow.names())
            }
            Self::FromAlone(arrow) => write!(
                f,
                "{} imports {} ({}), which stands alone: no file may import from it",
                arrow.from,
                arrow.to,
                arrow.names()
            ),
            Self::Unplaced { folder } => {
                write!(f, "{folder} is not in the order of folders: place it in tests/src/layers/order.rs")
            }
            Self::Missing { folder } => {
                write!(f, "{folder} does not exist, and the order in tests/src/layers/order.rs names it")
            }
            Self::Stray { file } => write!(f, "{file} is declared by no `mod`, so it is not checked"),
            Self::Circle { files, arrows } => {
                write!(f, "a circle of {} files:", files.len())?;
                arrows.iter().try_for_each(|arrow| {
                    write!(f, "\n    {} imports {} ({})", arrow.from, arrow.to, arrow.names())
                })
            }
            Self::NoDocLine { file } => write!(f, "{file} does not begin with a `//!` line"),
        }
    }
}
