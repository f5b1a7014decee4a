//! The commands of the apply task.

use std::fmt;
use std::io;

use tokio::sync::oneshot;

use crate::apply::{Asked, ConfigEdit, Foreseen, JournaledChange, Verdict, Verdicts};

/// A command to the task that owns the applier. The task runs one command at a time.
pub(crate) enum Command {
    /// Reads the files and applies them.
    Reload(oneshot::Sender<Verdict>),
    /// Applies changes of a provider. The verdicts end when the sender of them is dropped.
    Changes(Vec<JournaledChange>, Verdicts),
    /// Edits config.toml and applies it.
    Edit(ConfigEdit, oneshot::Sender<io::Result<bool>>),
    /// Foresees the result of an apply.
    Foresee(Asked, oneshot::Sender<Foreseen>),
    /// Shows that the task works, by its pulse.
    Ping,
    /// Stops the task.
    Stop(oneshot::Sender<()>),
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reload(_) => "Reload",
            Self::Changes(..) => "Changes",
            Self::Edit(..) => "Edit",
            Self::Foresee(..) => "Foresee",
            Self::Ping => "Ping",
            Self::Stop(_) => "Stop",
        })
    }
}
