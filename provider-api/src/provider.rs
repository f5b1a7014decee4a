use std::fmt;

use crate::{ConfigSource, Enrollment, MeshAuth, ProviderName, Publisher, Resolver, Retention};

/// A place that a gateway's configuration and resources come from.
///
/// # The contract
///
/// * **Thin.** A provider is transport, wire types and the translation of answers into [`Error`](crate::Error)s.
///   The host owns the journal, order, retries, backoff, caches and single flight. A provider never
///   retries: there is exactly one retry owner.
/// * **Abilities are facts.** What is `None` is absent for the life of the provider. Configurations are
///   checked against it when they load.
/// * **Cancel safe.** Dropping any future of the contract cancels the call. No task is left behind.
/// * **Bounded.** All I/O has a deadline, all answers a size limit.
/// * **No panics** on anything that a control plane sends. A provider that panics all the same degrades
///   itself only; the host catches it.
/// * **Secrets** appear in no `Debug`, no `Display` and no error, and go to the configured origin only.
/// * **Three answers.** Unchanged, an empty list and Unavailable are different things.
/// * **Building does no I/O** (see [`ProviderFactory`](crate::ProviderFactory)): a gateway starts while its
///   control plane is down.
///
/// No method has a default body, so that nobody forgets one and no wrapper swallows one.
pub trait Provider: fmt::Debug + Send + Sync + 'static {
    /// The name the configuration gave it.
    fn name(&self) -> &ProviderName;

    /// Where changes come from.
    fn source(&self) -> Option<&dyn ConfigSource>;

    /// Finding what references name.
    fn resolver(&self) -> Option<&dyn Resolver>;

    /// Tokens between members of a mesh.
    fn mesh_auth(&self) -> Option<&dyn MeshAuth>;

    /// Becoming authorized.
    fn enrollment(&self) -> Option<&dyn Enrollment>;

    /// Pushing local configuration up.
    fn publisher(&self) -> Option<&dyn Publisher>;

    /// What it wants to find again after a restart.
    fn retention(&self) -> Option<&dyn Retention>;
}

const _: fn(&dyn Provider) = |_| {};
