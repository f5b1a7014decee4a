use std::sync::LazyLock;
use std::time::Duration;

use super::tokens::Issued;
use crate::Clock as _;
use crate::ErrorKind::Unavailable;
use crate::testkit::stage::{Stage, built, within};
use crate::testkit::verdict::{Stop, Verdict, ensure, failed, skipped};
use crate::testkit::{Exchange, Jwt, SigningKey, Subject, Trouble};

/// A key that is nobody's. One is enough for everybody: making it takes a moment.
static THEIRS: LazyLock<Option<SigningKey>> = LazyLock::new(|| SigningKey::rsa("theirs").ok());

fn theirs() -> Result<SigningKey, Stop> {
    THEIRS.clone().map_or_else(|| skipped("no key could be made"), Ok)
}

/// A token taken apart, beside what it was taken from.
async fn taken_apart(subject: &dyn Subject) -> Result<(Issued, Jwt), Stop> {
    let issued = Issued::by(subject).await?;
    match Jwt::parse(&issued.token) {
        Some(jwt) => Ok((issued, jwt)),
        None => skipped("the tokens of this provider are no JWTs"),
    }
}

async fn is_denied(issued: &Issued, what: &str, token: &str) -> Verdict {
    issued.denied(what, &issued.url, token).await.map(drop)
}

/// Properly signed, and wrong in what it says.
async fn claims_are_denied(subject: &dyn Subject, what: &str, edit: impl FnOnce(Jwt, u64) -> Jwt) -> Verdict {
    let (issued, jwt) = taken_apart(subject).await?;
    let meshes = issued.world.meshes()?;
    // What only signs anew and changes nothing must be accepted, or the rest would mean nothing.
    let again = meshes.sign(&jwt.claims).await?;
    issued.accepted("the same claims signed anew", &issued.url, &again).await?;
    let edited = edit(jwt, issued.world.clock().unix_now());
    is_denied(&issued, what, &meshes.sign(&edited.claims).await?).await
}

pub(crate) async fn a_spoiled_signature(subject: &dyn Subject) -> Verdict {
    let (issued, jwt) = taken_apart(subject).await?;
    is_denied(&issued, "a spoiled signature", &jwt.with_spoiled_signature().to_string()).await
}

pub(crate) async fn a_changed_claim(subject: &dyn Subject) -> Verdict {
    let (issued, jwt) = taken_apart(subject).await?;
    let token = jwt.claim("sub", "somebody-else").to_string();
    is_denied(&issued, "a claim changed and the signature kept", &token).await
}

pub(crate) async fn a_signature_that_is_missing(subject: &dyn Subject) -> Verdict {
    let (issued, jwt) = taken_apart(subject).await?;
    is_denied(&issued, "no signature", &format!("{}.", jwt.message())).await?;
    is_denied(&issued, "two parts", &jwt.message()).await
}

/// The oldest trick there is (RFC 8725, section 3.1).
pub(crate) async fn the_algorithm_none(subject: &dyn Subject) -> Verdict {
    let (issued, jwt) = taken_apart(subject).await?;
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let token = jwt.clone().unsigned().header("alg", none).to_string();
        is_denied(&issued, &format!("the algorithm `{none}`"), &token).await?;
    }
    Ok(())
}

/// What everybody can read must not serve as the secret of an HMAC.
pub(crate) async fn an_hmac_with_the_public_key(subject: &dyn Subject) -> Verdict {
    let (issued, jwt) = taken_apart(subject).await?;
    let public = issued.world.meshes()?.public_key().await?;
    let text = String::from_utf8_lossy(&public);
    for secret in [public.as_slice(), text.trim_end().as_bytes(), b""] {
        let kid = jwt.header["kid"].as_str().map(str::to_owned);
        let key = SigningKey::shared(secret).under(kid.as_deref());
        let token = jwt.clone().signed(&key).to_string();
        is_denied(&issued, "an HMAC with the public key", &token).await?;
    }
    Ok(())
}

/// Another algorithm in the header, whatever the signature.
pub(crate) async fn another_algorithm_in_the_header(subject: &dyn Subject) -> Verdict {
    let (issued, jwt) = taken_apart(subject).await?;
    for algorithm in ["HS384", "HS512", "RS384", "RS512", "PS256", "ES256", "EdDSA", "kit"] {
        let token = jwt.clone().header("alg", algorithm).to_string();
        is_denied(&issued, algorithm, &token).await?;
    }
    Ok(())
}

pub(crate) async fn a_key_of_somebody_else(subject: &dyn Subject) -> Verdict {
    let (issued, jwt) = taken_apart(subject).await?;
    let kid = jwt.header["kid"].as_str().map(str::to_owned);
    for key in [theirs()?, SigningKey::shared("a-secret-that-is-not-the-one-of-the-mesh")] {
        let token = jwt.clone().signed(&key.under(kid.as_deref())).to_string();
        is_denied(&issued, "a key of somebody else under the right id", &token).await?;
    }
    Ok(())
}

pub(crate) async fn a_key_id_that_nobody_knows(subject: &dyn Subject) -> Verdict {
    let (issued, jwt) = taken_apart(subject).await?;
    let key = theirs()?.under(Some("nobody-knows-this-key"));
    is_denied(&issued, "a key id that nobody knows", &jwt.clone().signed(&key).to_string()).await?;
    issued.accepted("a good token afterwards", &issued.url, &issued.token).await.map(drop)
}

