use jiff::Timestamp;
use provider_api::{Cadence, CredentialStatus, Provider};
use serde::Serialize;

use crate::providers::isolate::{cadence_of, credential_status_of};
use crate::status::change::{ChangeOutcome, ChangeReport};
use crate::status::timestamp;

/// How following the provider goes.
#[derive(Clone, Debug, Serialize)]
pub struct SyncStatus {
    /// Its name.
    pub provider: String,
    /// When it is asked: `every 30 s`, `on demand` or `all the time`.
    pub cadence: String,
    /// The state of the gateway's credential there.
    pub authorization: Authorization,
    /// When the authorization ends, or ended.
    pub authorized_until: Option<Timestamp>,
    /// When the provider last answered.
    pub heard_at: Option<Timestamp>,
    /// What went wrong since.
    pub failure: Option<SyncFailure>,
    /// When it is asked next by itself.
    pub due_at: Option<Timestamp>,
    /// How many changes have no verdict.
    pub unsettled: usize,
    /// How many verdicts the provider does not know.
    pub undelivered: usize,
    /// How many changes were rejected and may be tried again.
    pub quarantined: usize,
    /// The change that stands rejected, and why: the newest that may be tried again, or else the newest of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// The last change that was tried.
    pub last_change: Option<ChangeReport>,
}

/// The state of a gateway's credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Authorization {
    /// The provider needs none.
    None,
    /// There is one, and nobody has refused it.
    Valid,
    /// There is none: somebody has to authorize the gateway.
    Missing,
    /// Its time is over.
    Expired,
    /// The provider refused it.
    Refused,
}

/// Why a provider cannot be followed now.
#[derive(Clone, Debug, Serialize)]
pub struct SyncFailure {
    /// What happened last.
    pub message: String,
    /// How often in a row.
    pub times: u32,
    /// When it happened first.
    pub since: Timestamp,
}

impl SyncStatus {
    pub(super) fn new(provider: &dyn Provider) -> Self {
        let mut status = Self {
            provider: provider.name().to_string(),
            cadence: String::new(),
            authorization: Authorization::None,
            authorized_until: None,
            heard_at: None,
            failure: None,
            due_at: None,
            unsettled: 0,
            undelivered: 0,
            quarantined: 0,
            rejected: None,
            last_change: None,
        };
        status.look(provider);
        status
    }

    /// Takes up what the provider says of itself now.
    pub(super) fn look(&mut self, provider: &dyn Provider) {
        self.cadence = match cadence_of(provider) {
            Some(Cadence::Every(interval)) => format!("every {} s", interval.as_secs()),
            Some(Cadence::OnDemand) => "on demand".to_owned(),
            Some(Cadence::Waits) => "all the time".to_owned(),
            None => "never".to_owned(),
        };
        (self.authorization, self.authorized_until) = match credential_status_of(provider) {
            None => (Authorization::None, None),
            Some(CredentialStatus::Missing) => (Authorization::Missing, None),
            Some(CredentialStatus::Refused) => (Authorization::Refused, None),
            Some(CredentialStatus::Valid { expires_at }) => {
                (Authorization::Valid, Some(timestamp(expires_at)))
            }
            Some(CredentialStatus::Expired { expired_at }) => {
                (Authorization::Expired, Some(timestamp(expired_at)))
            }
        };
    }

    /// Why the gateway may not be what the provider wants it to be.
    pub(super) fn reason(&self) -> Option<String> {
        let provider = &self.provider;
        match self.authorization {
            Authorization::Missing => {
                return Some(format!("this gateway is not authorized at `{provider}`: authorize it"));
            }
            Authorization::Expired => {
                return Some(format!("the authorization at `{provider}` has expired: authorize it again"));
            }
            Authorization::Refused => {
                return Some(format!("`{provider}` refused the credential: authorize this gateway again"));
            }
            Authorization::None | Authorization::Valid => {}
        }
        if let Some(failure) = &self.failure {
            let SyncFailure { message, times, since } = failure;
            return Some(format!(
                "`{provider}` could not be followed since {since} ({times} times): {message}"
            ));
        }
        let held =
            self.last_change.as_ref().filter(|change| change.verdict == ChangeOutcome::Held).map(|change| {
                let why = change.summary.as_deref().unwrap_or("no reason is known");
                format!("the {} change {} was held: {why}", change.kind, change.id)
            });
        let waits = (self.unsettled > 0).then(|| format!("{} changes have no verdict yet", self.unsettled));
        self.rejected.clone().or(held).or(waits)
    }
}
