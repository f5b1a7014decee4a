//! The commands of the apply task.

use std::fmt;
use std::io;

use tokio::sync::oneshot;

use crate::apply::{ChangeVerdict, ConfigEdit, JournaledChange, Verdict};

/// A command to the task that owns the applier. The task runs one command at a time.
pub(crate) enum Command {
    /// Reads the files and applies them.
    Reload(oneshot::Sender<Verdict>),
    /// Applies a change of a provider.
    Change(JournaledChange, oneshot::Sender<ChangeVerdict>),
    /// Edits config.toml and applies it.
    Edit(ConfigEdit, oneshot::Sender<io::Result<bool>>),
    /// Stops the task.
    Stop(oneshot::Sender<()>),
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reload(_) => "Reload",
            Self::Change(..) => "Change",
            Self::Edit(..) => "Edit",
            Self::Stop(_) => "Stop",
        })
    }
}
