//! How a gateway stands: whether it comes, and whether it has what was sent to it.

use jiff::{SignedDuration, Timestamp};

use super::change::{ChangeView, Status};
use super::gateway::Gateway;
use super::gateway_document::GatewayForm;
use super::state::State;

/// The interval of a gateway whose own is neither known nor observed, in seconds: the default of gateways.
const DEFAULT_INTERVAL: i64 = 30;
/// The polls that a gateway may miss before it counts as silent.
const MISSED_POLLS: i64 = 3;
/// Time for a poll to arrive, in seconds.
const GRACE: i64 = 5;

/// The state of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Without a valid token.
    NoToken,
    /// With a token that it never used.
    NeverCame,
    /// Behind its polls.
    Silent,
    /// On the provider `local`, which does not ask.
    Local,
    /// Without a verdict on some changes.
    Waiting(usize),
    /// After a rejected change.
    Failed,
    /// With every change applied.
    InSync,
}

impl Standing {
    pub(super) fn of(state: &State, gateway: &Gateway, now: Timestamp) -> Self {
        let own = || state.changes.iter().filter(|change| change.gateway_id == gateway.id);
        let has_token =
            state.machine_tokens.iter().any(|token| token.gateway_id == gateway.id && token.expires_at > now);
        let waiting = own().filter(|change| !change.is_settled()).count();
        let provider =
            GatewayForm::read(state.known_config(&gateway.id).unwrap_or_default()).primary_provider;
        match gateway.last_contact {
            _ if !has_token => Self::NoToken,
            None => Self::NeverCame,
            // One that asks is not local, whatever the configuration says that is known here: it may have been edited there.
            Some(at) if now.duration_since(at) > patience(state, gateway) => match provider.as_str() {
                "local" if waiting == 0 => Self::Local,
                _ => Self::Silent,
            },
            Some(_) if waiting > 0 => Self::Waiting(waiting),
            Some(_)
                if own().next_back().is_some_and(|change: &ChangeView| change.status == Status::Failed) =>
            {
                Self::Failed
            }
            Some(_) => Self::InSync,
        }
    }

    /// The state in one word or two, for programs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NoToken => "no token",
            Self::NeverCame => "never seen",
            Self::Silent => "silent",
            Self::Local => "local",
            Self::Waiting(_) => "changes waiting",
            Self::Failed => "last change failed",
            Self::InSync => "in sync",
        }
    }
}

/// The interval at which a gateway asks, in seconds: as it was observed, or as its configuration has it.
pub(super) fn interval(state: &State, gateway: &Gateway) -> Option<i64> {
    let observed = gateway.poll_gap.map(|gap| (gap.as_millis() as f64 / 1000.0).round() as i64);
    observed.or_else(|| Some(GatewayForm::interval_in(state.known_config(&gateway.id)?)?.into()))
}

/// The longest time without a word from a gateway that comes.
fn patience(state: &State, gateway: &Gateway) -> SignedDuration {
    let interval = interval(state, gateway).filter(|seconds| *seconds > 0).unwrap_or(DEFAULT_INTERVAL);
    SignedDuration::from_secs(MISSED_POLLS * interval + GRACE)
}

impl State {
    /// Records that a gateway asked for its changes, from which its interval follows.
    pub(super) fn record_poll(&mut self, gateway_id: &str) {
        let now = Timestamp::now();
        let Some(gateway) = self.gateways.iter_mut().find(|gateway| gateway.id == gateway_id) else { return };
        gateway.poll_gap = gateway.last_poll.map(|last| now.duration_since(last));
        gateway.last_poll = Some(now);
    }
}
