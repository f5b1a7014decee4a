//! The causes of generations.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::audit::Actor;
use crate::diagnostics::logged::counted;

/// The number of changes that are named in words.
const NAMED: usize = 3;

/// The event that led to an attempt to apply a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Cause {
    /// The gateway started, with other files than it served before.
    Start,
    /// Files were edited.
    Edit,
    /// The files were read because that was requested.
    Reload {
        /// Who requested it.
        by: Actor,
    },
    /// The gateway wrote the section of its provider when it was authorized.
    Authorize {
        /// Who authorized it.
        by: Actor,
    },
    /// Changes of a control plane.
    Change {
        /// The name of the provider.
        provider: String,
        /// The changes.
        changes: Vec<ChangeRef>,
    },
    /// An earlier generation was restored.
    Rollback {
        /// Its number.
        to: u64,
        /// Who requested it.
        by: Actor,
    },
}

/// A change of a control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChangeRef {
    /// Its id there.
    pub(crate) id: String,
    /// The kind of its document, such as `pipeline`.
    pub(crate) kind: String,
}

impl Cause {
    /// Returns who caused it. `users` are the owners of the files that were edited.
    pub(crate) fn actor(&self, users: &[String]) -> Actor {
        match self {
            Self::Start => Actor::Gateway,
            Self::Edit => Actor::Owner { users: users.to_vec() },
            Self::Reload { by } | Self::Authorize { by } | Self::Rollback { by, .. } => by.clone(),
            Self::Change { provider, .. } => Actor::Provider { name: provider.clone() },
        }
    }

    /// Returns the cause in words. `users` are the owners of the files that were edited.
    pub(crate) fn in_words(&self, users: &[String]) -> String {
        let owners = || match users {
            [] => String::new(),
            users => format!(" by {}", users.join(", ")),
        };
        match self {
            Self::Start => "start".to_owned(),
            Self::Edit => format!("edit{}", owners()),
            Self::Reload { by } => format!("reload by {by}, after an edit{}", owners()),
            Self::Authorize { by } => format!("authorization by {by}"),
            Self::Rollback { to, by } => format!("rollback to {to} by {by}"),
            Self::Change { provider, changes } => {
                let named: Vec<String> = changes.iter().take(NAMED).map(ChangeRef::to_string).collect();
                let more = changes.len().saturating_sub(NAMED);
                let more =
                    if more == 0 { String::new() } else { format!(" and {}", counted(more, "more change")) };
                format!("{}{more} of {provider}", named.join(", "))
            }
        }
    }
}

impl fmt::Display for ChangeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} change {}", self.kind, self.id)
    }
}
