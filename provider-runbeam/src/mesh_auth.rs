use std::time::SystemTime;

use provider_api::{
    Claims, Error, Expected, MeshAuth, MeshIdentity, MeshToken, Result, TokenRequest, async_trait,
};

use crate::runbeam::{Runbeam, blank};
use crate::status::Asking;
use crate::verify::{MAX_TOKEN_BYTES, verify};
use crate::wire::{MeshTokenAnswer, MeshTokenRequest};

#[async_trait]
impl MeshAuth for Runbeam {
    async fn issue(&self, request: &TokenRequest) -> Result<MeshToken> {
        let what = format!("asking for a token of mesh `{}` to {}", request.mesh.name, request.destination);
        self.api.bounded(&what, self.token(&what, request)).await
    }

    async fn verify(&self, expected: &Expected<'_>, token: &str) -> Result<Claims> {
        let set = self.keys.of(self.jwks_url(expected.mesh));
        let now = self.context.clock.now();
        let checking = verify(&set, self.api.configured(), expected, token, now, self.context.key_lifetime);
        self.api.bounded("fetching the keys of the mesh", checking).await
    }
}

impl Runbeam {
    async fn token(&self, what: &str, request: &TokenRequest) -> Result<MeshToken> {
        let Some(mesh_id) = request.mesh.id.as_deref() else {
            return Err(Error::invalid(format!(
                "{what}: the mesh has no `id`; the control plane knows meshes by it"
            )));
        };
        let credential = self.credential().await?;
        let call = self.call(what, Asking::ForMeshToken, &credential);
        let asked = MeshTokenRequest { mesh_id, destination_url: &request.destination };
        let answer: MeshTokenAnswer = self.api.post(&call, "harmony/mesh/token", &asked).await?;
        if answer.mesh_id.as_deref().is_some_and(|given| given != mesh_id) {
            return Err(Error::unavailable(format!(
                "{what}: the control plane sent the token of another mesh"
            )));
        }
        let expires_at = SystemTime::try_from(answer.expires_at).map_err(|_| blank(what, "expires_at"))?;
        if !is_jwt(answer.token.expose()) || expires_at <= self.context.clock.now() {
            return Err(blank(what, "token"));
        }
        Ok(MeshToken { token: answer.token, expires_at })
    }

    /// Where the configuration says that the keys of a mesh are, when it does.
    fn jwks_url(&self, mesh: &MeshIdentity) -> Option<&str> {
        let meshes = &self.context.inventory.meshes;
        meshes.iter().find(|known| known.identity == *mesh)?.jwks_url.as_deref()
    }
}

/// Whether this has the shape of a JWT (RFC 7519, section 3), so that it may go into a header.
fn is_jwt(token: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let parts = token.split('.').filter(|part| !part.is_empty() && part.bytes().all(allowed)).count();
    token.len() <= MAX_TOKEN_BYTES && parts == 3 && token.matches('.').count() == 2
}
