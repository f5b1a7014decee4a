//! Mesh tokens with local keys.

use std::sync::Arc;

use provider_api::{
    Claims, Clock, Error, Expected, MeshAuth, MeshToken, Result, TokenFault, TokenRequest, async_trait,
};

use crate::issue::issue;
use crate::mesh_keys::Keyring;
use crate::quote::quote;
use crate::verify::{MAX_TOKEN_BYTES, verify};

/// Issues and verifies mesh tokens with the keys of the configuration.
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
                "the configuration has no mesh {} with local keys",
                quote(&request.mesh.name)
            ))
        })?;
        issue(key, self.clock.unix_now(), request)
    }

    async fn verify(&self, expected: &Expected<'_>, token: &str) -> Result<Claims> {
        // The sender is not authenticated yet, so a token that no mesh would issue must cost nothing.
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::denied(format!(
                "the token has {} bytes; a mesh token has at most {MAX_TOKEN_BYTES}",
                token.len()
            ))
            .with_token_fault(TokenFault::Malformed));
        }
        // Denied and not NotFound: for the sender, an unknown mesh is one more reason why the token is not accepted.
        let key = self.keyring.get(expected.mesh).ok_or_else(|| {
            Error::denied(format!(
                "the configuration has no mesh {} with local keys",
                quote(&expected.mesh.name)
            ))
        })?;
        verify(key, self.clock.unix_now(), expected, token)
    }
}
