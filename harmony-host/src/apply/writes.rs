//! The files that an activation has written, for the records of its steps.

use crate::apply::JournaledChange;
use crate::history::Pending;

/// The origin of the files of a configuration that is made live.
#[derive(Clone, Copy)]
pub(super) enum Writes<'w> {
    /// An operator, before.
    Nothing,
    /// Changes of a provider.
    Changes(&'w [JournaledChange]),
    /// A rollback.
    Rollback(&'w Pending),
}

impl<'w> Writes<'w> {
    /// Returns the changes.
    pub(super) fn changes(self) -> &'w [JournaledChange] {
        match self {
            Self::Changes(changes) => changes,
            Self::Nothing | Self::Rollback(_) => &[],
        }
    }
}
