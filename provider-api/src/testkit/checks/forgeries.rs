//! Checks that forged, expired and foreign tokens are denied.

use std::sync::LazyLock;
use std::time::Duration;

use super::tokens::IssuedToken;
use crate::Clock as _;
use crate::ErrorKind::Unavailable;
use crate::testkit::fixture::{Fixture, build_provider, with_patience};
use crate::testkit::outcome::{CheckResult, Stop, ensure, failed, skipped};
use crate::testkit::{Exchange, Jwt, SigningKey, Subject, Trouble};

/// A key outside of every mesh. Shared by all checks, since generating one is slow.
static FOREIGN_KEY: LazyLock<Option<SigningKey>> = LazyLock::new(|| SigningKey::rsa("foreign").ok());

fn foreign_key() -> Result<SigningKey, Stop> {
    FOREIGN_KEY.clone().map_or_else(|| skipped("no key could be generated"), Ok)
}

/// Issues a token and decodes it.
async fn issue_and_parse(subject: &dyn Subject) -> Result<(IssuedToken, Jwt), Stop> {
    let issued = IssuedToken::new(subject).await?;
    match Jwt::parse(&issued.token) {
        Some(jwt) => Ok((issued, jwt)),
        None => skipped("the tokens of this provider are not JWTs"),
    }
}

async fn expect_denied(issued: &IssuedToken, what: &str, token: &str) -> CheckResult {
    issued.expect_denied(what, &issued.url, token).await.map(drop)
}

/// Expects that a token with a valid signature and altered claims is denied.
async fn expect_claims_denied(
    subject: &dyn Subject,
    what: &str,
    edit: impl FnOnce(Jwt, u64) -> Jwt,
) -> CheckResult {
    let (issued, jwt) = issue_and_parse(subject).await?;
    let meshes = issued.world.meshes()?;
    // First the unaltered claims: if the new signature were the reason for a denial, the check would prove
    // nothing.
    let again = meshes.sign(&jwt.claims).await?;
    issued.expect_accepted("the same claims with a new signature", &issued.url, &again).await?;
    let edited = edit(jwt, issued.world.clock().unix_now());
    expect_denied(&issued, what, &meshes.sign(&edited.claims).await?).await
}

pub(crate) async fn a_spoiled_signature(subject: &dyn Subject) -> CheckResult {
    let (issued, jwt) = issue_and_parse(subject).await?;
    expect_denied(&issued, "an altered signature", &jwt.with_spoiled_signature().to_string()).await
}

pub(crate) async fn a_changed_claim(subject: &dyn Subject) -> CheckResult {
    let (issued, jwt) = issue_and_parse(subject).await?;
    let token = jwt.claim("sub", "another-gateway").to_string();
    expect_denied(&issued, "an altered claim with the old signature", &token).await
}

pub(crate) async fn a_signature_that_is_missing(subject: &dyn Subject) -> CheckResult {
    let (issued, jwt) = issue_and_parse(subject).await?;
    expect_denied(&issued, "no signature", &format!("{}.", jwt.message())).await?;
    expect_denied(&issued, "two parts", &jwt.message()).await
}

/// Checks the classic attack with `alg` set to `none` (RFC 8725, section 2.1).
pub(crate) async fn the_algorithm_none(subject: &dyn Subject) -> CheckResult {
    let (issued, jwt) = issue_and_parse(subject).await?;
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let token = jwt.clone().unsigned().header("alg", none).to_string();
        expect_denied(&issued, &format!("the algorithm `{none}`"), &token).await?;
    }
    Ok(())
}

/// Checks the key confusion attack: HS256 with the public RSA key as the secret (RFC 8725, section 2.1).
pub(crate) async fn an_hmac_with_the_public_key(subject: &dyn Subject) -> CheckResult {
    let (issued, jwt) = issue_and_parse(subject).await?;
    let public = issued.world.meshes()?.public_key().await?;
    let text = String::from_utf8_lossy(&public);
    for secret in [public.as_slice(), text.trim_end().as_bytes(), b""] {
        let kid = jwt.header["kid"].as_str().map(str::to_owned);
        let key = SigningKey::shared(secret).under(kid.as_deref());
        let token = jwt.clone().signed(&key).to_string();
        expect_denied(&issued, "an HMAC with the public key", &token).await?;
    }
    Ok(())
}

