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

/// What is tried: a kind of provider, and how a world for it is made. This and [`World`] are all that an author
/// writes.
#[async_trait]
pub trait Subject: Send + Sync + 'static {
    /// A world that nothing has happened in: its own control plane, its own directory, its own factory. The
    /// gateway is authorized in it, where that is needed.
    async fn world(&self) -> Arc<dyn World>;
}

/// One provider's surroundings: its factory and what it talks to. Each check gets a fresh one.
///
/// Where a method cannot do what it is asked, it says so with [`Cannot`], and the checks that need it are
/// listed as skipped with that reason.
#[async_trait]
pub trait World: Send + Sync + 'static {
    /// The names the provider may be given. More than one, unless its type fixes it.
    fn names(&self) -> Vec<ProviderName>;

    /// Builds a provider for this world as it is now, with the one factory of this world. Called again, it
    /// builds the next one, as a host does for every new configuration.
    ///
    /// # Errors
    /// What the factory said.
    fn build(&self, name: &ProviderName) -> Result<Arc<dyn Provider>>;

    /// Builds with settings that make no sense: what is wrong with each, and what the factory said.
    fn bad_settings(&self) -> Vec<(String, Result<Arc<dyn Provider>>)>;

    /// The clock that providers of this world are built with.
    fn clock(&self) -> &TurnedClock;

    /// Lets time pass for the provider, on every clock it has, and for its control plane as far as that
    /// matters. Nobody really waits: see [`time_passes`](super::time_passes).
    async fn pass(&self, time: Duration);

    /// The longest that any call may take here, with the deadlines the provider has here. Keep both short: the
    /// checks of silence wait for it.
    fn patience(&self) -> Duration;

    /// The secrets of this world: credentials, keys, passwords.
    fn canaries(&self) -> Vec<Canary>;

    /// From now on exchanges of this kind meet with this trouble.
    ///
    /// # Errors
    /// When that cannot happen to this provider, or not be arranged.
    async fn trouble(&self, exchange: Exchange, trouble: &Trouble) -> Result<(), Cannot>;

    /// From now on nothing is wrong any more.
    async fn calm(&self);

    /// How often the provider has asked anybody anything since the world began.
    ///
    /// # Errors
    /// When that cannot be known.
    fn asked(&self) -> Result<usize, Cannot>;

    /// The changes of this world.
    ///
    /// # Errors
    /// When the provider is no source of changes.
    fn changes(&self) -> Result<&dyn ChangeWorld, Cannot>;

    /// What references name in this world.
    ///
    /// # Errors
    /// When the provider resolves no references.
    fn resources(&self) -> Result<&dyn ResourceWorld, Cannot>;

    /// The meshes of this world.
    ///
    /// # Errors
    /// When the provider has nothing to do with meshes.
    fn meshes(&self) -> Result<&dyn MeshWorld, Cannot>;

    /// Who may authorize the gateway in this world.
    ///
    /// # Errors
    /// When nobody needs to.
    fn credentials(&self) -> Result<&dyn CredentialWorld, Cannot>;

    /// Where local configuration can be pushed to.
    ///
    /// # Errors
    /// When there is no such place.
    fn documents(&self) -> Result<&dyn DocumentWorld, Cannot>;

    /// What is kept over a restart in this world.
    ///
    /// # Errors
    /// When the provider wants nothing to be kept.
    fn retention(&self) -> Result<&dyn RetentionWorld, Cannot>;
}

const _: fn(&dyn Subject, &dyn World) = |_, _| {};
