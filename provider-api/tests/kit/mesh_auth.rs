//! Issuing and verifying tokens with the reference provider.

use std::collections::BTreeMap;
use std::sync::MutexGuard;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use provider_api::testkit::{Exchange, Jwt, SigningKey};
use provider_api::{Claims, Error, Expected, MeshAuth, MeshToken, Result, Secret, TokenRequest, async_trait};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::control_plane::{KEYS, ORIGIN};
use crate::factory::{Factory, KEY_LIFETIME, KeyState};
use crate::mutation::Mutation;
use crate::provider::ReferenceProvider;
use crate::source::text;

/// The minimum time between two fetches for unknown key ids.
const COOLDOWN: Duration = Duration::from_secs(60);

/// The id of a mesh whose tokens this gateway can verify but not sign.
pub(crate) const KEYLESS: &str = "mesh-without-a-key";

/// The tolerated clock difference between gateways, in seconds.
const LEEWAY: u64 = 60;

#[async_trait]
impl MeshAuth for ReferenceProvider {
    async fn issue(&self, request: &TokenRequest) -> Result<MeshToken> {
        let inner = &self.0;
        let mut destination = request.destination.clone();
        if inner.is(Mutation::OneDestination) {
            *inner.factory.shared.slot.lock().unwrap() = destination;
            tokio::task::yield_now().await;
            destination = inner.factory.shared.slot.lock().unwrap().clone();
        }
        if request.mesh.mesh_id() == KEYLESS {
            return Err(match inner.is(Mutation::NoKeyIsUnavailable) {
                true => Error::unavailable("the mesh has no signing key"),
                false => Error::invalid("the mesh has no signing key"),
            });
        }
        let body = json!({ "mesh": request.mesh.mesh_id(), "destination": destination });
        let answer = inner.authenticated_call(Exchange::Issue, "issue", body).await?;
        let token = Secret::new(text(&answer, "token")?);
        if matches!(inner.factory.mutation, Mutation::DebugShowsIssuedTokens | Mutation::SavesIssuedTokens) {
            *inner.factory.shared.slot.lock().unwrap() = token.expose().to_owned();
        }
        let mut expires =
            answer["expires"].as_u64().ok_or_else(|| Error::unavailable("the token has no expiry"))?;
        if inner.is(Mutation::ExpiryTooLate) {
            expires = expires.saturating_add(3600);
        }
        let expires_at = match inner.is(Mutation::UncheckedDates) {
            true => UNIX_EPOCH + Duration::from_secs(expires),
            false => date(expires).ok_or_else(|| Error::unavailable("the expiry is not a date"))?,
        };
        Ok(MeshToken { token, expires_at })
    }

    async fn verify(&self, expected: &Expected<'_>, token: &str) -> Result<Claims> {
        let inner = &self.0;
        let denied = |why: &'static str| Err(Error::denied(why));
        let Some(jwt) = (token.len() < 8192).then(|| Jwt::parse(token)).flatten() else {
            return match inner.is(Mutation::QuotesTokens) {
                true => Err(Error::denied(format!(
                    "not a token: {}",
                    token.chars().take(900).collect::<String>()
                ))),
                false => denied("the text is not a token"),
            };
        };
        if !self.is_signed(&jwt).await? {
            return denied("the signature is invalid");
        }
        self.claims(expected, &jwt)
    }
}

impl ReferenceProvider {
    async fn is_signed(&self, jwt: &Jwt) -> Result<bool> {
        let inner = &self.0;
        let algorithm = jwt.header["alg"].as_str().unwrap_or_default();
        match inner.factory.mutation {
            Mutation::IgnoresSignature => return Ok(true),
            Mutation::AcceptsAlgorithmNone if algorithm.eq_ignore_ascii_case("none") => return Ok(true),
            Mutation::AlgorithmFromToken if algorithm == "HS256" => {
                let key = SigningKey::shared(KEYS[0].public_pem().unwrap());
                return Ok(key.verifies(jwt.message().as_bytes(), &jwt.signature()));
            }
            _ => {}
        }
        let Some(kid) = jwt.header["kid"].as_str() else { return Ok(false) };
        let key = match self.key(kid).await {
            Err(_) if inner.is(Mutation::AcceptsWithoutKeys) => return Ok(true),
            other => other?,
        };
        let Some(key) = key.as_ref().and_then(Factory::key) else {
            return Ok(inner.is(Mutation::TrustsUnknownKeys));
        };
        Ok(algorithm == "RS256" && key.verifies(jwt.message().as_bytes(), &jwt.signature()))
    }

