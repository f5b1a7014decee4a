//! The outcome of a check, and the texts of the violations.

use std::collections::BTreeSet;
use std::fmt;

/// The outcome of a check.
#[derive(Debug, Default)]
pub struct Report {
    /// The number of files that were read, without test files.
    pub files: usize,
    /// The number of pairs of files of which one imports the other.
    pub imports: usize,
    /// The violations.
    pub violations: Vec<Violation>,
}

/// An import: the importing file, the imported file, and the imported names.
#[derive(Debug)]
pub struct Arrow {
    /// The importing file.
    pub from: String,
    /// The file that defines the names.
    pub to: String,
    /// The names.
    pub names: BTreeSet<String>,
}

/// A violation of the rules. Files are given by their paths below the root of the workspace.
#[derive(Debug)]
pub enum Violation {
    /// An import from a folder of a higher layer.
    Upwards(Arrow),
    /// An import from a file that belongs to no folder, such as lib.rs.
    FromAlone(Arrow),
    /// A folder that the order does not have.
    Unplaced {
        /// The folder.
        folder: String,
    },
    /// A folder of the order that the crate does not have.
    Missing {
        /// The folder.
        folder: String,
    },
    /// A file that no `mod` declares: it is not compiled, so it could not be checked.
    Stray {
        /// The file.
        file: String,
    },
    /// Files that all import each other, directly or through other files.
    Cycle {
        /// The files.
        files: BTreeSet<String>,
        /// All imports between them.
        arrows: Vec<Arrow>,
    },
    /// A file that does not begin with a documentation line.
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
                write!(
                    f,
                    "{} imports {} ({}), which is in a higher layer",
                    arrow.from,
                    arrow.to,
                    arrow.names()
                )
            }
            Self::FromAlone(arrow) => write!(
                f,
                "{} imports {} ({}), which is in no folder: no file may import from it",
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
            Self::Cycle { files, arrows } => {
                write!(f, "an import cycle of {} files:", files.len())?;
                arrows.iter().try_for_each(|arrow| {
                    write!(f, "\n    {} imports {} ({})", arrow.from, arrow.to, arrow.names())
                })
            }
            Self::NoDocLine { file } => write!(f, "{file} does not begin with a `//!` line"),
        }
    }
}
