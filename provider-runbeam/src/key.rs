//! A published key, checked and ready to verify.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

use crate::wire::Jwk;

/// A verification key with its algorithm. The `alg` of a token does not choose the algorithm: with that choice an
/// attacker could sign with the public key as an HMAC secret.
pub(crate) struct Key {
    pub(crate) algorithm: Algorithm,
    pub(crate) decoding: DecodingKey,
    pub(crate) validation: Validation,
}

/// The minimum length of an RSA modulus in bytes: 2048 bits (RFC 7518, section 3.3).
const MIN_MODULUS_BYTES: usize = 256;

/// The maximum length of an RSA modulus in bytes, 8192 bits: verification time grows with the square of it.
const MAX_MODULUS_BYTES: usize = 1024;

impl Key {
    /// Converts a JWK. Returns `None` for a key with another use than signatures, of an unsupported type, or with values
    /// that cannot be used.
    pub(crate) fn from_jwk(jwk: &Jwk) -> Option<Self> {
        let decoding = Self::is_supported(jwk).then(|| rsa(jwk)).flatten()?;
        let algorithm = Algorithm::RS256;
        Some(Self { algorithm, decoding, validation: validation(algorithm) })
    }

    /// Reports whether a JWK is for signatures, of a supported type.
    pub(crate) fn is_supported(jwk: &Jwk) -> bool {
        let is_for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig");
        is_for_signatures && matches!((jwk.kty.as_str(), jwk.alg.as_deref()), ("RSA", None | Some("RS256")))
    }
}

fn rsa(jwk: &Jwk) -> Option<DecodingKey> {
    let (n, e) = (jwk.n.as_deref()?, jwk.e.as_deref()?);
    let modulus = URL_SAFE_NO_PAD.decode(n).ok()?;
    let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
    let fits = (MIN_MODULUS_BYTES..=MAX_MODULUS_BYTES).contains(&significant);
    fits.then(|| DecodingKey::from_rsa_components(n, e).ok()).flatten()
}

/// Returns the rules for jsonwebtoken: the signature and the algorithm. The claims are checked in `verify`, since
/// jsonwebtoken reads the clock of the machine instead of the provider's.
pub(crate) fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.algorithms = vec![algorithm];
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}
