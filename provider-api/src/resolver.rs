//! Resolving references to resources.

use std::time::Duration;

use async_trait::async_trait;

use crate::{Reference, Resource, Result};

/// Resolves references to resources.
///
/// The host caches results for their [`Freshness`], makes at most one call at a time per reference, and never
/// caches an error. An implementation keeps no cache of its own.
///
/// [`resolve`](Self::resolve) is cancel safe, has a deadline and does not panic, as the
/// [contract](crate::Provider#the-contract) demands.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// Returns the resource that `reference` names, and the time for which the result may be cached.
    ///
    /// A disabled resource is returned with `enabled` false, or denied.
    ///
    /// # Errors
    /// * [`NotFound`](crate::ErrorKind::NotFound): no such resource exists.
    /// * [`Denied`](crate::ErrorKind::Denied): this gateway may not use the resource.
    /// * [`Unavailable`](crate::ErrorKind::Unavailable): the provider cannot find out now.
    /// * [`Invalid`](crate::ErrorKind::Invalid): the reference matches several resources (the message lists
    ///   the candidates), or it belongs to another provider.
    async fn resolve(&self, reference: &Reference) -> Result<Resolved>;
}

/// The result of resolving a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The resource.
    pub resource: Resource,
    /// The time for which a host may cache the result.
    pub fresh: Freshness,
}

/// The time for which a host may cache a resolved resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// For this time, counted from the result. More than zero.
    For(Duration),
    /// Until the configuration changes, since the result comes from the configuration.
    UntilReload,
}

const _: fn(&dyn Resolver) = |_| {};
