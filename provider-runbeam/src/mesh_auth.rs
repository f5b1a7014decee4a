//! Mesh tokens: requested from the control plane, verified with its published keys.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use provider_api::{
    Claims, Error, Expected, MeshAuth, MeshIdentity, MeshToken, Result, TokenRequest, async_trait,
};

use crate::api::missing_field;
use crate::claims::{IssuedTimes, Seconds};
use crate::purpose::Purpose;
use crate::runbeam::Runbeam;
use crate::verify::{LEEWAY, MAX_TOKEN_BYTES, verify};
use crate::wire::{MeshTokenAnswer, MeshTokenRequest};

#[async_trait]
impl MeshAuth for Runbeam {
    async fn issue(&self, request: &TokenRequest) -> Result<MeshToken> {
        let action = format!("requesting a token of mesh `{}` to {}", request.mesh.name, request.destination);
        self.api.with_deadline(&action, self.request_token(&action, request)).await
    }

    async fn verify(&self, expected: &Expected<'_>, token: &str) -> Result<Claims> {
        // Its name is no id: a token of another mesh with that id would be accepted.
        if expected.mesh.id.is_none() {
            return Err(Error::denied("the mesh has no `id`, so no token can be for it"));
        }
        let set = self.keys.get(self.jwks_url(expected.mesh));
        let now = self.context.clock.now();
        let verification =
            verify(&set, self.api.configured(), expected, token, now, self.context.key_lifetime);
        self.api.with_deadline("fetching the keys of the mesh", verification).await
    }
}

impl Runbeam {
    async fn request_token(&self, action: &str, request: &TokenRequest) -> Result<MeshToken> {
        let Some(mesh_id) = request.mesh.id.as_deref() else {
            return Err(Error::invalid(format!(
                "{action}: the mesh has no `id`, which the control plane needs"
            )));
        };
        let credential = self.credential().await?;
        let call = self.call(action, Purpose::MeshToken, &credential);
        let body = MeshTokenRequest { mesh_id, destination_url: &request.destination };
        let asked = self.context.clock.now();
        let answer: MeshTokenAnswer = self.api.post(&call, "harmony/mesh/token", &body).await?;
        if answer.mesh_id.as_deref().is_some_and(|given| given != mesh_id) {
            return Err(Error::unavailable(format!(
                "{action}: the control plane at {} sent a token of another mesh",
                self.api.address()
            )));
        }
        let expires_at = SystemTime::try_from(answer.expires_at)
            .map_err(|_| missing_field(action, self.api.address(), "expires_at"))?;
        let expires_at = local_end(answer.token.expose(), expires_at, asked);
        match expires_at.filter(|end| is_jwt(answer.token.expose()) && *end > self.context.clock.now()) {
            Some(expires_at) => Ok(MeshToken { token: answer.token, expires_at }),
            None => Err(missing_field(action, self.api.address(), "token")),
        }
    }

    /// Returns the `jwks_url` of a mesh, if the configuration has one.
    fn jwks_url(&self, mesh: &MeshIdentity) -> Option<&str> {
        let meshes = &self.context.inventory.meshes;
        meshes.iter().find(|known| known.identity == *mesh)?.jwks_url.as_deref()
    }
}

/// Returns the end of a token by the clock of this machine. `expires_at` is its end by the control plane, and `asked` the
/// time of the request.
///
/// A token is issued when it is requested, so its lifetime by the control plane is `exp` minus `iat`. If the clocks differ, the
/// end by the control plane is another moment here: a clock that is ahead would make a new token useless at once, and one that
/// is behind would use it for too long. If a quarter of the lifetime or less seems to be left, or over a minute more than all
/// of it, the clocks differ, and the lifetime counts from the request. Otherwise the end is taken as it is: it may also be that
/// the control plane has sent an older token.
fn local_end(token: &str, expires_at: SystemTime, asked: SystemTime) -> Option<SystemTime> {
    let Some((issued_at, exp)) = times(token) else { return Some(expires_at) };
    let end = exp.min(expires_at);
    let lifetime = end.duration_since(issued_at).ok()?;
    let seems_left = end.duration_since(asked).unwrap_or_default();
    match seems_left > lifetime / 4 && seems_left <= lifetime.saturating_add(LEEWAY) {
        true => Some(end),
        false => asked.checked_add(lifetime),
    }
}

/// Returns `iat` and `exp` of a token, unless it has none that can be read. The token is not verified: it came from the control
/// plane.
fn times(token: &str) -> Option<(SystemTime, SystemTime)> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let times: IssuedTimes = serde_json::from_slice(&claims).ok()?;
    let time = |seconds: Seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds.get()?));
    Some((time(times.iat)?, time(times.exp)?))
}

/// Reports whether `token` has the form of a JWT (RFC 7519, section 3) and is therefore safe in a header.
fn is_jwt(token: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let parts = token.split('.').filter(|part| !part.is_empty() && part.bytes().all(allowed)).count();
    token.len() <= MAX_TOKEN_BYTES && parts == 3 && token.matches('.').count() == 2
}
