//! Keys that sign and verify the tokens of a world.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use aws_lc_rs::{error::Unspecified, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A key that signs and verifies tokens: HS256 with a shared secret, or RS256 with a key pair.
///
/// `Debug` shows the id and the algorithm only.
#[derive(Clone)]
pub struct SigningKey {
    id: Option<String>,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Shared(Arc<[u8]>),
    Rsa(Arc<KeyPair>),
}

impl SigningKey {
    /// Creates an HS256 key without a key id.
    pub fn shared(secret: impl AsRef<[u8]>) -> Self {
        Self { id: None, kind: Kind::Shared(secret.as_ref().into()) }
    }

    /// Generates an RS256 key pair of 2048 bits with the given key id. Slow: share one between tests.
    ///
    /// # Errors
    /// Fails when the operating system has no randomness.
    pub fn rsa(id: impl Into<String>) -> Result<Self, Unspecified> {
        let pair = KeyPair::generate(KeySize::Rsa2048)?;
        Ok(Self { id: Some(id.into()), kind: Kind::Rsa(Arc::new(pair)) })
    }

    /// Replaces the key id.
    #[must_use]
    pub fn under(self, id: Option<&str>) -> Self {
        Self { id: id.map(str::to_owned), ..self }
    }

    /// Returns the key id.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the name of the algorithm in JWTs (RFC 7518, section 3.1).
    pub fn algorithm(&self) -> &'static str {
        match self.kind {
            Kind::Shared(_) => "HS256",
            Kind::Rsa(_) => "RS256",
        }
    }

    /// Signs `message`. Returns an empty signature on failure.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.kind {
            Kind::Shared(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
            Kind::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed = pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
                signed.map(|()| signature).unwrap_or_default()
            }
        }
    }

    /// Returns true when `signature` is a signature of `message` by this key.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.kind {
            Kind::Shared(secret) => {
                hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), message, signature).is_ok()
            }
            Kind::Rsa(pair) => {
                let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
                key.verify(message, signature).is_ok()
            }
        }
    }

    /// Returns the private key as PEM (PKCS#8), or `None` for a shared secret.
    pub fn private_pem(&self) -> Option<String> {
        let Kind::Rsa(pair) = &self.kind else { return None };
        let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
        Some(pem("PRIVATE KEY", der.as_ref()))
    }

    /// Returns the public key as PEM (SPKI), or `None` for a shared secret.
    pub fn public_pem(&self) -> Option<String> {
        let Kind::Rsa(pair) = &self.kind else { return None };
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
        Some(pem("PUBLIC KEY", der.as_ref()))
    }

    /// Returns the public key as an entry of a key set (JWK, RFC 7517), or `None` for a shared secret.
    pub fn jwk(&self) -> Option<Value> {
        let Kind::Rsa(pair) = &self.kind else { return None };
        let (n, e) = modulus_and_exponent(pair.public_key().as_ref())?;
        let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
        Some(json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id, "n": n, "e": e }))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).field("algorithm", &self.algorithm()).finish()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for (at, character) in encoded.char_indices() {
        text.push(character);
        if at % 64 == 63 {
            text.push('\n');
        }
    }
    format!("{}\n-----END {label}-----\n", text.trim_end())
}

/// Returns the two numbers of an RSAPublicKey (RFC 8017, appendix A.1.1): a DER sequence of two integers.
fn modulus_and_exponent(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = element(0x30, der)?;
    let (n, rest) = element(0x02, sequence)?;
    let (e, _) = element(0x02, rest)?;
    Some((n.strip_prefix(&[0]).unwrap_or(n), e.strip_prefix(&[0]).unwrap_or(e)))
}

/// Returns the content of the first DER element, which must have this tag, and the bytes after the element.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..0x80 => (usize::from(length), rest),
        _ => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
    };
    (first == tag).then(|| rest.split_at_checked(length)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_pair_hides_its_private_key() {
        let key = SigningKey::rsa("one").unwrap();
        let signature = key.sign(b"message");
        assert!(key.verifies(b"message", &signature) && !key.verifies(b"massage", &signature));
        let jwk = key.jwk().unwrap();
        assert_eq!((jwk["kid"].as_str(), jwk["e"].as_str()), (Some("one"), Some("AQAB")));
        assert_eq!(URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap().len(), 256);
        assert!(key.public_pem().unwrap().starts_with("-----BEGIN PUBLIC KEY-----\nMII"));
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }
}