/// What comes with a request is anything at all.
pub(crate) async fn what_is_no_token(subject: &dyn Subject) -> Verdict {
    let issued = Issued::by(subject).await?;
    let long = format!("{}.{}.{}", "a".repeat(400_000), "b".repeat(400_000), "c".repeat(400_000));
    for nonsense in ["", ".", "..", "...", "a", "a.b.c", "e30.e30.", "\0", "é.漢.🦀", "Bearer x", &long] {
        let what: String = nonsense.chars().take(20).collect();
        issued.denied(&format!("`{what}`"), &issued.url, nonsense).await?;
    }
    Ok(())
}

pub(crate) async fn an_expired_token(subject: &dyn Subject) -> Verdict {
    claims_are_denied(subject, "expired an hour ago", |jwt, now| {
        jwt.claim("exp", now - 3600).claim("iat", now - 7200)
    })
    .await
}

/// The same by the clock of the provider: the token has not changed, the time has.
pub(crate) async fn a_token_whose_time_has_passed(subject: &dyn Subject) -> Verdict {
    let issued = Issued::by(subject).await?;
    let claims = issued.accepted("while it is good", &issued.url, &issued.token).await?;
    let left = claims.expires_at.duration_since(issued.world.clock().now()).unwrap_or_default();
    issued.world.clock().turn(left + Duration::from_secs(600));
    is_denied(&issued, "ten minutes after its end", &issued.token).await
}

pub(crate) async fn a_token_without_an_end(subject: &dyn Subject) -> Verdict {
    claims_are_denied(subject, "no `exp`", |jwt, _| jwt.without("exp")).await
}

pub(crate) async fn an_end_that_is_no_date(subject: &dyn Subject) -> Verdict {
    for value in
        [serde_json::json!("tomorrow"), serde_json::json!(-1), serde_json::json!([1]), u64::MAX.into()]
    {
        let what = format!("`exp` is {value}");
        claims_are_denied(subject, &what, |jwt, _| jwt.claim("exp", value)).await?;
    }
    Ok(())
}

pub(crate) async fn a_token_that_is_not_valid_yet(subject: &dyn Subject) -> Verdict {
    claims_are_denied(subject, "`nbf` is in an hour", |jwt, now| jwt.claim("nbf", now + 3600)).await
}

pub(crate) async fn a_token_from_the_future(subject: &dyn Subject) -> Verdict {
    claims_are_denied(subject, "issued in an hour", |jwt, now| {
        jwt.claim("iat", now + 3600).claim("exp", now + 7200)
    })
    .await
}

pub(crate) async fn another_issuer(subject: &dyn Subject) -> Verdict {
    claims_are_denied(subject, "another issuer", |jwt, _| jwt.claim("iss", "https://evil.example")).await
}

pub(crate) async fn another_mesh_in_the_claims(subject: &dyn Subject) -> Verdict {
    claims_are_denied(subject, "another mesh", |jwt, _| jwt.claim("mesh_id", "another-mesh")).await
}

pub(crate) async fn no_mesh_in_the_claims(subject: &dyn Subject) -> Verdict {
    claims_are_denied(subject, "no `mesh_id`", |jwt, _| jwt.without("mesh_id")).await
}

pub(crate) async fn nobody_as_the_sender(subject: &dyn Subject) -> Verdict {
    claims_are_denied(subject, "a blank `sub`", |jwt, _| jwt.claim("sub", " ")).await
}

pub(crate) async fn another_audience(subject: &dyn Subject) -> Verdict {
    claims_are_denied(subject, "another `aud`", |jwt, _| jwt.claim("aud", "https://evil.example/")).await
}

/// Without keys nothing is accepted: authorization fails closed, and says why.
pub(crate) async fn anything_while_there_are_no_keys(subject: &dyn Subject) -> Verdict {
    let stage = Stage::of(subject, Exchange::Keys).await?;
    for trouble in [Trouble::Status(404), Trouble::Status(500), Trouble::Cut] {
        let error = stage.refused(Exchange::Keys, &trouble, &[Unavailable]).await?;
        ensure!(!error.to_string().is_empty(), "{trouble:?}: the error says nothing");
    }
    Ok(())
}

/// New keys are found without a restart.
pub(crate) async fn keys_that_were_rotated_are_found(subject: &dyn Subject) -> Verdict {
    let (issued, jwt) = taken_apart(subject).await?;
    let meshes = issued.world.meshes()?;
    issued.accepted("before the rotation", &issued.url, &issued.token).await?;
    meshes.rotate().await?;
    issued.world.pass(Duration::from_secs(120)).await;
    let token = meshes.sign(&jwt.claims).await?;
    issued.accepted("signed with the new key", &issued.url, &token).await?;
    let next = built(&*issued.world)?;
    let Some(auth) = next.mesh_auth() else { return failed("`mesh_auth()` is None all at once") };
    let expected = crate::Expected { mesh: &issued.mesh, url: &issued.url };
    let verified = within(&*issued.world, auth.verify(&expected, &token)).await?;
    super::changes::fine("by the next provider", verified).map(drop)
}

/// However many unknown key ids come, the keys are not fetched each time.
pub(crate) async fn a_flood_of_unknown_key_ids_asks_little(subject: &dyn Subject) -> Verdict {
    let (issued, jwt) = taken_apart(subject).await?;
    issued.accepted("a good token", &issued.url, &issued.token).await?;
    let key = theirs()?;
    let before = issued.world.asked()?;
    for n in 0..30 {
        let token = jwt.clone().signed(&key.clone().under(Some(&format!("unknown-{n}")))).to_string();
        is_denied(&issued, "a key id that nobody knows", &token).await?;
    }
    let asked = issued.world.asked()? - before;
    ensure!(asked <= 4, "30 unknown key ids made it ask {asked} times");
    Ok(())
}
