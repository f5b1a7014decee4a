//! The check of the architecture's layers: which file of a crate may import which.
//!
//! The check reads the sources of the crates without what only tests use, resolves each name to the file that defines
//! it, through every re-export, and compares the imports with two promises: a folder of harmony-host imports only from
//! folders below it, and no files of a crate import each other in a circle.
//!
//! The reader sees names, not types. A call of a method is no import, nor is a path in the text of an attribute
//! (`#[serde(default = "path")]`).

mod check;
mod circles;
mod crate_tree;
mod doc_lines;
mod error;
mod imports;
mod loader;
mod mention;
mod module;
mod module_reader;
mod order;
mod report;
mod resolver;
mod rust_files;
mod test_only;
#[cfg(test)]
mod tests;
mod token_paths;
mod upwards;
mod use_paths;

pub use check::check;
pub use doc_lines::without_doc_line;
pub use error::Error;
pub use report::{Arrow, Report, Violation};
