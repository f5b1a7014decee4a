//! Verification of a mesh token with a local key.

use std::time::Duration;

use jsonwebtoken::errors::{Error as JwtError, ErrorKind as JwtErrorKind};
use jsonwebtoken::{decode, decode_header};
use provider_api::{Claims, DisplayDuration, Error, Expected, Result};

use crate::audience::Audience;
use crate::claims::{Claim, TokenClaims, system_time};
use crate::mesh_keys::MeshKey;
use crate::quote::quote;

/// The maximum length of a mesh token in bytes. An issued one has about 300.
pub(crate) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The tolerated difference between the clocks of two gateways.
const LEEWAY_SECS: u64 = 60;

/// Verifies `token` with the key of its mesh.
///
/// # Errors
/// Denied with the reason, which never contains the token.
pub(crate) fn verify(key: &MeshKey, now: u64, expected: &Expected<'_>, token: &str) -> Result<Claims> {
    let claims = signed_claims(key, token)?;

    let exp = seconds("exp", &claims.exp)?.ok_or_else(|| missing("exp"))?;
    let iat = seconds("iat", &claims.iat)?.ok_or_else(|| missing("iat"))?;
    let latest = now.saturating_add(LEEWAY_SECS);
    if exp.saturating_add(LEEWAY_SECS) <= now {
        return Err(Error::denied(format!(
            "the token expired {} ago by the clock of this machine; {LEEWAY_SECS} s are tolerated",
            shown(now - exp)
        )));
    }
    for (claim, time) in [("nbf", seconds("nbf", &claims.nbf)?), ("iat", Some(iat))] {
        if let Some(time) = time
            && time > latest
        {
            return Err(Error::denied(format!(
                "the token is from the future (`{claim}`): the clocks of this machine and of its sender differ by {}; \
                 {LEEWAY_SECS} s are tolerated; synchronize both clocks",
                shown(time - now)
            )));
        }
    }

    let issuer = equal_text("iss", claims.iss, &key.identity.name)?;
    let mesh_id = equal_text("mesh_id", claims.mesh_id, key.identity.mesh_id())?;
    let subject = text("sub", claims.sub)?;
    if subject.trim().is_empty() {
        return Err(Error::denied("`sub` of the token is blank; it must name the gateway that sent it"));
    }
    check_audience(&claims.aud, expected, key.token_audience)?;

    let expires_at = system_time(exp)
        .ok_or_else(|| Error::denied(format!("`exp` of the token, {exp}, is out of range")))?;
    Ok(Claims::new(issuer, subject, mesh_id, expires_at))
}

/// Verifies the signature and returns the claims.
fn signed_claims(key: &MeshKey, token: &str) -> Result<TokenClaims> {
    let Some(verifying) = &key.verifying else {
        return Err(Error::denied(format!(
            "mesh `{}` has no jwt_public_key_path, so this gateway can issue its tokens but not verify them",
            key.identity.name
        )));
    };
    let decoded = decode::<TokenClaims>(token, verifying, &key.validation)
        .map_err(|error| signature_error(key, token, &error))?;
    // RFC 7515, section 4.1.11: a recipient rejects critical extensions it does not support. None is supported.
    if decoded.header.crit.is_some() {
        return Err(Error::denied("the header of the token has `crit`; no extension is supported"));
    }
    Ok(decoded.claims)
}

/// Maps an error of jsonwebtoken to a denial. Its errors quote the input, so they are neither shown nor kept as the
/// source.
fn signature_error(key: &MeshKey, token: &str, error: &JwtError) -> Error {
    let (mesh, algorithm) = (&key.identity.name, key.algorithm);
    Error::denied(match (error.kind(), decode_header(token)) {
        (JwtErrorKind::InvalidToken, _) => "the token is not a JWT: it does not have three parts".to_owned(),
        (_, Err(_)) => format!(
            "cannot decode the header of the token, or its `alg` is `none` or unknown; mesh `{mesh}` accepts \
             {algorithm:?} only"
        ),
        (JwtErrorKind::InvalidAlgorithm, Ok(header)) => {
            format!("the token has the algorithm {:?}; mesh `{mesh}` accepts {algorithm:?} only", header.alg)
        }
        (JwtErrorKind::InvalidSignature, _) => {
            format!("the signature of the token does not match the key of mesh `{mesh}`")
        }
        (JwtErrorKind::Base64(_), _) => "a part of the token is not base64url".to_owned(),
        (JwtErrorKind::Json(_), _) => {
            "the claims of the token are not a JSON object, or one is there twice or has a wrong type"
                .to_owned()
        }
        _ => "cannot verify the token".to_owned(),
    })
}

fn shown(seconds: u64) -> DisplayDuration {
    DisplayDuration(Duration::from_secs(seconds))
}

fn missing(name: &str) -> Error {
    Error::denied(format!("the token has no `{name}`"))
}

fn seconds(name: &str, claim: &Claim) -> Result<Option<u64>> {
    match claim {
        Claim::Absent => Ok(None),
        Claim::Seconds(seconds) => Ok(Some(*seconds)),
        _ => Err(Error::denied(format!("`{name}` of the token is not a date: expected seconds since 1970"))),
    }
}

fn text(name: &str, claim: Claim) -> Result<String> {
    match claim {
        Claim::Absent => Err(missing(name)),
        Claim::Text(text) => Ok(text),
        _ => Err(Error::denied(format!("`{name}` of the token is not a string"))),
    }
}

fn equal_text(name: &str, claim: Claim, expected: &str) -> Result<String> {
    let given = text(name, claim)?;
    match given == expected {
        true => Ok(given),
        false => {
            Err(Error::denied(format!("`{name}` of the token is {}, expected `{expected}`", quote(&given))))
        }
    }
}

/// Checks the claim `aud`. With `required` it must be there, and name a URL: a token for the whole mesh could be
/// presented to another member.
fn check_audience(claim: &Claim, expected: &Expected<'_>, required: bool) -> Result<()> {
    let audience = Audience::new(expected, !required);
    let (accepted, first) = match claim {
        Claim::Absent if required => {
            return Err(Error::denied(format!(
                "the token has no `aud`, which mesh `{}` requires (`token_audience`)",
                expected.mesh.name
            )));
        }
        Claim::Absent => return Ok(()),
        Claim::Text(aud) => (audience.accepts(aud), Some(aud)),
        Claim::Texts(auds) => (auds.iter().any(|aud| audience.accepts(aud)), auds.first()),
        _ => return Err(Error::denied("`aud` of the token is neither a string nor a list of strings")),
    };
    if accepted {
        return Ok(());
    }
    let aud = first.map_or_else(|| "an empty list".to_owned(), |aud| quote(aud));
    let mesh = quote(expected.mesh.mesh_id());
    Err(Error::denied(match expected.url {
        "" => format!("`aud` of the token is {aud}, and this route has no ingress URL for the mesh {mesh}"),
        url => format!("`aud` of the token is {aud}, which does not cover {} in mesh {mesh}", quote(url)),
    }))
}
