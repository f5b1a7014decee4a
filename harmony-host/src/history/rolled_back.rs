//! Documents of a control plane that a rollback has replaced.

use serde::{Deserialize, Serialize};

use crate::history::ChangeRef;

/// The newest version of a document that a control plane has sent, and that was live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Managed {
    /// The name of the provider.
    pub(crate) provider: String,
    /// The change.
    pub(crate) change: ChangeRef,
    /// The SHA-256 of the text that it wrote.
    pub(crate) digest: String,
    /// The generation that it became live with; 0 if that is not recorded.
    #[serde(default)]
    pub(crate) generation: u64,
}

/// A document that a rollback has replaced by an earlier version, which the control plane does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RolledBackFile {
    /// The name, relative to the directory of config.toml.
    pub(crate) file: String,
    /// The generation that was restored.
    pub(crate) to: u64,
    /// The version of the control plane.
    pub(crate) managed: Managed,
}
