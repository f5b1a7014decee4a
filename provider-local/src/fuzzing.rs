//! The entry points of the fuzz targets, and the test that replays their corpus. Not part of the public API.

use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use provider_api::{Expected, MeshDefinition, MeshIdentity, MeshKeys, ProviderName, Secret};

use crate::mesh_keys::Keyring;
use crate::verify::verify;

const NOW: u64 = 1_750_000_000;
const SECRET: &str = "a secret that every member knows";

static MESH: LazyLock<MeshIdentity> =
    LazyLock::new(|| MeshIdentity { name: "imaging".to_owned(), id: Some("01H".to_owned()) });
static KEYRING: LazyLock<Option<Keyring>> = LazyLock::new(|| keyring(MeshKeys::Shared(Secret::new(SECRET))));

fn keyring(keys: MeshKeys) -> Option<Keyring> {
    let provider = ProviderName::local();
    Keyring::new(&[MeshDefinition {
        identity: MESH.clone(),
        provider,
        keys: Some(keys),
        token_audience: false,
        jwks_url: None,
    }])
    .ok()
}

/// Verifies `bytes` as a mesh token, and its first two lines as the header and claims of a token with a valid
/// signature. An accepted token must match the expectation and must not have expired.
pub fn token(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    check_token(&text);
    if let Some((header, claims)) = text.split_once('\n') {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        if let Ok(signature) = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256) {
            check_token(&format!("{message}.{signature}"));
        }
    }
}

fn check_token(token: &str) {
    let Some(key) = KEYRING.as_ref().and_then(|keyring| keyring.get(&MESH)) else { return };
    let expected = Expected { mesh: &MESH, url: "https://node-b.example/r4/Patient" };
    if let Ok(claims) = verify(key, NOW, &expected, token) {
        assert_eq!((claims.issuer.as_str(), claims.mesh_id.as_str()), ("imaging", "01H"));
        let earliest = UNIX_EPOCH + Duration::from_secs(NOW - 60);
        assert!(!claims.subject.trim().is_empty() && claims.expires_at > earliest);
    }
}

/// Parses `bytes` as a private and as a public key file of a mesh.
pub fn key(bytes: &[u8]) {
    let Ok(pem) = std::str::from_utf8(bytes) else { return };
    let _ = keyring(MeshKeys::Rsa { private_pem: Some(Secret::new(pem)), public_pem: None });
    let _ = keyring(MeshKeys::Rsa { private_pem: None, public_pem: Some(pem.into()) });
}

#[cfg(test)]
mod tests {
    fn replay(target: &str, entry: fn(&[u8])) {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/").to_owned() + target;
        let inputs: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(!inputs.is_empty());
        inputs.iter().for_each(|input| entry(&std::fs::read(input).unwrap()));
    }

    #[test]
    fn corpus_is_replayed() {
        replay("local_token", super::token);
        replay("local_key", super::key);
    }
}
