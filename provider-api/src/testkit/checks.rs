//! The checks, one function each. A check creates a world of its own and returns `Ok` when the provider
//! passes.
//!
//! The functions have the names of the checks, which users see: renaming one breaks the lists of known
//! failures that authors keep.

pub(super) mod answers;
pub(super) mod building;
pub(super) mod calls;
pub(super) mod changes;
pub(super) mod credential_status;
pub(super) mod credentials;
pub(super) mod documents;
pub(super) mod forgeries;
pub(super) mod kinds;
pub(super) mod malformed_state;
pub(super) mod reports;
pub(super) mod resources;
pub(super) mod retention;
mod saved_state;
pub(super) mod statuses;
pub(super) mod tasks;
pub(super) mod tokens;
pub(super) mod transport;
