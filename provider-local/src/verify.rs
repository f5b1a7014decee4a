//! Verification of a mesh token with a local key.

use std::borrow::Cow;
use std::time::Duration;

use jsonwebtoken::errors::{Error as JwtError, ErrorKind as JwtErrorKind};
use jsonwebtoken::{decode, decode_header};
use provider_api::{Claims, DisplayDuration, Error, Expected, Result, TokenFault};

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
        return Err(denied(
            TokenFault::Expired,
            format!(
                "the token expired {} ago by the clock of this machine; {LEEWAY_SECS} s are tolerated",
                shown(now - exp)
            ),
        ));
    }
    for (claim, time) in [("nbf", seconds("nbf", &claims.nbf)?), ("iat", Some(iat))] {
        if let Some(time) = time
            && time > latest
        {
            return Err(denied(
                TokenFault::NotYetValid,
                format!(
                    "the token is from the future (`{claim}`): the clocks of this machine and of its sender differ by {}; \
                 {LEEWAY_SECS} s are tolerated; synchronize both clocks",
                    shown(time - now)
                ),
            ));
        }
    }

    let issuer = equal_text("iss", TokenFault::Issuer, claims.iss, &key.identity.name)?;
    let mesh_id = equal_text("mesh_id", TokenFault::Mesh, claims.mesh_id, key.identity.mesh_id())?;
    let subject = text("sub", claims.sub)?;
    if subject.trim().is_empty() {
        let message = "`sub` of the token is blank; it must name the gateway that sent it";
        return Err(denied(TokenFault::Subject, message));
    }
    check_audience(&claims.aud, expected, key.token_audience)?;

    let expires_at =
        system_time(exp).ok_or_else(|| malformed(format!("`exp` of the token, {exp}, is out of range")))?;
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
        return Err(malformed("the header of the token has `crit`; no extension is supported"));
    }
    Ok(decoded.claims)
}

/// Maps an error of jsonwebtoken to a denial. Its errors quote the input, so they are neither shown nor kept as the
/// source.
fn signature_error(key: &MeshKey, token: &str, error: &JwtError) -> Error {
    let (mesh, algorithm) = (&key.identity.name, key.algorithm);
    match (error.kind(), decode_header(token)) {
        (JwtErrorKind::InvalidToken, _) => malformed("the token is not a JWT: it does not have three parts"),
        (_, Err(_)) => malformed(format!(
            "cannot decode the header of the token, or its `alg` is `none` or unknown; mesh `{mesh}` accepts \
             {algorithm:?} only"
        )),
        (JwtErrorKind::InvalidAlgorithm, Ok(header)) => {
            let given = header.alg;
            let message =
                format!("the token has the algorithm {given:?}; mesh `{mesh}` accepts {algorithm:?} only");
            denied(TokenFault::Algorithm, message)
        }
        (JwtErrorKind::InvalidSignature, _) => {
            let message = format!("the signature of the token does not match the key of mesh `{mesh}`");
            denied(TokenFault::Signature, message)
        }
        (JwtErrorKind::Base64(_), _) => malformed("a part of the token is not base64url"),
        (JwtErrorKind::Json(_), _) => malformed(
            "the claims of the token are not a JSON object, or one is there twice or has a wrong type",
        ),
        _ => malformed("cannot verify the token"),
    }
}

fn denied(fault: TokenFault, message: impl Into<Cow<'static, str>>) -> Error {
    Error::denied(message).with_token_fault(fault)
}

fn malformed(message: impl Into<Cow<'static, str>>) -> Error {
    denied(TokenFault::Malformed, message)
}

fn shown(seconds: u64) -> DisplayDuration {
    DisplayDuration(Duration::from_secs(seconds))
}

fn missing(name: &str) -> Error {
    malformed(format!("the token has no `{name}`"))
}

fn seconds(name: &str, claim: &Claim) -> Result<Option<u64>> {
    match claim {
        Claim::Absent => Ok(None),
        Claim::Seconds(seconds) => Ok(Some(*seconds)),
        _ => Err(malformed(format!("`{name}` of the token is not a date: expected seconds since 1970"))),
    }
}

fn text(name: &str, claim: Claim) -> Result<String> {
    match claim {
        Claim::Absent => Err(missing(name)),
        Claim::Text(text) => Ok(text),
        _ => Err(malformed(format!("`{name}` of the token is not a string"))),
    }
}

fn equal_text(name: &str, fault: TokenFault, claim: Claim, expected: &str) -> Result<String> {
    let given = text(name, claim)?;
    match given == expected {
        true => Ok(given),
        false => {
            Err(denied(fault, format!("`{name}` of the token is {}, expected `{expected}`", quote(&given))))
        }
    }
}

/// Checks the claim `aud`. With `required` it must be there, and name a URL: a token for the whole mesh could be
/// presented to another member.
fn check_audience(claim: &Claim, expected: &Expected<'_>, required: bool) -> Result<()> {
    let audience = Audience::new(expected, !required);
    let (accepted, first) = match claim {
        Claim::Absent if required => {
            return Err(denied(
                TokenFault::Audience,
                format!(
                    "the token has no `aud`, which mesh `{}` requires (`token_audience`)",
                    expected.mesh.name
                ),
            ));
        }
        Claim::Absent => return Ok(()),
        Claim::Text(aud) => (audience.accepts(aud), Some(aud)),
        Claim::Texts(auds) => (auds.iter().any(|aud| audience.accepts(aud)), auds.first()),
        _ => return Err(malformed("`aud` of the token is neither a string nor a list of strings")),
    };
    if accepted {
        return Ok(());
    }
    let aud = first.map_or_else(|| "an empty list".to_owned(), |aud| quote(aud));
    let mesh = quote(expected.mesh.mesh_id());
    Err(denied(
        TokenFault::Audience,
        match expected.url {
            "" => {
                format!("`aud` of the token is {aud}, and this route has no ingress URL for the mesh {mesh}")
            }
            url => format!("`aud` of the token is {aud}, which does not cover {} in mesh {mesh}", quote(url)),
        },
    ))
}
