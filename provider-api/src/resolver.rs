use std::time::Duration;

use async_trait::async_trait;

use crate::{Reference, Resource, Result};

/// Finds what a reference names.
///
/// The host caches answers, asks at most once at a time per reference, and never caches a failure.
/// Cancel safe, bounded by a deadline, and free of panics, like every method of the contract.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The resource, and how long that answer may be used.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is none,
    /// [`Denied`](crate::ErrorKind::Denied) when this gateway may not use it,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when that cannot be known now,
    /// [`Invalid`](crate::ErrorKind::Invalid) when the reference fits several, with the candidates, and when it
    /// is for another provider to resolve.
    async fn resolve(&self, reference: &Reference) -> Result<Resolved>;
}

/// What a reference resolved to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The resource.
    pub resource: Resource,
    /// How long the answer may be used without asking again.
    pub fresh: Freshness,
}

/// How long an answer may be used without asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// For this long from now.
    For(Duration),
    /// Until the configuration changes: the answer comes from it.
    UntilReload,
}

const _: fn(&dyn Resolver) = |_| {};
