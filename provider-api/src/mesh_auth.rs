use std::time::SystemTime;

use async_trait::async_trait;

use crate::{Result, Secret};

/// Issues and verifies the tokens with which members of a mesh prove themselves to each other.
///
/// The host caches issued tokens by [`TokenRequest`] until shortly before they expire. It never falls
/// back to sending or accepting a request without a token: authorization fails closed.
/// Cancel safe, bounded by a deadline, and free of panics, like every method of the contract.
#[async_trait]
pub trait MeshAuth: Send + Sync {
    /// A token that lets `request.sender` reach `request.destination` within `request.mesh`.
    ///
    /// # Errors
    /// [`Denied`](crate::ErrorKind::Denied) when this gateway may not reach that destination,
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such mesh,
    /// [`Invalid`](crate::ErrorKind::Invalid) when the mesh holds no key to sign with,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when no token can be had now.
    async fn issue(&self, request: &TokenRequest) -> Result<MeshToken>;

    /// Checks a token that came with a request.
    ///
    /// The signature, with the algorithm that belongs to the key and never the one the token names;
    /// the issuer, the mesh, the audience where there is one, the destination where there is one, and
    /// the times. A token that is good for a URL is good for every URL below it, by whole segments, and the
    /// host may remember that for as long as the claims last.
    ///
    /// # Errors
    /// [`Denied`](crate::ErrorKind::Denied) for every token that is not good here, whatever is wrong with
    /// it; [`Unavailable`](crate::ErrorKind::Unavailable) when the keys to judge it cannot be had.
    async fn verify(&self, expected: &Expected<'_>, token: &str) -> Result<Claims>;
}

/// A mesh as tokens name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MeshIdentity {
    /// Its name in the configuration; the issuer of locally made tokens.
    pub name: String,
    /// Its identifier at the provider.
    pub id: Option<String>,
}

impl MeshIdentity {
    /// What the `mesh_id` claim says: the id, or else the name.
    pub fn mesh_id(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.name)
    }
}

/// What a token is to be good for. Equal requests may be answered with the same token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenRequest {
    /// The mesh.
    pub mesh: MeshIdentity,
    /// The ingress URL the request is sent to.
    pub destination: String,
    /// The gateway that sends.
    pub sender: String,
}

/// What the gateway that received a request expects of its token.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The mesh.
    pub mesh: &'a MeshIdentity,
    /// The URL really asked for, without query.
    pub url: &'a str,
}

/// A token and its end.
#[derive(Clone, Debug)]
pub struct MeshToken {
    /// The JWT.
    pub token: Secret,
    /// When it stops being valid.
    pub expires_at: SystemTime,
}

/// What a verified token says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claims {
    /// `iss`
    pub issuer: String,
    /// `sub`: the gateway that sent the request.
    pub subject: String,
    /// `mesh_id`
    pub mesh_id: String,
    /// `exp`: the claims must not be used after it.
    pub expires_at: SystemTime,
}

impl Claims {
    /// Claims that were verified.
    pub fn new(issuer: String, subject: String, mesh_id: String, expires_at: SystemTime) -> Self {
        Self { issuer, subject, mesh_id, expires_at }
    }
}

const _: fn(&dyn MeshAuth) = |_| {};
