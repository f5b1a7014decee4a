//! Tokens between the members of a mesh.

use std::time::SystemTime;

use async_trait::async_trait;

use crate::{Result, Secret};

/// Issues and verifies the tokens with which the members of a mesh authenticate to each other.
///
/// The host caches an issued token by its [`TokenRequest`] until shortly before it expires, and may cache the
/// [`Claims`] of a verified token until they expire. Authorization fails closed: without a valid token the
/// host neither sends nor accepts a mesh request.
///
/// Both methods are cancel safe, have a deadline and do not panic, as the
/// [contract](crate::Provider#the-contract) demands. An error never quotes a token.
#[async_trait]
pub trait MeshAuth: Send + Sync {
    /// Issues a token for requests from `request.sender` to `request.destination` within `request.mesh`.
    ///
    /// # Errors
    /// * [`Denied`](crate::ErrorKind::Denied): this gateway may not send to that destination.
    /// * [`NotFound`](crate::ErrorKind::NotFound): no such mesh exists.
    /// * [`Invalid`](crate::ErrorKind::Invalid): the mesh has no signing key.
    /// * [`Unavailable`](crate::ErrorKind::Unavailable): the provider cannot issue a token now.
    async fn issue(&self, request: &TokenRequest) -> Result<MeshToken>;

    /// Verifies a token that came with a request.
    ///
    /// An implementation checks, in any order:
    ///
    /// * the signature, with the algorithm of the key. Never with the algorithm that the token names: an
    ///   attacker chooses that (RFC 8725, section 3.1);
    /// * `iss`, `mesh_id`, and `aud` and the destination where the token has them;
    /// * `exp`, which is required, and `nbf` and `iat` where the token has them;
    /// * `sub`, which is not blank.
    ///
    /// A destination covers its own URL and every URL below it, by whole path segments: `/r4` covers
    /// `/r4/Patient` but not `/r4-admin`, and not `/r4/../admin`. [`covers`](crate::covers) compares so.
    ///
    /// # Errors
    /// * [`Denied`](crate::ErrorKind::Denied): the token is not valid here, for whatever reason. The error has its
    ///   [fault](crate::Error::with_token_fault), if that is one of [`TokenFault`](crate::TokenFault).
    /// * [`Unavailable`](crate::ErrorKind::Unavailable): the verification keys cannot be fetched.
    async fn verify(&self, expected: &Expected<'_>, token: &str) -> Result<Claims>;
}

/// The name and the id of a mesh. Both identify it: the same name with another id is another mesh.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MeshIdentity {
    /// The name in the configuration. Also the issuer (`iss`) of tokens that are signed with local keys.
    pub name: String,
    /// The id at the provider, if it has one.
    pub id: Option<String>,
}

impl MeshIdentity {
    /// Returns the value of the `mesh_id` claim: the id, or the name of a mesh without one.
    pub fn mesh_id(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.name)
    }
}

/// The parameters of a token. Equal requests may get the same token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenRequest {
    /// The mesh.
    pub mesh: MeshIdentity,
    /// The ingress URL to which the gateway sends its requests.
    pub destination: String,
    /// The id of the sending gateway.
    pub sender: String,
}

/// The values that a received token must match.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The mesh.
    pub mesh: &'a MeshIdentity,
    /// The URL that the token must be for, without a query: an ingress URL of this gateway, then what the request adds to
    /// its path, in the [normal form](crate::UrlPath). Never the host that the client sent. Empty if this gateway has no
    /// ingress URL there: then no URL in a token is accepted.
    pub url: &'a str,
}

/// An issued token and its expiry.
#[derive(Clone, Debug)]
pub struct MeshToken {
    /// The JWT.
    pub token: Secret,
    /// The moment at which the token expires: its `exp` claim, by the clock of this machine. If the clock of the issuer is
    /// another one, that is the time of the request plus the lifetime, `exp` minus `iat`.
    pub expires_at: SystemTime,
}

/// The claims of a verified token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claims {
    /// `iss`: the issuer.
    pub issuer: String,
    /// `sub`: the gateway that sent the request.
    pub subject: String,
    /// `mesh_id`: the mesh.
    pub mesh_id: String,
    /// `exp`: the moment after which the claims must not be used.
    pub expires_at: SystemTime,
}

impl Claims {
    /// Creates the claims of a token that was verified.
    pub fn new(issuer: String, subject: String, mesh_id: String, expires_at: SystemTime) -> Self {
        Self { issuer, subject, mesh_id, expires_at }
    }
}

const _: fn(&dyn MeshAuth) = |_| {};
