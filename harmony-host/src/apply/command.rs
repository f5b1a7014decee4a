//! The commands of the apply task.

use std::fmt;
use std::io;

use tokio::sync::oneshot;

use crate::apply::{
    Asked, ConfigEdit, Foreseen, JournaledChange, RollbackReport, RollbackRequest, Verdict, Verdicts,
};
use crate::audit::Actor;

/// A command to the task that owns the applier. The task runs one command at a time.
pub(crate) enum Command {
    /// Reads the files and applies them.
    Reload(Actor, oneshot::Sender<Verdict>),
    /// Applies changes of a provider. The verdicts end when the sender of them is dropped.
    Changes(Vec<JournaledChange>, Verdicts),
    /// Edits config.toml and applies it.
    Edit(ConfigEdit, Actor, oneshot::Sender<io::Result<bool>>),
    /// Foresees the result of an apply.
    Foresee(Asked, oneshot::Sender<Foreseen>),
    /// Restores an earlier generation.
    RollBack(RollbackRequest, oneshot::Sender<RollbackReport>),
    /// Shows that the task works, by its pulse.
    Ping,
    /// Stops the task.
    Stop(oneshot::Sender<()>),
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reload(..) => "Reload",
            Self::Changes(..) => "Changes",
            Self::Edit(..) => "Edit",
            Self::Foresee(..) => "Foresee",
            Self::Ping => "Ping",
            Self::RollBack(..) => "RollBack",
            Self::Stop(_) => "Stop",
        })
    }
}
