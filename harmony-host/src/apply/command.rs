//! The commands of the apply task.

use std::fmt;

use tokio::sync::oneshot;

use crate::apply::{ChangeVerdict, JournaledChange, Verdict};

/// A command to the task that owns the applier. The task runs one command at a time.
pub(crate) enum Command {
    /// Reads the files and applies them.
    Reload(oneshot::Sender<Verdict>),
    /// Applies a change of a provider.
    Change(JournaledChange, oneshot::Sender<ChangeVerdict>),
    /// Stops the task.
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
