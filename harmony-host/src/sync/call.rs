//! Calls of a provider by the sync: each has a deadline, and ends when another provider becomes primary.

use std::time::Duration;

use provider_api::{DisplayDuration, Error, Result};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::providers::PrimaryProvider;
use crate::providers::isolate::isolated;

/// The deadline of a call. A provider has its own deadlines, which are shorter; this one holds for a provider that
/// forgets them.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(5 * 60);

/// The deadline of a call that waits for a change.
pub(super) const WAIT_LIMIT: Duration = Duration::from_secs(30 * 60);

/// The receiver of the primary provider.
pub(super) type Primary = watch::Receiver<Option<PrimaryProvider>>;

/// Runs a call of a provider with a deadline. A panic fails the call.
///
/// # Errors
/// The error of the call; Unavailable after a panic, or when it did not return in time.
pub(super) async fn bounded<T>(limit: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(limit, isolated(call)).await.unwrap_or_else(|_| {
        let limit = DisplayDuration(limit);
        Err(Error::unavailable(format!("the provider did not return from the call within {limit}")))
    })
}

/// Runs a call of `followed`, as long as it is primary. Every call of a source is cancel safe.
///
/// # Errors
/// As [`bounded`]; Unavailable when another provider became primary.
pub(super) async fn while_primary<T>(
    primary: &Primary,
    followed: &PrimaryProvider,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::select! {
        biased;
        () = replaced(primary.clone(), followed) => Err(Error::unavailable("another provider is primary now")),
        done = bounded(CALL_LIMIT, call) => done,
    }
}

/// Waits until another provider is primary, or the same one with other settings.
pub(super) async fn replaced(mut primary: Primary, followed: &PrimaryProvider) {
    let _ = primary.wait_for(|now| !now.as_ref().is_some_and(|now| now.is_same(followed))).await;
}

/// Returns whether `followed` is primary.
pub(super) fn is_primary(primary: &Primary, followed: &PrimaryProvider) -> bool {
    primary.borrow().as_ref().is_some_and(|now| now.is_same(followed))
}
