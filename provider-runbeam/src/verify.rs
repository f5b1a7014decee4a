//! Verification of a mesh token of the control plane.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{decode, decode_header};
use provider_api::{Claims, DisplayDuration, Error, Expected, Result, TokenFault, covers};
use url::Url;

use crate::claims::{Seconds, TokenClaims};
use crate::key::Key;
use crate::key_sets::KeySet;
use crate::keys::MAX_KID_BYTES;
use crate::official;

/// The maximum length of a mesh token in bytes. An issued one has about 800.
pub(crate) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The tolerated difference between the clocks of the control plane and of this machine.
const LEEWAY_SECS: u64 = 60;
pub(crate) const LEEWAY: Duration = Duration::from_secs(LEEWAY_SECS);

/// Verifies a token of the control plane at `cloud`.
///
/// # Errors
/// Denied with the reason, which never contains the token. Unavailable when the keys cannot be fetched.
pub(crate) async fn verify(
    set: &KeySet,
    cloud: &Url,
    expected: &Expected<'_>,
    token: &str,
    now: SystemTime,
    lifetime: Duration,
) -> Result<Claims> {
    let kid = key_id(token)?;
    let keys = set.keys(lifetime).await?;
    let claims = match signed_claims(keys.get(&kid), token) {
        // The key may have been added, or replaced under its id, since the last fetch.
        Err(NotVerified::OtherKey(fault, reason)) => {
            let newer = set.newer(lifetime).await?;
            match std::ptr::eq(&*keys, &*newer) {
                true => Err(NotVerified::OtherKey(fault, reason)),
                false => signed_claims(newer.get(&kid), token),
            }
        }
        claims => claims,
    };
    let claims = claims.map_err(NotVerified::into_error)?;
    check_claims(claims, cloud, expected, now)
}

/// Returns the key id in the header of a token, after checks that cost nothing.
///
/// They come before the keys are fetched: a sender who is not authenticated yet must not cause requests.
pub(crate) fn key_id(token: &str) -> Result<String> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(malformed(format!("the token has more than {MAX_TOKEN_BYTES} bytes")));
    }
    let header = decode_header(token)
        .map_err(|_| malformed("cannot decode the header of the token, or its `alg` is `none` or unknown"))?;
    // RFC 7515, section 4.1.11: a recipient rejects critical extensions it does not support. None is supported.
    if header.crit.is_some() {
        return Err(malformed("the header of the token has `crit`; no extension is supported"));
    }
    let kid = header.kid.filter(|kid| !kid.is_empty() && kid.len() <= MAX_KID_BYTES);
    kid.ok_or_else(|| malformed("the header of the token names no key (`kid`)"))
}

