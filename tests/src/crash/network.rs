//! The faults of the network between a gateway and its control plane in a crash test.

use std::fmt;
use std::time::Duration;

use crate::control_plane::{ControlPlane, Fault, When};

/// A kind of network between a gateway and its control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// A network without faults.
    Calm,
    /// The response to the first acknowledgement is lost: the control plane has it, the gateway does not know.
    LostAcknowledge,
    /// The responses to the first `applied` and the first `failed` are lost.
    LostVerdict,
    /// Every list contains each change twice.
    Repeated,
    /// Every list is reversed, so that a change comes before the change it depends on.
    Reversed,
    /// Every response is delayed.
    Slow,
}

impl Network {
    /// Every kind of network.
    pub const ALL: [Self; 6] =
        [Self::Calm, Self::LostAcknowledge, Self::LostVerdict, Self::Repeated, Self::Reversed, Self::Slow];

    /// Injects the faults at the control plane. They stay over restarts of the gateway.
    pub(super) fn inject_into(self, cloud: &ControlPlane) {
        let list = || When::call("GET", "/harmony/changes/*");
        let faults = match self {
            Self::Calm => vec![],
            Self::LostAcknowledge => {
                vec![(When::call("POST", "/harmony/changes/acknowledge").times(1), Fault::LoseResponse)]
            }
            Self::LostVerdict => ["applied", "failed"]
                .map(|verdict| format!("/harmony/change/*/{verdict}"))
                .map(|path| (When::call("POST", &path).times(1), Fault::LoseResponse))
                .to_vec(),
            Self::Repeated => vec![(list(), Fault::Repeated)],
            Self::Reversed => vec![(list(), Fault::Reversed)],
            Self::Slow => vec![(When::path("/*"), Fault::Delay(Duration::from_millis(80)))],
        };
        for (when, fault) in faults {
            cloud.inject(when, fault);
        }
    }
}

impl fmt::Display for Network {
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
