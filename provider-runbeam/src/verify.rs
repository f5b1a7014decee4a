use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{decode, decode_header};
use provider_api::{Claims, Error, Expected, Result};
use url::Url;

use crate::claims::{Seconds, TokenClaims};
use crate::key::Key;
use crate::key_sets::{KeySet, MAX_KID_BYTES};

/// The most bytes a mesh token may have; an issued one has about 800.
pub(crate) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// How far the clocks of the control plane and of this machine may be apart.
const LEEWAY_SECS: u64 = 60;

/// Checks a token of the control plane at `cloud`. Every refusal is a denial that says what was wrong,
/// without the token; that the keys cannot be had is Unavailable.
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
    if let Some(key) = keys.get(&kid) {
        return checked(key, cloud, expected, token, now);
    }
    let keys = set.newer(lifetime).await?;
    let key = keys
        .get(&kid)
        .ok_or_else(|| Error::denied("the token names a key that the control plane does not publish"))?;
    checked(key, cloud, expected, token, now)
}

/// The key that the token names, once its header is one to go on with.
pub(crate) fn key_id(token: &str) -> Result<String> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Error::denied(format!("the token has more than {MAX_TOKEN_BYTES} bytes")));
    }
    let header = decode_header(token).map_err(|_| {
        Error::denied("the header of the token cannot be read, or its `alg` is `none` or unknown")
    })?;
    // RFC 7515, section 4.1.11: whoever does not understand a critical extension refuses, and none is known here.
    if header.crit.is_some() {
        return Err(Error::denied("the header of the token has `crit`; no extension is understood here"));
    }
    let kid = header.kid.filter(|kid| !kid.is_empty() && kid.len() <= MAX_KID_BYTES);
    kid.ok_or_else(|| Error::denied("the header of the token names no key (`kid`)"))
}

/// Everything that `key` and the claims decide.
pub(crate) fn checked(
    key: &Key,
    cloud: &Url,
    expected: &Expected<'_>,
    token: &str,
    now: SystemTime,
) -> Result<Claims> {
    let decoded = decode::<TokenClaims>(token, &key.decoding, &key.validation).map_err(|error| {
        use jsonwebtoken::errors::ErrorKind;
        // The errors of jsonwebtoken quote what they could not parse, so none of them is passed on.
        Error::denied(match error.kind() {
            ErrorKind::InvalidAlgorithm => {
                format!("the token is not signed with {:?}, as its key is for", key.algorithm)
            }
            ErrorKind::InvalidSignature => "the signature of the token is not by the key it names".to_owned(),
            ErrorKind::Json(_) => {
                "a claim of the token is missing, is there twice, or is of a wrong type".to_owned()
            }
            _ => "the token cannot be checked".to_owned(),
        })
    })?;
    let claims = decoded.claims;
    let expires_at = times(&claims, now)?;
    let issuer =
        Url::parse(&claims.iss).ok().filter(|issuer| issuer.origin() == cloud.origin() && issuer.has_host());
    if issuer.is_none() {
        let expected = cloud.origin().ascii_serialization();
        return Err(Error::denied(format!("`iss` of the token is not the control plane at {expected}")));
    }
    let mesh = expected.mesh.mesh_id();
    if claims.mesh_id != mesh || !claims.aud.has(&format!("mesh:{mesh}")) {
        return Err(Error::denied(format!("the token is not for the mesh {mesh}")));
    }
    if !covers(&claims.dest_url, expected.url) {
        return Err(Error::denied("the token is for another destination than the URL that was asked for"));
    }
    if claims.sub.trim().is_empty() {
        return Err(Error::denied("`sub` of the token is blank; it must name the gateway that sent it"));
    }
    Ok(Claims::new(claims.iss, claims.sub, claims.mesh_id, expires_at))
}

fn times(claims: &TokenClaims, now: SystemTime) -> Result<SystemTime> {
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let seconds = |claim: Seconds| claim.get().ok_or_else(|| Error::denied("a date of the token is none"));
    let exp = seconds(claims.exp)?;
    if exp.saturating_add(LEEWAY_SECS) <= now {
        return Err(Error::denied(format!(
            "the token expired at {exp}; it is {now}, and {LEEWAY_SECS} s are forgiven"
        )));
    }
    for moment in [claims.nbf, claims.iat].into_iter().flatten() {
        let moment = seconds(moment)?;
        if moment > now.saturating_add(LEEWAY_SECS) {
            return Err(Error::denied(format!(
                "the token is from the future: {moment}; it is {now}, and {LEEWAY_SECS} s are forgiven"
            )));
        }
    }
    UNIX_EPOCH
        .checked_add(Duration::from_secs(exp))
        .ok_or_else(|| Error::denied("`exp` of the token is no date"))
}

/// Whether `asked` lies under `destination`: the same origin and whole segments of the path. Parsing has
/// already lowered the host, dropped a default port and resolved `..`, escaped or not.
fn covers(destination: &str, asked: &str) -> bool {
    let (Ok(base), Ok(asked)) = (Url::parse(destination), Url::parse(asked)) else { return false };
    let under = asked.path().strip_prefix(base.path().strip_suffix('/').unwrap_or(base.path()));
    base.has_host()
        && base.origin() == asked.origin()
        && under.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_ends_at_a_segment_and_at_its_origin() {
        for asked in ["https://a.example/r4", "https://A.example:443/r4/Patient/1"] {
            assert!(covers("https://a.example/r4", asked), "{asked}");
        }
        for asked in [
            "https://a.example/r4evil",
            "https://a.example/r4/../admin",
            "https://a.example/r4/%2e%2e/admin",
            "http://a.example/r4",
            "https://a.example:8443/r4",
            "https://b.example/r4",
            "mailto:r4",
            "",
        ] {
            assert!(!covers("https://a.example/r4", asked), "{asked}");
        }
        assert!(!covers("", "https://a.example/") && !covers("data:x", "data:x"));
    }
}
