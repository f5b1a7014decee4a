//! JSON Web Tokens that a check can alter.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::signing_key::SigningKey;

/// A decoded JWT (RFC 7519) whose parts can be altered, for forged tokens. `Display` writes the encoded
/// token.
#[derive(Clone, Debug, PartialEq)]
pub struct Jwt {
    /// The header, the first part of the token.
    pub header: Value,
    /// The claims, the second part of the token.
    pub claims: Value,
    signature: String,
}

impl Jwt {
    /// Creates an unsigned token with these claims.
    pub fn new(claims: Value) -> Self {
        Self { header: json!({ "typ": "JWT" }), claims, signature: String::new() }
    }

    /// Decodes a token. Returns `None` when it does not have three parts, of which two are JSON objects.
    pub fn parse(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let mut object = || {
            let part = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
            serde_json::from_slice::<Value>(&part).ok().filter(Value::is_object)
        };
        let (header, claims) = (object()?, object()?);
        let signature = parts.next()?.to_owned();
        parts.next().is_none().then_some(Self { header, claims, signature })
    }

    /// Sets a claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    /// Removes a claim.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        if let Some(claims) = self.claims.as_object_mut() {
            claims.remove(name);
        }
        self
    }

    /// Sets a field of the header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    /// Signs the token with `key`, and sets `alg` and `kid` in the header accordingly.
    #[must_use]
    pub fn signed(self, key: &SigningKey) -> Self {
        let mut signed = self.header("alg", key.algorithm());
        if let Some(kid) = key.id() {
            signed = signed.header("kid", kid);
        }
        signed.signature = URL_SAFE_NO_PAD.encode(key.sign(signed.message().as_bytes()));
        signed
    }

    /// Removes the signature, and sets `alg` to `none` (RFC 7519, section 6).
    #[must_use]
    pub fn unsigned(self) -> Self {
        Self { signature: String::new(), ..self.header("alg", "none") }
    }

    /// Flips one bit of the signature.
    #[must_use]
    pub fn with_spoiled_signature(mut self) -> Self {
        let mut bytes = URL_SAFE_NO_PAD.decode(&self.signature).unwrap_or_default();
        match bytes.first_mut() {
            Some(byte) => *byte ^= 1,
            None => bytes.push(1),
        }
        self.signature = URL_SAFE_NO_PAD.encode(bytes);
        self
    }

    /// Returns the signed text: the encoded header and claims.
    pub fn message(&self) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}", part(&self.header), part(&self.claims))
    }

    /// Returns the bytes of the signature.
    pub fn signature(&self) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(&self.signature).unwrap_or_default()
    }
}

/// The token as it is sent.
impl std::fmt::Display for Jwt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.message(), self.signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parsed_token_round_trips() {
        let key = SigningKey::shared("a-secret-of-more-than-thirty-two-bytes");
        let jwt = Jwt::new(json!({ "iss": "kit", "exp": 7 })).signed(&key);
        let again = Jwt::parse(&jwt.to_string());
        assert_eq!(again.as_ref(), Some(&jwt));
        assert!(key.verifies(jwt.message().as_bytes(), &jwt.signature()));
        let spoiled = jwt.clone().with_spoiled_signature();
        assert!(!key.verifies(spoiled.message().as_bytes(), &spoiled.signature()));
        assert!(jwt.clone().claim("exp", 8).to_string() != jwt.to_string());
        assert_eq!(jwt.unsigned().header["alg"], "none");
        assert_eq!(Jwt::parse("a.b.c"), None);
    }
}
