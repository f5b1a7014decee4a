//! The evidence for "in sync": what this gateway has done itself, and what cannot be known on this machine.

use jiff::Timestamp;
use serde::Serialize;

/// The evidence that this gateway agrees with the control plane.
///
/// A control plane hands each change to one gateway, once. One that another gateway with the same id or token has
/// acknowledged is not seen here.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Evidence {
    /// The time since when the state of this machine is used with this gateway id.
    pub since: Option<Timestamp>,
    /// The last change that was applied here.
    pub last_applied: Option<AppliedChange>,
    /// The reason for which it is not known what was acknowledged before; ends with `harmony-host sync --accept-fresh`.
    pub unknown: Option<String>,
}

/// A change that was applied here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AppliedChange {
    /// Its id at the provider.
    pub id: String,
    /// The kind of its document, such as `pipeline`.
    pub kind: String,
    /// The time at which it was live; `None` for one of an earlier process.
    pub at: Option<Timestamp>,
}

impl Evidence {
    /// Returns the words that belong to every "in sync".
    pub(super) fn note(&self, provider: &str, heard_at: Option<Timestamp>) -> String {
        let heard = heard_at.map_or_else(
            || format!("{provider} was not heard yet"),
            |at| format!("{provider} was last heard at {at}"),
        );
        let applied = match &self.last_applied {
            None => "no change was applied here yet".to_owned(),
            Some(AppliedChange { id, kind, at: None }) => {
                format!("the last change applied here is the {kind} change {id}, before the last start")
            }
            Some(AppliedChange { id, kind, at: Some(at) }) => {
                format!("the last change applied here is the {kind} change {id}, at {at}")
            }
        };
        format!(
            "{heard}; {applied}; what another gateway with the same id or token took is not seen from here"
        )
    }
}
