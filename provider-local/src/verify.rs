use jsonwebtoken::errors::{Error as JwtError, ErrorKind as JwtErrorKind};
use jsonwebtoken::{decode, decode_header};
use provider_api::{Claims, Error, Expected, Result};

use crate::audience::Audience;
use crate::claims::{Claim, TokenClaims, time};
use crate::mesh_keys::MeshKey;
use crate::quote::quote;

/// The most bytes a mesh token may have; an issued one has about 300.
pub(crate) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// How far the clocks of two gateways may be apart.
const LEEWAY_SECS: u64 = 60;

/// Checks `token` with the key of the mesh that was asked for. Every refusal is a denial that says what
/// was wrong, without the token.
pub(crate) fn verify(key: &MeshKey, now: u64, expected: &Expected<'_>, token: &str) -> Result<Claims> {
    let claims = signed_claims(key, token)?;

    let exp = seconds("exp", &claims.exp)?.ok_or_else(|| missing("exp"))?;
    let iat = seconds("iat", &claims.iat)?.ok_or_else(|| missing("iat"))?;
    let latest = now.saturating_add(LEEWAY_SECS);
    if exp.saturating_add(LEEWAY_SECS) <= now {
        return Err(Error::denied(format!(
            "the token expired at {exp}; it is {now}, and {LEEWAY_SECS} s are forgiven"
        )));
    }
    for (claim, moment) in [("nbf", seconds("nbf", &claims.nbf)?), ("iat", Some(iat))] {
        if let Some(moment) = moment
            && moment > latest
        {
            return Err(Error::denied(format!(
                "the token is from the future: `{claim}` is {moment}; it is {now}, and {LEEWAY_SECS} s are forgiven"
            )));
        }
    }

    let issuer = same("iss", claims.iss, &key.identity.name)?;
    let mesh_id = same("mesh_id", claims.mesh_id, key.identity.mesh_id())?;
    let subject = text("sub", claims.sub)?;
    if subject.trim().is_empty() {
        return Err(Error::denied("`sub` of the token is blank; it must name the gateway that sent it"));
    }
    check_audience(&claims.aud, expected)?;

    let expires_at = time(exp)
        .ok_or_else(|| Error::denied(format!("`exp` of the token, {exp}, is no date this machine knows")))?;
    Ok(Claims::new(issuer, subject, mesh_id, expires_at))
}

/// The claims, once the signature is known to be good.
fn signed_claims(key: &MeshKey, token: &str) -> Result<TokenClaims> {
    let Some(verifying) = &key.verifying else {
        return Err(Error::denied(format!(
            "mesh `{}` has no jwt_public_key_path, so this gateway can issue its tokens but not verify them",
            key.identity.name
        )));
    };
    let decoded = decode::<TokenClaims>(token, verifying, &key.validation)
        .map_err(|error| refused(key, token, &error))?;
    // RFC 7515, section 4.1.11: whoever does not understand a critical extension refuses, and none is known here.
    if decoded.header.crit.is_some() {
        return Err(Error::denied("the header of the token has `crit`; no extension is understood here"));
    }
    Ok(decoded.claims)
}

/// The errors of jsonwebtoken quote what they could not parse, so none of them is passed on.
fn refused(key: &MeshKey, token: &str, error: &JwtError) -> Error {
    let (mesh, algorithm) = (&key.identity.name, key.algorithm);
    Error::denied(match (error.kind(), decode_header(token)) {
        (JwtErrorKind::InvalidToken, _) => "the token is no JWT: it has not three parts".to_owned(),
        (_, Err(_)) => format!(
            "the header of the token cannot be read, or its `alg` is `none` or unknown; mesh `{mesh}` takes \
             {algorithm:?} only"
        ),
        (JwtErrorKind::InvalidAlgorithm, Ok(header)) => {
            format!("the token names the algorithm {:?}; mesh `{mesh}` takes {algorithm:?} only", header.alg)
        }
        (JwtErrorKind::InvalidSignature, _) => {
            format!("the signature of the token is not by the key of mesh `{mesh}`")
        }
        (JwtErrorKind::Base64(_), _) => "a part of the token is not base64url".to_owned(),
        (JwtErrorKind::Json(_), _) => {
            "the claims of the token are no JSON object, or one is there twice or of a wrong type".to_owned()
        }
        _ => "the token cannot be checked".to_owned(),
    })
}

fn missing(name: &str) -> Error {
    Error::denied(format!("the token has no `{name}`"))
}

fn seconds(name: &str, claim: &Claim) -> Result<Option<u64>> {
    match claim {
        Claim::Absent => Ok(None),
        Claim::Seconds(seconds) => Ok(Some(*seconds)),
        _ => Err(Error::denied(format!("`{name}` of the token is no date: expected seconds since 1970"))),
    }
}

fn text(name: &str, claim: Claim) -> Result<String> {
    match claim {
        Claim::Absent => Err(missing(name)),
        Claim::Text(text) => Ok(text),
        _ => Err(Error::denied(format!("`{name}` of the token is no string"))),
    }
}

fn same(name: &str, claim: Claim, expected: &str) -> Result<String> {
    let given = text(name, claim)?;
    match given == expected {
        true => Ok(given),
        false => {
            Err(Error::denied(format!("`{name}` of the token is {}, expected `{expected}`", quote(&given))))
        }
    }
}

fn check_audience(claim: &Claim, expected: &Expected<'_>) -> Result<()> {
    let (fits, first) = match claim {
        Claim::Absent => return Ok(()),
        Claim::Text(aud) => (Audience::of(expected).admits(aud), Some(aud)),
        Claim::Texts(auds) => {
            let audience = Audience::of(expected);
            (auds.iter().any(|aud| audience.admits(aud)), auds.first())
        }
        _ => return Err(Error::denied("`aud` of the token is neither a string nor a list of strings")),
    };
    if fits {
        return Ok(());
    }
    Err(Error::denied(format!(
        "`aud` of the token is {}, which does not cover {} in mesh {}",
        first.map_or_else(|| "an empty list".to_owned(), |aud| quote(aud)),
        quote(expected.url),
        quote(expected.mesh.mesh_id())
    )))
}