/// The reason why the claims of a token cannot be read.
#[derive(Debug)]
pub(crate) enum NotVerified {
    /// The key that the token names is not there, or is not the one that signed the token.
    OtherKey(TokenFault, Cow<'static, str>),
    /// No other key can verify the token.
    Token(TokenFault, Cow<'static, str>),
}

impl NotVerified {
    fn into_error(self) -> Error {
        match self {
            Self::OtherKey(fault, reason) | Self::Token(fault, reason) => denied(fault, reason),
        }
    }
}

/// Verifies the signature with one of `keys`, those that have the id of the token, and returns the claims.
pub(crate) fn signed_claims(keys: &[Key], token: &str) -> Result<TokenClaims, NotVerified> {
    let unknown = "the token names a key that the control plane does not publish";
    let mut failure = NotVerified::OtherKey(TokenFault::Key, unknown.into());
    for key in keys {
        match decode::<TokenClaims>(token, &key.decoding, &key.validation) {
            Ok(decoded) => return Ok(decoded.claims),
            Err(error) => failure = not_verified(key, &error),
        }
    }
    Err(failure)
}

/// Maps an error of jsonwebtoken. Its errors quote the input, so they are neither shown nor kept as the source.
fn not_verified(key: &Key, error: &jsonwebtoken::errors::Error) -> NotVerified {
    use jsonwebtoken::errors::ErrorKind;
    let (fault, reason) = match error.kind() {
        ErrorKind::InvalidSignature => {
            let reason = "the signature of the token does not match the key it names";
            return NotVerified::OtherKey(TokenFault::Signature, reason.into());
        }
        ErrorKind::InvalidAlgorithm => {
            let reason =
                format!("the token is not signed with {:?}, the algorithm of its key", key.algorithm);
            (TokenFault::Algorithm, reason.into())
        }
        ErrorKind::Json(_) => {
            let reason = "a claim of the token is missing, is there twice, or has a wrong type";
            (TokenFault::Malformed, reason.into())
        }
        _ => (TokenFault::Malformed, "cannot verify the token".into()),
    };
    NotVerified::Token(fault, reason)
}

fn denied(fault: TokenFault, message: impl Into<Cow<'static, str>>) -> Error {
    Error::denied(message).with_token_fault(fault)
}

fn malformed(message: impl Into<Cow<'static, str>>) -> Error {
    denied(TokenFault::Malformed, message)
}

/// Checks the claims of a token whose signature was verified.
pub(crate) fn check_claims(
    claims: TokenClaims,
    cloud: &Url,
    expected: &Expected<'_>,
    now: SystemTime,
) -> Result<Claims> {
    let expires_at = check_times(&claims, now)?;
    let mesh = expected.mesh.mesh_id();
    if !is_issuer(cloud, mesh, &claims.iss) {
        let expected = cloud.origin().ascii_serialization();
        return Err(denied(
            TokenFault::Issuer,
            format!("`iss` of the token is neither the control plane at {expected} nor the mesh"),
        ));
    }
    if claims.mesh_id != mesh || !claims.aud.contains(&format!("mesh:{mesh}")) {
        return Err(denied(TokenFault::Mesh, format!("the token is not for the mesh {mesh}")));
    }
    if !covers(&claims.dest_url, expected.url) {
        return Err(denied(
            TokenFault::Audience,
            match expected.url {
                "" => "the token is for a destination, and this route has no ingress URL for its mesh"
                    .to_owned(),
                url => format!("the token is for another destination than {url}"),
            },
        ));
    }
    if claims.sub.trim().is_empty() {
        let message = "`sub` of the token is blank; it must name the gateway that sent it";
        return Err(denied(TokenFault::Subject, message));
    }
    Ok(Claims::new(claims.iss, claims.sub, claims.mesh_id, expires_at))
}

fn ago(seconds: u64) -> DisplayDuration {
    DisplayDuration(Duration::from_secs(seconds))
}

/// Reports whether `iss` may be the issuer of a token: the control plane, by any of its names, or the mesh by its id.
/// Implementations differ in it. It opens nothing, since the keys come from the configured origin.
fn is_issuer(cloud: &Url, mesh: &str, iss: &str) -> bool {
    iss == mesh || Url::parse(iss).is_ok_and(|issuer| official::names(cloud, &issuer))
}

/// Checks `exp`, `nbf` and `iat`, and returns the time of `exp`.
fn check_times(claims: &TokenClaims, now: SystemTime) -> Result<SystemTime> {
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let seconds = |claim: Seconds| claim.get().ok_or_else(|| malformed("a date of the token is not valid"));
    let exp = seconds(claims.exp)?;
    if exp.saturating_add(LEEWAY_SECS) <= now {
        return Err(denied(
            TokenFault::Expired,
            format!(
                "the token expired {} ago by the clock of this machine; {LEEWAY_SECS} s are tolerated",
                ago(now - exp)
            ),
        ));
    }
    for moment in [claims.nbf, claims.iat].into_iter().flatten() {
        let moment = seconds(moment)?;
        if moment > now.saturating_add(LEEWAY_SECS) {
            return Err(denied(
                TokenFault::NotYetValid,
                format!(
                    "the token is from the future: the clocks of this machine and of the control plane differ by {}; \
                 {LEEWAY_SECS} s are tolerated; synchronize both clocks",
                    ago(moment - now)
                ),
            ));
        }
    }
    UNIX_EPOCH
        .checked_add(Duration::from_secs(exp))
        .ok_or_else(|| malformed("`exp` of the token is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destination_covers_whole_segments() {
        for url in ["https://a.example/r4", "https://A.example:443/r4/Patient/1"] {
            assert!(covers("https://a.example/r4", url), "{url}");
        }
        for url in [
            "https://a.example/r4evil",
            "https://a.example/r4/../admin",
            "https://a.example/r4/%2e%2e/admin",
            "https://a.example/r4\\admin",
            "http://a.example/r4",
            "https://a.example:8443/r4",
            "https://b.example/r4",
            "mailto:r4",
            "",
        ] {
            assert!(!covers("https://a.example/r4", url), "{url}");
        }
        assert!(!covers("", "https://a.example/") && !covers("data:x", "data:x"));
    }
}