/// Checks that another algorithm in the header is denied, whatever the signature.
pub(crate) async fn another_algorithm_in_the_header(subject: &dyn Subject) -> CheckResult {
    let (issued, jwt) = issue_and_parse(subject).await?;
    for algorithm in ["HS384", "HS512", "RS384", "RS512", "PS256", "ES256", "EdDSA", "kit"] {
        let token = jwt.clone().header("alg", algorithm).to_string();
        expect_denied(&issued, algorithm, &token).await?;
    }
    Ok(())
}

pub(crate) async fn a_key_of_somebody_else(subject: &dyn Subject) -> CheckResult {
    let (issued, jwt) = issue_and_parse(subject).await?;
    let kid = jwt.header["kid"].as_str().map(str::to_owned);
    for key in [foreign_key()?, SigningKey::shared("a-secret-that-is-not-the-one-of-the-mesh")] {
        let token = jwt.clone().signed(&key.under(kid.as_deref())).to_string();
        expect_denied(&issued, "a foreign key with the id of the mesh key", &token).await?;
    }
    Ok(())
}

pub(crate) async fn a_key_id_that_nobody_knows(subject: &dyn Subject) -> CheckResult {
    let (issued, jwt) = issue_and_parse(subject).await?;
    let key = foreign_key()?.under(Some("unknown-key"));
    expect_denied(&issued, "an unknown key id", &jwt.clone().signed(&key).to_string()).await?;
    issued.expect_accepted("a valid token afterwards", &issued.url, &issued.token).await.map(drop)
}

/// Checks texts that are not tokens: a request may contain anything.
pub(crate) async fn what_is_no_token(subject: &dyn Subject) -> CheckResult {
    let issued = IssuedToken::new(subject).await?;
    let long = format!("{}.{}.{}", "a".repeat(400_000), "b".repeat(400_000), "c".repeat(400_000));
    for nonsense in ["", ".", "..", "...", "a", "a.b.c", "e30.e30.", "\0", "é.漢.🦀", "Bearer x", &long] {
        let what: String = nonsense.chars().take(20).collect();
        issued.expect_denied(&format!("`{what}`"), &issued.url, nonsense).await?;
    }
    Ok(())
}

pub(crate) async fn an_expired_token(subject: &dyn Subject) -> CheckResult {
    expect_claims_denied(subject, "expired an hour ago", |jwt, now| {
        jwt.claim("exp", now - 3600).claim("iat", now - 7200)
    })
    .await
}

/// Checks that an issued token expires by the clock of the build context.
pub(crate) async fn a_token_whose_time_has_passed(subject: &dyn Subject) -> CheckResult {
    let issued = IssuedToken::new(subject).await?;
    let claims = issued.expect_accepted("the token before its expiry", &issued.url, &issued.token).await?;
    let left = claims.expires_at.duration_since(issued.world.clock().now()).unwrap_or_default();
    issued.world.clock().turn(left + Duration::from_secs(600));
    expect_denied(&issued, "ten minutes after its expiry", &issued.token).await
}

pub(crate) async fn a_token_without_an_end(subject: &dyn Subject) -> CheckResult {
    expect_claims_denied(subject, "no `exp`", |jwt, _| jwt.without("exp")).await
}

pub(crate) async fn an_end_that_is_no_date(subject: &dyn Subject) -> CheckResult {
    for value in
        [serde_json::json!("tomorrow"), serde_json::json!(-1), serde_json::json!([1]), u64::MAX.into()]
    {
        let what = format!("`exp` is {value}");
        expect_claims_denied(subject, &what, |jwt, _| jwt.claim("exp", value)).await?;
    }
    Ok(())
}

