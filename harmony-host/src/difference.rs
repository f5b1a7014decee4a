//! Differences of two configurations in words: for the log, the status, the history, and the plan of an edit.

mod bound;
mod certificates;
mod changed_file;
mod clip;
mod compare;
mod definitions;
mod draft;
mod entry;
pub(crate) mod keys;
mod listeners;
mod meshes;
mod routes;
#[cfg(test)]
mod tests;
pub(crate) mod words;

pub(crate) use bound::Differences;
pub(crate) use entry::{Difference, Kind, Sign};
