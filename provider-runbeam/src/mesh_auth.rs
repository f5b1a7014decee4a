//! Mesh tokens: requested from the control plane, verified with its published keys.

use std::time::SystemTime;

use provider_api::{
    Claims, Error, Expected, MeshAuth, MeshIdentity, MeshToken, Result, TokenRequest, async_trait,
};

use crate::api::missing_field;
use crate::purpose::Purpose;
use crate::runbeam::Runbeam;
use crate::verify::{MAX_TOKEN_BYTES, verify};
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
        let answer: MeshTokenAnswer = self.api.post(&call, "harmony/mesh/token", &body).await?;
        if answer.mesh_id.as_deref().is_some_and(|given| given != mesh_id) {
            return Err(Error::unavailable(format!(
                "{action}: the control plane at {} sent a token of another mesh",
                self.api.address()
            )));
        }
        let expires_at = SystemTime::try_from(answer.expires_at)
            .map_err(|_| missing_field(action, self.api.address(), "expires_at"))?;
        if !is_jwt(answer.token.expose()) || expires_at <= self.context.clock.now() {
            return Err(missing_field(action, self.api.address(), "token"));
        }
        Ok(MeshToken { token: answer.token, expires_at })
    }

    /// Returns the `jwks_url` of a mesh, if the configuration has one.
    fn jwks_url(&self, mesh: &MeshIdentity) -> Option<&str> {
        let meshes = &self.context.inventory.meshes;
        meshes.iter().find(|known| known.identity == *mesh)?.jwks_url.as_deref()
    }
}

/// Reports whether `token` has the form of a JWT (RFC 7519, section 3) and is therefore safe in a header.
fn is_jwt(token: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let parts = token.split('.').filter(|part| !part.is_empty() && part.bytes().all(allowed)).count();
    token.len() <= MAX_TOKEN_BYTES && parts == 3 && token.matches('.').count() == 2
}
