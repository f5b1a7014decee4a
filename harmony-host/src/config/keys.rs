//! The table of keys: every key of the sections that this host owns, and what becomes of it.
//!
//! The one place that says of a key its type, its effect here, and what it guards. The check of files, suggestions,
//! masking, pushing, the limits of a control plane and the JSON Schema all read this table.

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
