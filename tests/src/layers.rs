//! The check of the architecture's layers: which file of a crate may import which.
//!
//! The check reads the sources of the crates without test code, resolves each name through all re-exports to the file that
//! defines it, and checks two rules: a folder of harmony-host imports only from lower folders, and the files of a crate
//! have no import cycle.
//!
//! The check works on names, not types. A method call is not an import, nor is a path in the text of an attribute
//! (`#[serde(default = "path")]`).

mod check;
mod crate_tree;
mod cycles;
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
