//! The source of configuration changes.

use std::num::NonZeroUsize;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Change, ChangeHead, ChangeId, ChangeStatus, Result};

/// A source of configuration changes.
///
/// The host repeats this cycle:
///
/// 1. It calls [`pending`](Self::pending) at the [`cadence`](Self::cadence).
/// 2. It [fetches](Self::fetch) every change that it does not know yet, in the order of the list and at most
///    [`parallelism`](Self::parallelism) at a time, and writes it to its journal.
/// 3. It [reports](Self::report) the change as [`Received`](ChangeStatus::Received).
/// 4. It applies what is ready together and reports the verdict of each change, [`Applied`](ChangeStatus::Applied) or
///    [`Rejected`](ChangeStatus::Rejected).
///
/// The host owns the order, retries, backoff and the record of known changes. An implementation makes one
/// exchange per call and returns its result.
///
/// Every method is cancel safe: dropping its future ends the exchange and leaves no task. A list or a change
/// that was lost in this way is delivered again by the next call. All I/O has a deadline. No response causes
/// a panic; a blank field, an oversized or an undecodable response is an error.
#[async_trait]
pub trait ConfigSource: Send + Sync {
    /// Returns the changes that wait for this gateway.
    ///
    /// Returns [`Unchanged`](Pending::Unchanged) only when an earlier call of the same provider has returned
    /// the list: a new provider, and a call after one that was cancelled, return the list itself.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable): the control plane is unreachable, refuses the
    /// credential of the gateway, or sends a response that cannot be decoded. Never an empty list in its
    /// place.
    async fn pending(&self) -> Result<Pending>;

    /// Returns one change with its document and all attachments.
    ///
    /// Does not acknowledge the change: only [`report`](Self::report) does.
    ///
    /// # Errors
    /// * [`NotFound`](crate::ErrorKind::NotFound): the control plane does not know the change (any more).
    /// * [`Unavailable`](crate::ErrorKind::Unavailable): as in [`pending`](Self::pending).
    /// * [`Invalid`](crate::ErrorKind::Invalid): the response arrived, and is not a change.
    async fn fetch(&self, id: &ChangeId) -> Result<Change>;

    /// Reports the status of a change to the control plane.
    ///
    /// Idempotent: the host repeats a report until it gets a response, also after a restart. A control plane
    /// that has the report already is not an error.
    ///
    /// # Errors
    /// * [`NotFound`](crate::ErrorKind::NotFound): the control plane does not know the change.
    /// * [`Invalid`](crate::ErrorKind::Invalid): the control plane will never accept this report. The host
    ///   does not repeat it.
    /// * [`Unavailable`](crate::ErrorKind::Unavailable): every other failure. The host repeats the report.
    async fn report(&self, id: &ChangeId, status: &ChangeStatus) -> Result<()>;

    /// Returns the schedule on which the host calls [`pending`](Self::pending). Always the configured one.
    fn cadence(&self) -> Cadence;

    /// Returns the largest number of calls of [`fetch`](Self::fetch) and [`report`](Self::report) that the host has under
    /// way at the same time, for different changes. The default is one: the calls come one after the other.
    fn parallelism(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }

    /// Returns the problem of the last list, in one sentence without secrets, if changes of it are withheld because they
    /// are not for this gateway. The host shows it and does not count as in sync. Does no I/O.
    fn problem(&self) -> Option<String> {
        None
    }
}

/// The result of [`ConfigSource::pending`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pending {
    /// The list is the same as in the last call, for example after an HTTP 304.
    Unchanged,
    /// The list, oldest first. An empty list means that no change is pending, never that the configuration is
    /// to be removed.
    Changes(Vec<ChangeHead>),
}

/// The schedule on which the host calls [`ConfigSource::pending`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// Once per interval. The host adds jitter.
    Every(Duration),
    /// On an explicit command only, such as `harmony-host sync`.
    OnDemand,
    /// Again as soon as the last call has returned, but at most once a second: the provider does long polling, and
    /// [`ConfigSource::pending`] itself waits for a change or for a time limit below 30 minutes, the deadline of the
    /// host. It returns at once while a change is pending. The host drops the call when the settings change.
    Waits,
}

const _: fn(&dyn ConfigSource) = |_| {};
