//! Commands to the task that applies.

use std::fmt;

use tokio::sync::oneshot;

use crate::apply::{ChangeVerdict, JournaledChange, Verdict};

/// A command to the task that owns the applier. Commands are carried out one after the other.
pub(crate) enum Command {
    /// Read the files and apply them.
    Reload(oneshot::Sender<Verdict>),
    /// Apply a change of a provider.
    Change(JournaledChange, oneshot::Sender<ChangeVerdict>),
    /// Stop applying.
    Stop(oneshot::Sender<()>),
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reload(_) => "Reload",
            Self::Change(..) => "Change",
            Self::Stop(_) => "Stop",
        })
    }
}