    /// Returns the key with that id. Single flight; unknown ids cause one fetch per cooldown.
    async fn key(&self, kid: &str) -> Result<Option<Value>> {
        let inner = &self.0;
        let keys = &inner.factory.keys;
        let _flight = keys.flight.lock().await;
        let again = self.may_ask_again();
        if let Some(known) = &self.key_state().known {
            let found = known.get(kid).cloned();
            if found.is_some() || !again {
                return Ok(found);
            }
        }
        let answer = inner.call(Exchange::Keys, "keys", None, Value::Null).await?;
        let listed =
            answer["keys"].as_array().ok_or_else(|| Error::unavailable("the response has no keys"))?;
        let mut known = BTreeMap::new();
        for jwk in listed {
            known.insert(text(jwk, "kid")?.to_owned(), jwk.clone());
        }
        let found = known.get(kid).cloned();
        let (at, fetched_at) = (inner.now(), Some(Instant::now()));
        *keys.state.lock().unwrap() = KeyState { known: Some(known), at, fetched_at, restored: false };
        Ok(found)
    }

    /// Returns the known keys, and removes them when they are too old.
    fn key_state(&self) -> MutexGuard<'_, KeyState> {
        let inner = &self.0;
        let mut state = inner.factory.keys.state.lock().unwrap();
        let ages = !matches!(inner.factory.mutation, Mutation::IgnoresAge | Mutation::RestoredNeverExpires);
        if ages && inner.now().saturating_sub(state.at) >= KEY_LIFETIME.as_secs() {
            state.known = None;
        }
        state
    }

    fn may_ask_again(&self) -> bool {
        let inner = &self.0;
        let cold = self.key_state().fetched_at.is_none_or(|fetched_at| fetched_at.elapsed() >= COOLDOWN);
        cold && !inner.is(Mutation::NeverRefetchesKeys) || inner.is(Mutation::FetchesForEveryKeyId)
    }

    fn claims(&self, expected: &Expected<'_>, jwt: &Jwt) -> Result<Claims> {
        let inner = &self.0;
        let denied = |why: &'static str| Err(Error::denied(why));
        let now = match inner.is(Mutation::MachineClock) {
            true => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs(),
            false => inner.now(),
        };
        let claims = &jwt.claims;
        let claim = |name: &str| claims[name].as_str().unwrap_or_default();
        let exp = match claims["exp"].as_u64() {
            Some(exp) => exp,
            None if claims["exp"].is_null() && inner.is(Mutation::ExpOptional) => now + 300,
            None if inner.is(Mutation::AnyExp) && !claims["exp"].is_null() => now + 300,
            None => return denied("`exp` is missing or not a date"),
        };
        if exp.saturating_add(LEEWAY) <= now && !inner.is(Mutation::IgnoresExpiry) {
            return denied("the token has expired");
        }
        for (name, ignored) in [("nbf", Mutation::IgnoresNotBefore), ("iat", Mutation::IgnoresIssuedAt)] {
            if claims[name].as_u64().is_some_and(|moment| moment > now + LEEWAY) && !inner.is(ignored) {
                return denied("the token is from the future");
            }
        }
        let mesh = expected.mesh.mesh_id();
        if claim("iss") != ORIGIN && !inner.is(Mutation::AnyIssuer) {
            return denied("`iss` names another control plane");
        }
        if claim("mesh_id") != mesh && !inner.is(Mutation::AnyMesh) {
            return denied("`mesh_id` names another mesh");
        }
        let audience = claim("aud");
        if audience != format!("mesh:{mesh}")
            && !matches!(inner.factory.mutation, Mutation::AnyAudience | Mutation::AnyMesh)
        {
            return denied("`aud` names another audience");
        }
        if !self.covers(claim("dest_url"), expected.url) {
            return denied("`dest_url` names another destination");
        }
        if claim("sub").trim().is_empty() && !inner.is(Mutation::BlankSubject) {
            return denied("`sub` is blank");
        }
        let Some(expires_at) = date(exp) else { return denied("`exp` is too large for a date") };
        if inner.is(Mutation::ClaimsWithoutSubject) {
            return Ok(Claims::new(claim("iss").into(), String::new(), claim("mesh_id").into(), expires_at));
        }
        Ok(Claims::new(claim("iss").into(), claim("sub").into(), claim("mesh_id").into(), expires_at))
    }

    fn covers(&self, destination: &str, url: &str) -> bool {
        match self.0.factory.mutation {
            Mutation::AnyDestination => return true,
            Mutation::DestinationIsPrefix => return url.starts_with(destination) && !has_dot_segments(url),
            Mutation::IgnoresDotSegments => {
                let rest = url.strip_prefix(destination);
                return rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            }
            Mutation::ExactDestinationOnly => return url == destination,
            _ => {}
        }
        let rest = url.strip_prefix(destination);
        !has_dot_segments(url) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Returns the moment, or `None` when `SystemTime` cannot represent it.
pub(crate) fn date(seconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Returns true when a path segment is `..`, encoded or not.
fn has_dot_segments(url: &str) -> bool {
    url.split('/').any(|segment| segment.to_ascii_lowercase().replace("%2e", ".") == "..")
}
