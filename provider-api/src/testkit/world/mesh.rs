//! The meshes of a world.

use async_trait::async_trait;
use serde_json::Value;

use crate::testkit::Cannot;
use crate::{MeshIdentity, Result};

/// The meshes of a world, and the keys of their tokens.
///
/// The checks decode tokens as JWTs, alter them, and expect that the provider denies the altered ones.
#[async_trait]
pub trait MeshWorld: Send + Sync {
    /// Returns a mesh in which this gateway may send to [`destination`](Self::destination) and verify tokens.
    ///
    /// Always the same one. Affects providers that are built afterwards.
    async fn mesh(&self) -> MeshIdentity;

    /// Returns another mesh of this gateway, with the same rights.
    ///
    /// # Errors
    /// The reason, when a gateway can have one mesh only.
    async fn other_mesh(&self) -> Result<MeshIdentity, Cannot>;

    /// Returns a mesh in which the gateway has no signing key.
    ///
    /// # Errors
    /// The reason, when the control plane signs the tokens.
    async fn keyless_mesh(&self) -> Result<MeshIdentity, Cannot>;

    /// Returns a mesh that does not exist.
    fn unknown_mesh(&self) -> MeshIdentity;

    /// Returns the `https` URL of a member of the mesh. Its path is `/r4`.
    fn destination(&self) -> String;

    /// Returns a URL to which this gateway may not send.
    ///
    /// # Errors
    /// The reason, when it may send to all URLs.
    fn forbidden_destination(&self) -> Result<String, Cannot>;

    /// Returns the id of this gateway in tokens.
    fn sender(&self) -> String;

    /// Signs a token with these claims, with the current key of the mesh and its key id.
    ///
    /// # Errors
    /// The reason, when this world does not have the key.
    async fn sign(&self, claims: &Value) -> Result<String, Cannot>;

    /// Returns the public key of the mesh, in the encoding in which it is published.
    ///
    /// # Errors
    /// The reason, when the key is a shared secret.
    async fn public_key(&self) -> Result<Vec<u8>, Cannot>;

    /// Replaces the signing key by a new one that the provider has not fetched yet.
    ///
    /// # Errors
    /// The reason, when the keys are part of the configuration.
    async fn rotate(&self) -> Result<(), Cannot>;
}

const _: fn(&dyn MeshWorld) = |_| {};
