use jsonwebtoken::{Header, encode};
use provider_api::{Error, MeshToken, Result, Secret, TokenRequest};
use serde::Serialize;

use crate::claims::time;
use crate::mesh_keys::MeshKey;

/// How long a token is good for. Short, because nothing takes a mesh token back.
const LIFETIME_SECS: u64 = 300;

#[derive(Serialize)]
struct Issued<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
    mesh_id: &'a str,
}

/// Makes the token that `request` asks for.
pub(crate) fn issue(key: &MeshKey, now: u64, request: &TokenRequest) -> Result<MeshToken> {
    let mesh = &key.identity;
    let Some(signing) = &key.signing else {
        return Err(Error::invalid(format!(
            "mesh `{}` has no jwt_private_key_path, so this gateway can verify its tokens but not issue them",
            mesh.name
        )));
    };
    if request.sender.is_empty() {
        // Every member of the mesh would refuse the token for its blank `sub`; better to hear it here.
        return Err(Error::invalid("a mesh token needs the id of the gateway that sends it; it is blank"));
    }
    let exp = now.saturating_add(LIFETIME_SECS);
    let expires_at =
        time(exp).ok_or_else(|| Error::unavailable("the clock of this machine is beyond all dates"))?;
    let claims = Issued {
        iss: &mesh.name,
        sub: &request.sender,
        aud: &request.destination,
        iat: now,
        exp,
        mesh_id: mesh.mesh_id(),
    };
    let token = encode(&Header::new(key.algorithm), &claims, signing).map_err(|error| {
        Error::unavailable(format!("signing a token of mesh `{}`", mesh.name)).with_source(error)
    })?;
    Ok(MeshToken { token: Secret::new(token), expires_at })
}
