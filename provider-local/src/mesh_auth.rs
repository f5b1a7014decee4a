use std::sync::Arc;

use provider_api::{Claims, Clock, Error, Expected, MeshAuth, MeshToken, Result, TokenRequest, async_trait};

use crate::issue::issue;
use crate::mesh_keys::Keyring;
use crate::quote::quote;
use crate::verify::{MAX_TOKEN_BYTES, verify};

/// Mesh tokens made and checked here, with the keys of the configuration.
#[derive(Debug)]
pub(crate) struct LocalMeshAuth {
    keyring: Keyring,
    clock: Arc<dyn Clock>,
}

impl LocalMeshAuth {
    pub(crate) fn new(keyring: Keyring, clock: Arc<dyn Clock>) -> Self {
        Self { keyring, clock }
    }
}

#[async_trait]
impl MeshAuth for LocalMeshAuth {
    async fn issue(&self, request: &TokenRequest) -> Result<MeshToken> {
        let key = self.keyring.get(&request.mesh).ok_or_else(|| {
            Error::not_found(format!(
                "no mesh {} with local keys is configured here",
                quote(&request.mesh.name)
            ))
        })?;
        issue(key, self.clock.unix_now(), request)
    }

    async fn verify(&self, expected: &Expected<'_>, token: &str) -> Result<Claims> {
        // Whoever sends a token is nobody yet, so nothing is computed from a token that no mesh would issue.
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::denied(format!(
                "the token has {} bytes; a mesh token has at most {MAX_TOKEN_BYTES}",
                token.len()
            )));
        }
        // To the sender an unknown mesh is one more way in which the token is not good here.
        let key = self.keyring.get(expected.mesh).ok_or_else(|| {
            Error::denied(format!(
                "no mesh {} with local keys is configured here",
                quote(&expected.mesh.name)
            ))
        })?;
        verify(key, self.clock.unix_now(), expected, token)
    }
}
