use async_trait::async_trait;
use serde_json::Value;

use crate::testkit::Cannot;
use crate::{MeshIdentity, Result};

/// Meshes that the gateway is in, or is not.
///
/// The checks take tokens apart as JWTs, and put them together again a little wrong.
#[async_trait]
pub trait MeshWorld: Send + Sync {
    /// A mesh in which this gateway may send to [`destination`](Self::destination) and judge what comes, for
    /// providers that are built afterwards. The same one each time.
    async fn mesh(&self) -> MeshIdentity;

    /// Another mesh that this gateway is in, with the same rights.
    ///
    /// # Errors
    /// When it can be in one only.
    async fn other_mesh(&self) -> Result<MeshIdentity, Cannot>;

    /// A mesh in which the gateway has no key to sign with.
    ///
    /// # Errors
    /// When somebody else signs.
    async fn keyless_mesh(&self) -> Result<MeshIdentity, Cannot>;

    /// A mesh that does not exist.
    fn unknown_mesh(&self) -> MeshIdentity;

    /// An `https` URL with the path `/r4`, at which a member of the mesh is.
    fn destination(&self) -> String;

    /// A URL to which this gateway may not send.
    ///
    /// # Errors
    /// When there is none.
    fn forbidden_destination(&self) -> Result<String, Cannot>;

    /// What this gateway is called in tokens it asks for.
    fn sender(&self) -> String;

    /// A token of these claims, signed with the key that is good for the mesh, under the right key id.
    ///
    /// # Errors
    /// When the world has no such key.
    async fn sign(&self, claims: &Value) -> Result<String, Cannot>;

    /// The public key of the mesh, in the bytes in which everybody can get it.
    ///
    /// # Errors
    /// When there is none, since the key is a shared secret.
    async fn public_key(&self) -> Result<Vec<u8>, Cannot>;

    /// Whoever signs uses a new key from now on, which the provider has not seen.
    ///
    /// # Errors
    /// When keys are part of the configuration.
    async fn rotate(&self) -> Result<(), Cannot>;
}

const _: fn(&dyn MeshWorld) = |_| {};
