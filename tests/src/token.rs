//! Mesh tokens built by hand, valid or forged, and the keys that sign them.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// A mesh secret of sufficient length.
pub const SECRET: &str = "a-mesh-secret-of-more-than-32-bytes-for-tests";

/// A mesh token built by hand: valid until a method changes it.
#[derive(Clone, Debug)]
pub struct Forged {
    /// The claims.
    pub claims: Value,
    /// The algorithm in the header.
    pub algorithm: Algorithm,
    /// The signing key: a secret, or PEM for RS256.
    pub key: Vec<u8>,
}

impl Forged {
    /// A valid token of the mesh `mesh`, signed with [`SECRET`].
    ///
    /// # Panics
    /// Panics if the clock is before 1970.
    pub fn of(mesh: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let claims = json!({ "iss": mesh, "sub": "forger", "mesh_id": mesh, "iat": now, "exp": now + 300 });
        Self { claims, algorithm: Algorithm::HS256, key: SECRET.as_bytes().to_vec() }
    }

    /// Changes a claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    /// Adds `seconds` to `exp` and `iat`.
    #[must_use]
    pub fn shifted(mut self, seconds: i64) -> Self {
        for name in ["iat", "exp"] {
            self.claims[name] = json!(self.claims[name].as_i64().unwrap_or_default() + seconds);
        }
        self
    }

    /// Changes the signing key.
    #[must_use]
    pub fn signed_with(mut self, key: &[u8]) -> Self {
        self.key = key.to_vec();
        self
    }

    /// The JWT.
    ///
    /// # Panics
    /// Panics if the key does not fit the algorithm.
    pub fn jwt(&self) -> String {
        let key = match self.algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(&self.key).expect("a private key"),
            _ => EncodingKey::from_secret(&self.key),
        };
        encode(&Header::new(self.algorithm), &self.claims, &key).expect("a token")
    }

    /// The JWT with `alg: none` and without a signature.
    ///
    /// # Panics
    /// Never.
    pub fn unsigned(&self) -> String {
        let part = |value: &Value| base64url(value.to_string().as_bytes());
        format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), part(&self.claims))
    }
}

/// Generates an RSA key pair and returns it as PEM: (private, public).
///
/// # Panics
/// Panics if the operating system has no randomness.
pub fn rsa_pair() -> (String, String) {
    let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key pair");
    let private: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().expect("PKCS#8");
    let public: aws_lc_rs::encoding::PublicKeyX509Der<'_> =
        aws_lc_rs::signature::KeyPair::public_key(&pair).as_der().expect("SPKI");
    (pem("PRIVATE KEY", private.as_ref()), pem("PUBLIC KEY", public.as_ref()))
}

fn pem(label: &str, der: &[u8]) -> String {
    let encoded = base64(der, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in encoded.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

fn base64url(bytes: &[u8]) -> String {
    base64(bytes, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false)
}

fn base64(bytes: &[u8], alphabet: &[u8; 64], padded: bool) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0u32, |word, (i, b)| word | u32::from(*b) << (16 - 8 * i));
        for i in 0..=chunk.len() {
            out.push(char::from(alphabet[(word >> (18 - 6 * i)) as usize & 63]));
        }
        if padded {
            out.extend(std::iter::repeat_n('=', 3 - chunk.len()));
        }
    }
    out
}
