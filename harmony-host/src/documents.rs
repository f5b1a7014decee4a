//! The configuration files, read into one immutable tree.

mod directed;
pub(crate) mod directories;
pub(crate) mod editable;
pub(crate) mod edits;
mod encoding;
mod findings;
mod gather;
pub(crate) mod identity;
mod json;
mod key_files;
pub(crate) mod layers;
mod load;
mod marks;
mod neighbours;
pub(crate) mod origins;
pub(crate) mod overlay;
pub(crate) mod public;
mod read;
mod reread;
pub(crate) mod secrecy;
pub(crate) mod settle;
mod tree;

pub(crate) use load::{Loaded, Touched};
pub(crate) use read::MAX_FILE_BYTES;
pub(crate) use tree::{Content, Document, Documents};
