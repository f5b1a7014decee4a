//! The status of the sync with the provider.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provider_api::{Cadence, CredentialStatus, DisplayDuration, Provider};
use serde::Serialize;

use crate::providers::isolate::{cadence_of, credential_details_of, credential_status_of};
use crate::providers::{PrimaryProvider, SourceId};
use crate::status::change::ChangeReport;
use crate::status::evidence::Evidence;
use crate::status::not_taken::{self, NotTaken};
use crate::status::timestamp;

/// The status of the sync with the provider.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SyncStatus {
    /// The name of the provider.
    pub provider: String,
    /// The source of its changes.
    #[serde(skip)]
    pub(super) source: SourceId,
    /// The schedule of sync passes: `every 30 s`, `on demand`, `waiting` (the source answers when it has a change) or
    /// `never`.
    pub cadence: String,
    /// The reason for which a source that should wait for changes is asked once a second instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy: Option<String>,
    /// The state of the gateway's credential there.
    pub authorization: Authorization,
    /// The time at which the credential expires or has expired.
    pub authorized_until: Option<Timestamp>,
    /// The place that the credential in use comes from.
    pub credential_source: Option<String>,
    /// The id of the gateway that the credential in use is for, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_gateway: Option<String>,
    /// The fault of a credential that is not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_problem: Option<String>,
    /// The time of the provider's last response.
    pub heard_at: Option<Timestamp>,
    /// The failure since then; `None` after a pass without one.
    pub failure: Option<SyncFailure>,
    /// The time of the next scheduled pass, which is the present while a polled provider is asked.
    pub due_at: Option<Timestamp>,
    /// The number of changes without a verdict.
    pub unsettled: usize,
    /// The reason for which one of them could not be fetched, and when it is fetched again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfetched: Option<String>,
    /// The reasons of the deferred changes, by id.
    #[serde(skip)]
    pub(super) deferred: BTreeMap<String, String>,
    /// The changes that the provider lists and this gateway has not taken.
    pub not_taken: Vec<NotTaken>,
    /// The number of changes that wait for the end of a pause. Only the first of them are in `not_taken`.
    pub waiting: usize,
    /// The problem of the provider's last list, which has changes that are not for this gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_problem: Option<String>,
    /// The number of verdicts that the provider has not received.
    pub undelivered: usize,
    /// The size of the journal of changes, in bytes; `None` before it is opened.
    #[serde(skip)]
    pub(crate) journal_bytes: Option<u64>,
    /// The number of rejected changes that are tried again.
    pub quarantined: usize,
    /// The rejected change that keeps the gateway out of sync, and the reason: the newest that is tried again, else the
    /// newest of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    /// The last change that was tried.
    pub last_change: Option<ChangeReport>,
    /// The evidence for "in sync".
    pub evidence: Evidence,
}

/// The state of a gateway's credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Authorization {
    /// The provider needs none.
    None,
    /// The gateway has a credential that was not refused.
    Valid,
    /// The gateway has no credential: a user has to authorize it.
    Missing,
    /// The credential has expired: a user has to authorize the gateway again.
    Expired,
    /// The provider refused the credential: a user has to authorize the gateway again.
    Refused,
}

/// The failure of the last sync passes.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SyncFailure {
    /// The last error.
    pub message: String,
    /// The number of failures in a row.
    pub times: u32,
    /// The time of the first of them.
    pub since: Timestamp,
}

/// Returns the schedule of sync passes in words.
pub(crate) fn in_words(cadence: Option<Cadence>) -> String {
    match cadence {
        Some(Cadence::Every(interval)) => format!("every {}", DisplayDuration(interval)),
        Some(Cadence::OnDemand) => "on demand".to_owned(),
        Some(Cadence::Waits) => "waiting".to_owned(),
        None => "never".to_owned(),
    }
}

impl SyncStatus {
    pub(super) fn new(primary: &PrimaryProvider) -> Self {
        let provider = &*primary.provider;
        let mut status = Self {
            provider: provider.name().to_string(),
            source: primary.source.clone(),
            cadence: String::new(),
            busy: None,
            authorization: Authorization::None,
            authorized_until: None,
            credential_source: None,
            credential_gateway: None,
            credential_problem: None,
            heard_at: None,
            failure: None,
            due_at: None,
            unsettled: 0,
            unfetched: None,
            deferred: BTreeMap::new(),
            not_taken: Vec::new(),
            waiting: 0,
            source_problem: None,
            undelivered: 0,
            journal_bytes: None,
            quarantined: 0,
            rejected: None,
            last_change: None,
            evidence: Evidence::default(),
        };
        status.update(provider);
        status
    }

