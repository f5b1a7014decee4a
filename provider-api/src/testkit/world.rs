//! The traits that an author implements: the subject and its world.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Canary, Cannot, Exchange, Trouble, TurnedClock};
use crate::{Provider, ProviderName, Result};

mod change;
mod credential;
mod document;
mod mesh;
mod resource;
mod retention;

pub use change::{ChangeWorld, Heard};
pub use credential::CredentialWorld;
pub use document::DocumentWorld;
pub use mesh::MeshWorld;
pub use resource::{Placed, Placing, ResourceWorld};
pub use retention::RetentionWorld;

/// The provider under test. Creates a world for each check.
#[async_trait]
pub trait Subject: Send + Sync + 'static {
    /// Creates a world in its initial state, with its own control plane, directory and factory.
    ///
    /// The gateway is authorized in it, if the provider requires that.
    async fn world(&self) -> Arc<dyn World>;
}

/// The environment of one provider: its factory and its simulated control plane. Each check gets a new one.
///
/// A method that cannot arrange its situation returns [`Cannot`] with a reason. The checks that need it are
/// then skipped, and the report shows the reason.
#[async_trait]
pub trait World: Send + Sync + 'static {
    /// Returns the names under which the checks build the provider. At least two, unless the type allows only
    /// one.
    fn names(&self) -> Vec<ProviderName>;

    /// Builds a provider for the current state of this world, always with the same factory.
    ///
    /// Each call builds another provider, as a host does for every new configuration.
    ///
    /// # Errors
    /// The error of the factory.
    fn build(&self, name: &ProviderName) -> Result<Arc<dyn Provider>>;

    /// Builds providers with invalid settings. Returns a description of each, and the result of the factory.
    fn bad_settings(&self) -> Vec<(String, Result<Arc<dyn Provider>>)>;

    /// Returns the clock with which this world builds its providers.
    fn clock(&self) -> &TurnedClock;

    /// Lets time pass on all clocks of the provider and of its control plane.
    ///
    /// Must not wait for that long, see [`time_passes`](super::time_passes).
    async fn pass(&self, time: Duration);

    /// Returns the longest time that any call of the provider may take, above all its deadlines.
    ///
    /// Configure short deadlines: the checks of silence wait for them.
    fn patience(&self) -> Duration;

    /// Returns the secrets of this world: credentials, keys, passwords.
    fn canaries(&self) -> Vec<Canary>;

    /// Simulates `trouble` in all exchanges of this kind until [`calm`](Self::calm).
    ///
    /// # Errors
    /// The reason, when this cannot happen to the provider or this world cannot simulate it.
    async fn trouble(&self, exchange: Exchange, trouble: &Trouble) -> Result<(), Cannot>;

    /// Ends all troubles.
    async fn calm(&self);

    /// Returns the number of requests that the providers of this world have sent so far.
    ///
    /// # Errors
    /// The reason, when this world cannot count them.
    fn asked(&self) -> Result<usize, Cannot>;

    /// Returns the changes of this world.
    ///
    /// # Errors
    /// The reason, when the provider is not a source of changes.
    fn changes(&self) -> Result<&dyn ChangeWorld, Cannot>;

    /// Returns the resources of this world.
    ///
    /// # Errors
    /// The reason, when the provider does not resolve references.
    fn resources(&self) -> Result<&dyn ResourceWorld, Cannot>;

    /// Returns the meshes of this world.
    ///
    /// # Errors
    /// The reason, when the provider does not handle mesh tokens.
    fn meshes(&self) -> Result<&dyn MeshWorld, Cannot>;

    /// Returns the users and credentials of this world.
    ///
    /// # Errors
    /// The reason, when the gateway needs no credential.
    fn credentials(&self) -> Result<&dyn CredentialWorld, Cannot>;

    /// Returns the documents to push in this world.
    ///
    /// # Errors
    /// The reason, when the provider does not push local configuration.
    fn documents(&self) -> Result<&dyn DocumentWorld, Cannot>;

    /// Returns the saved state of this world.
    ///
    /// # Errors
    /// The reason, when the provider does not save state.
    fn retention(&self) -> Result<&dyn RetentionWorld, Cannot>;
}

const _: fn(&dyn Subject, &dyn World) = |_, _| {};
