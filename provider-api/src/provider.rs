//! The provider trait, and the contract that every provider keeps.

use std::fmt;

use crate::{ConfigSource, Enrollment, MeshAuth, ProviderName, Publisher, Resolver, Retention};

/// A source of a gateway's configuration and resources, such as a control plane or a directory of files.
///
/// A provider has up to six abilities. Each one is a trait of its own, and each method below returns the
/// ability, or `None` for a provider that does not have it. The [crate documentation](crate) shows a complete
/// provider.
///
/// # The contract
///
/// The rules hold for every method of every ability.
///
/// * **Thin.** A provider contains the transport, the wire types and the mapping of responses to
///   [`Error`](crate::Error)s. The host owns the journal, the order of changes, retries, backoff, caches and
///   single flight. A provider never retries: retries on two layers multiply the load on a control plane that
///   is already in trouble.
/// * **Stable abilities.** Name and abilities never change during the life of a provider. The host checks a
///   configuration against them when it loads it.
/// * **Cancel safe.** Dropping a future cancels the call. No task continues after it, and the next call
///   works.
/// * **Concurrent.** All methods may be called at the same time, from many tasks.
/// * **Bounded.** All I/O has a deadline. All responses have a size limit.
/// * **No panics**, whatever the control plane sends. The host catches a panic all the same, so that it fails
///   one call and not the gateway.
/// * **No leaked secrets.** Secrets appear in no `Debug`, no `Display` and no error. A provider sends them to
///   the configured origin only, and follows no redirect to another one.
/// * **Three distinct results.** "Unchanged", "an empty list" and "unavailable" are never mapped to each
///   other.
/// * **No I/O while building**, see [`ProviderFactory`](crate::ProviderFactory): a gateway starts while its
///   control plane is down.
///
/// The conformance kit in `provider_api::testkit` (feature `testkit`) checks these rules.
///
/// No method has a default body: an implementer cannot forget one, and a wrapper cannot hide one.
pub trait Provider: fmt::Debug + Send + Sync + 'static {
    /// Returns the name from the configuration.
    fn name(&self) -> &ProviderName;

    /// Returns the source of configuration changes.
    fn source(&self) -> Option<&dyn ConfigSource>;

    /// Returns the resolver of references to resources.
    fn resolver(&self) -> Option<&dyn Resolver>;

    /// Returns the issuer and verifier of mesh tokens.
    fn mesh_auth(&self) -> Option<&dyn MeshAuth>;

    /// Returns the ability to authorize this gateway at the control plane.
    fn enrollment(&self) -> Option<&dyn Enrollment>;

    /// Returns the ability to push local configuration to the control plane.
    fn publisher(&self) -> Option<&dyn Publisher>;

    /// Returns the ability to save state for the next start.
    fn retention(&self) -> Option<&dyn Retention>;
}

const _: fn(&dyn Provider) = |_| {};