    /// Returns the number of deferred changes.
    #[cfg(feature = "management")]
    pub(crate) fn held(&self) -> usize {
        self.deferred.len()
    }

    /// Updates the schedule and the authorization from the provider.
    pub(super) fn update(&mut self, provider: &dyn Provider) {
        self.cadence = in_words(cadence_of(provider));
        (self.authorization, self.authorized_until) = match credential_status_of(provider) {
            None => (Authorization::None, None),
            Some(CredentialStatus::Missing) => (Authorization::Missing, None),
            Some(CredentialStatus::Refused) => (Authorization::Refused, None),
            Some(CredentialStatus::Valid { expires_at }) => (Authorization::Valid, expires_at.map(timestamp)),
            Some(CredentialStatus::Expired { expired_at }) => {
                (Authorization::Expired, Some(timestamp(expired_at)))
            }
        };
        self.update_credential(provider);
    }

    /// Updates what is known about the credential.
    fn update_credential(&mut self, provider: &dyn Provider) {
        let details = credential_details_of(provider).unwrap_or_default();
        (self.credential_source, self.credential_gateway) = (details.source, details.gateway_id);
        self.credential_problem = details.problem;
    }

    /// Returns the words that belong to "in sync".
    pub(super) fn note(&self, address: Option<&str>) -> String {
        self.evidence.note(&self.named(address), self.heard_at)
    }

    /// Returns the provider as messages name it, with the address of its control plane.
    fn named(&self, address: Option<&str>) -> String {
        match address {
            Some(address) => format!("`{}` at {address}", self.provider),
            None => format!("`{}`", self.provider),
        }
    }

    /// Returns the reason for which the gateway may differ from what the provider wants.
    pub(super) fn reason(&self, address: Option<&str>) -> Option<String> {
        let provider = self.named(address);
        match self.authorization {
            Authorization::Missing => {
                return Some(match &self.credential_problem {
                    Some(problem) => format!("this gateway is not authorized by {provider}: {problem}"),
                    None => format!("this gateway is not authorized by {provider}: authorize it"),
                });
            }
            Authorization::Expired => {
                return Some(format!(
                    "the authorization by {provider} {}: authorize this gateway again",
                    self.expired()
                ));
            }
            Authorization::Refused => {
                return Some(format!("{provider} refused the credential: authorize this gateway again"));
            }
            Authorization::None | Authorization::Valid => {}
        }
        if let Some(failure) = &self.failure {
            let SyncFailure { message, times, since } = failure;
            // A message about the control plane names it already.
            let is_named = address.is_some_and(|address| message.contains(address));
            let provider = if is_named { self.named(None) } else { provider };
            let times = match times {
                1 => format!("failed once, at {since}"),
                _ => format!("has failed {times} times since {since}"),
            };
            return Some(format!("the sync with {provider} {times}: {message}"));
        }
        let more = match self.unsettled {
            0 | 1 => String::new(),
            n => format!(" ({n} changes have no verdict yet)"),
        };
        let deferred = self.deferred.values().next().or(self.unfetched.as_ref());
        let deferred = deferred.map(|reason| format!("{reason}{more}"));
        let tried = "tried in the next sync pass, and by `harmony-host sync` at once";
        let waits = match self.unsettled {
            0 => None,
            1 => Some(format!("1 change has no verdict yet; it is {tried}")),
            n => Some(format!("{n} changes have no verdict yet; they are {tried}")),
        };
        let not_taken = || not_taken::in_words(&self.not_taken);
        let source = self.source_problem.clone();
        self.rejected
            .clone()
            .or(deferred)
            .or(waits)
            .or_else(not_taken)
            .or(source)
            .or_else(|| self.unknown(address))
    }

    /// Returns the number of changes that a pause keeps from being applied: those that the provider lists, and those that
    /// were fetched before it.
    pub(crate) fn waits_for_resume(&self) -> usize {
        self.waiting + self.unsettled
    }

    /// Returns when the authorization expired.
    fn expired(&self) -> String {
        self.authorized_until.map_or_else(|| "has expired".to_owned(), |at| format!("expired at {at}"))
    }

    /// Returns the reason for which it is unknown if the gateway is in sync.
    pub(super) fn unknown(&self, address: Option<&str>) -> Option<String> {
        let unheard = || format!("{} was not heard yet; `harmony-host sync` asks it", self.named(address));
        self.evidence.unknown.clone().or_else(|| self.heard_at.is_none().then(unheard))
    }
}
