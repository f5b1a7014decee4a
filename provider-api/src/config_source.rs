use std::time::Duration;

use async_trait::async_trait;

use crate::{Change, ChangeHead, ChangeId, ChangeStatus, Result};

/// Where changes to the configuration come from.
///
/// The host calls [`pending`](Self::pending) at the [`cadence`](Self::cadence), fetches what it has
/// not seen, oldest first, writes it down, reports [`Received`](ChangeStatus::Received), applies it and
/// reports the verdict. It owns order, retries, backoff and the memory of what was seen: an
/// implementation asks once and says what it was told.
///
/// Every method is cancel safe: dropping its future abandons the exchange and leaves nothing running.
/// Every method has a deadline on all I/O inside. None panics on anything a control plane sends;
/// a blank field, an oversized or an undecodable answer is an error.
#[async_trait]
pub trait ConfigSource: Send + Sync {
    /// The changes that wait for this gateway.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when the control plane cannot be asked, refuses the
    /// gateway's credential, or answers what cannot be understood. That is never an empty list.
    async fn pending(&self) -> Result<Pending>;

    /// One change with its document and everything it needs.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) when the control plane no longer knows it,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) as in [`pending`](Self::pending),
    /// [`Invalid`](crate::ErrorKind::Invalid) when it came and is not a change.
    async fn fetch(&self, id: &ChangeId) -> Result<Change>;

    /// Tells the control plane how far a change has come. Idempotent: the host repeats a report until it
    /// was answered, so the control plane may already have heard it, and that is no error.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) when the control plane does not know the change,
    /// [`Invalid`](crate::ErrorKind::Invalid) when it knows it and will never take this report, otherwise
    /// [`Unavailable`](crate::ErrorKind::Unavailable).
    async fn report(&self, id: &ChangeId, status: &ChangeStatus) -> Result<()>;

    /// When to ask for changes.
    fn cadence(&self) -> Cadence;
}

/// The answer to "is there something new".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pending {
    /// Nothing has changed since the last time; known without reading a list.
    Unchanged,
    /// The list, oldest first. An empty list means that nothing is pending, never that all is to be removed.
    Changes(Vec<ChangeHead>),
}

/// When the host asks a [`ConfigSource`] for changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// Once per interval; the host adds jitter.
    Every(Duration),
    /// Only when somebody tells the gateway to.
    OnDemand,
    /// Always: [`ConfigSource::pending`] itself waits until there is something, or for a while.
    Waits,
}

const _: fn(&dyn ConfigSource) = |_| {};
