//! Issuing of mesh tokens.

use jsonwebtoken::{Header, encode};
use provider_api::{Error, MeshToken, Result, Secret, TokenRequest};
use serde::Serialize;

use crate::claims::system_time;
use crate::mesh_keys::MeshKey;

/// The lifetime of an issued token. Short, because a mesh token cannot be revoked.
const LIFETIME_SECS: u64 = 300;

#[derive(Serialize)]
struct IssuedClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    /// Absent unless the mesh requires it: other implementations refuse a token that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    iat: u64,
    exp: u64,
    mesh_id: &'a str,
}

/// Signs a token for `request`.
///
/// # Errors
/// Invalid when the mesh has no signing key or the sender is empty.
pub(crate) fn issue(key: &MeshKey, now: u64, request: &TokenRequest) -> Result<MeshToken> {
    let mesh = &key.identity;
    let Some(signing) = &key.signing else {
        return Err(Error::invalid(format!(
            "mesh `{}` has no jwt_private_key_path, so this gateway can verify its tokens but not issue them",
            mesh.name
        )));
    };
    if request.sender.is_empty() {
        // Every member of the mesh denies a token with a blank `sub`, so the error belongs here.
        return Err(Error::invalid("a mesh token needs the id of the sending gateway, which is blank"));
    }
    let exp = now.saturating_add(LIFETIME_SECS);
    let expires_at =
        system_time(exp).ok_or_else(|| Error::unavailable("the clock of this machine is out of range"))?;
    let claims = IssuedClaims {
        iss: &mesh.name,
        sub: &request.sender,
        aud: key.token_audience.then_some(request.destination.as_str()),
        iat: now,
        exp,
        mesh_id: mesh.mesh_id(),
    };
    let token = encode(&Header::new(key.algorithm), &claims, signing).map_err(|error| {
        Error::unavailable(format!("cannot sign a token of mesh `{}`", mesh.name)).with_source(error)
    })?;
    Ok(MeshToken { token: Secret::new(token), expires_at })
}
