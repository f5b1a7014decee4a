use std::fmt;
use std::time::Duration;

use crate::control_plane::{ControlPlane, Fault, When};

/// What the network between a gateway and its control plane does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Nothing.
    Calm,
    /// It loses the first answer to an acknowledgement: the control plane knows it, the gateway does not.
    LostAcknowledge,
    /// It loses the first answers to verdicts of both kinds.
    LostVerdict,
    /// Every list has each change twice.
    Repeated,
    /// Every list is in the opposite order, so that what depends on something comes before it.
    Reversed,
    /// Every answer is late.
    Slow,
}

impl Wire {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Calm, Self::LostAcknowledge, Self::LostVerdict, Self::Repeated, Self::Reversed, Self::Slow];

    /// Lets it happen, from now on and over restarts of the gateway.
    pub(super) fn set_up(self, cloud: &ControlPlane) {
        let list = || When::call("GET", "/harmony/changes/*");
        let faults = match self {
            Self::Calm => vec![],
            Self::LostAcknowledge => {
                vec![(When::call("POST", "/harmony/changes/acknowledge").times(1), Fault::LoseAnswer)]
            }
            Self::LostVerdict => ["applied", "failed"]
                .map(|verdict| format!("/harmony/change/*/{verdict}"))
                .map(|path| (When::call("POST", &path).times(1), Fault::LoseAnswer))
                .to_vec(),
            Self::Repeated => vec![(list(), Fault::Repeated)],
            Self::Reversed => vec![(list(), Fault::Reversed)],
            Self::Slow => vec![(When::path("/*"), Fault::Delay(Duration::from_millis(80)))],
        };
        for (when, fault) in faults {
            cloud.fault(when, fault);
        }
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Calm => "calm",
            Self::LostAcknowledge => "lost-acknowledge",
            Self::LostVerdict => "lost-verdict",
            Self::Repeated => "repeated",
            Self::Reversed => "reversed",
            Self::Slow => "slow",
        })
    }
}
