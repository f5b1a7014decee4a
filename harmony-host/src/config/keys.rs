//! The table of keys: the type and the effect of every key in the sections that this host reads.
//!
//! The check of files, suggestions for misspelled keys, masking, pushing, the limits of a control plane and the JSON Schema
//! all use this table. No other file defines these facts.

pub(crate) mod authority;
mod check;
mod key;
mod schema;
pub(crate) mod secrets;
mod sections;

pub(crate) use check::{UnknownKey, check};
#[cfg(feature = "gateway")]
pub(crate) use schema::json_schema;
#[cfg(test)]
mod conformance;
