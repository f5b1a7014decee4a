//! The entry of a lease: a value with its times.

use std::ops::Deref;
use std::time::Duration;

use tokio::time::Instant;

use crate::lease::per_thread::{PerThread, Shared};

/// The upper limit of every lifetime and every delay. Also keeps `Instant + Duration` from overflowing on a
/// value that a control plane sent.
pub(super) const MAX_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// A cached value.
#[derive(Debug)]
pub(super) struct Entry<V> {
    value: V,
    pub(super) refresh_at: Instant,
    pub(super) expires_at: Instant,
    /// True for a value that may be out of date, see [`Lease::hold_for_now`](crate::Lease::hold_for_now).
    pub(super) stale: bool,
}

impl<V> Entry<V> {
    /// Creates the entry of a value that is valid for `fresh`.
    pub(super) fn fresh(value: V, fresh: Duration) -> PerThread<Shared<Self>> {
        let (now, fresh) = (Instant::now(), fresh.min(MAX_LIFETIME));
        // In the third quarter of the lifetime: late enough to use the value, early enough for retries. Random,
        // so that gateways that fetched together do not refresh together.
        let share = fastrand::f64().mul_add(0.25, 0.5);
        let (refresh_at, expires_at) = (now + fresh.mul_f64(share), now + fresh);
        Shared::per_thread(Self { value, refresh_at, expires_at, stale: false })
    }

    /// Creates the entry of a value that may be out of date and is used for at most `longest`.
    pub(super) fn stale(value: V, longest: Duration) -> PerThread<Shared<Self>> {
        let now = Instant::now();
        let expires_at = now + longest.min(MAX_LIFETIME);
        Shared::per_thread(Self { value, refresh_at: now, expires_at, stale: true })
    }
}

/// A value of a lease that was valid when the call returned it.
///
/// Dereferences to the value, and keeps it alive when the lease replaces it.
#[derive(Debug)]
pub struct Valid<V>(pub(super) Shared<Entry<V>>);

impl<V> Deref for Valid<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.0.value
    }
}