pub(crate) async fn a_token_that_is_not_valid_yet(subject: &dyn Subject) -> CheckResult {
    expect_claims_denied(subject, "`nbf` is in an hour", |jwt, now| jwt.claim("nbf", now + 3600)).await
}

pub(crate) async fn a_token_from_the_future(subject: &dyn Subject) -> CheckResult {
    expect_claims_denied(subject, "issued in an hour", |jwt, now| {
        jwt.claim("iat", now + 3600).claim("exp", now + 7200)
    })
    .await
}

pub(crate) async fn another_issuer(subject: &dyn Subject) -> CheckResult {
    expect_claims_denied(subject, "another issuer", |jwt, _| jwt.claim("iss", "https://evil.example")).await
}

pub(crate) async fn another_mesh_in_the_claims(subject: &dyn Subject) -> CheckResult {
    expect_claims_denied(subject, "another mesh", |jwt, _| jwt.claim("mesh_id", "another-mesh")).await
}

pub(crate) async fn no_mesh_in_the_claims(subject: &dyn Subject) -> CheckResult {
    expect_claims_denied(subject, "no `mesh_id`", |jwt, _| jwt.without("mesh_id")).await
}

pub(crate) async fn nobody_as_the_sender(subject: &dyn Subject) -> CheckResult {
    expect_claims_denied(subject, "a blank `sub`", |jwt, _| jwt.claim("sub", " ")).await
}

pub(crate) async fn another_audience(subject: &dyn Subject) -> CheckResult {
    expect_claims_denied(subject, "another `aud`", |jwt, _| jwt.claim("aud", "https://evil.example/")).await
}

/// Checks that no token is accepted without keys: authorization fails closed.
pub(crate) async fn anything_while_there_are_no_keys(subject: &dyn Subject) -> CheckResult {
    let fixture = Fixture::new(subject, Exchange::Keys).await?;
    for trouble in [Trouble::Status(404), Trouble::Status(500), Trouble::Cut] {
        let error = fixture.expect_error(Exchange::Keys, &trouble, &[Unavailable]).await?;
        ensure!(!error.to_string().is_empty(), "{trouble:?}: the error has no message");
    }
    Ok(())
}

/// Checks that a provider finds new keys without a restart.
pub(crate) async fn keys_that_were_rotated_are_found(subject: &dyn Subject) -> CheckResult {
    let (issued, jwt) = issue_and_parse(subject).await?;
    let meshes = issued.world.meshes()?;
    issued.expect_accepted("the token before the rotation", &issued.url, &issued.token).await?;
    meshes.rotate().await?;
    issued.world.pass(Duration::from_secs(120)).await;
    let token = meshes.sign(&jwt.claims).await?;
    issued.expect_accepted("a token of the new key", &issued.url, &token).await?;
    let next = build_provider(&*issued.world)?;
    let Some(auth) = next.mesh_auth() else { return failed("`mesh_auth()` of the next provider is None") };
    let expected = crate::Expected { mesh: &issued.mesh, url: &issued.url };
    let verified = with_patience(&*issued.world, auth.verify(&expected, &token)).await?;
    super::changes::expect_ok("verifying with the next provider", verified).map(drop)
}

/// Checks that unknown key ids do not cause a fetch each: requests with made-up ids would flood the control
/// plane.
pub(crate) async fn a_flood_of_unknown_key_ids_asks_little(subject: &dyn Subject) -> CheckResult {
    let (issued, jwt) = issue_and_parse(subject).await?;
    issued.expect_accepted("a valid token", &issued.url, &issued.token).await?;
    let key = foreign_key()?;
    let before = issued.world.asked()?;
    for n in 0..30 {
        let token = jwt.clone().signed(&key.clone().under(Some(&format!("unknown-{n}")))).to_string();
        expect_denied(&issued, "an unknown key id", &token).await?;
    }
    let sent = issued.world.asked()? - before;
    ensure!(sent <= 4, "30 unknown key ids caused {sent} requests");
    Ok(())
}
