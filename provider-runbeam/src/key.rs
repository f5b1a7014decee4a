use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

use crate::wire::Jwk;

/// A key that verifies, with the one algorithm it is for. What a token says about algorithms decides nothing.
pub(crate) struct Key {
    pub(crate) algorithm: Algorithm,
    pub(crate) decoding: DecodingKey,
    pub(crate) validation: Validation,
}

/// The fewest bytes of an RSA modulus: 2048 bits (RFC 7518, section 3.3).
const MIN_MODULUS_BYTES: usize = 256;
const MAX_MODULUS_BYTES: usize = 1024;

impl Key {
    /// `None` for a key that is not for verifying, or of a kind that is not known here. Another kind of key
    /// joins by another arm.
    pub(crate) fn of(jwk: &Jwk) -> Option<Self> {
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let (algorithm, decoding) = match (jwk.kty.as_str(), jwk.alg.as_deref()) {
            ("RSA", None | Some("RS256")) => (Algorithm::RS256, rsa(jwk)?),
            _ => return None,
        };
        Some(Self { algorithm, decoding, validation: validation(algorithm) })
    }
}

fn rsa(jwk: &Jwk) -> Option<DecodingKey> {
    let (n, e) = (jwk.n.as_deref()?, jwk.e.as_deref()?);
    let modulus = URL_SAFE_NO_PAD.decode(n).ok()?;
    let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
    let fits = (MIN_MODULUS_BYTES..=MAX_MODULUS_BYTES).contains(&significant);
    fits.then(|| DecodingKey::from_rsa_components(n, e).ok()).flatten()
}

/// The signature and the algorithm; the claims are checked by hand, against a clock that is given.
pub(crate) fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.algorithms = vec![algorithm];
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}
