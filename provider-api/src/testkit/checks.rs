//! The checks, one function each. A check gets the subject, makes a world of its own and says what it found.

pub(super) mod answers;
pub(super) mod building;
pub(super) mod calls;
pub(super) mod changes;
pub(super) mod credential_status;
pub(super) mod credentials;
pub(super) mod documents;
pub(super) mod forgeries;
pub(super) mod kinds;
pub(super) mod misread;
mod recalled;
pub(super) mod reports;
pub(super) mod resources;
pub(super) mod retention;
pub(super) mod statuses;
pub(super) mod tasks;
pub(super) mod tokens;
pub(super) mod transport;
