use std::collections::BTreeMap;
use std::sync::MutexGuard;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use provider_api::testkit::{Exchange, Jwt, SigningKey};
use provider_api::{Claims, Error, Expected, MeshAuth, MeshToken, Result, Secret, TokenRequest, async_trait};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cloud::{KEYS, ORIGIN};
use crate::factory::{Factory, KEY_LIFETIME, Seen};
use crate::fellow::Fellow;
use crate::mutation::Mutation;
use crate::source::text;

const COOLDOWN: Duration = Duration::from_secs(60);
/// A mesh whose tokens this gateway can judge and not make.
pub(crate) const KEYLESS: &str = "mesh-without-a-key";

const LEEWAY: u64 = 60;

#[async_trait]
impl MeshAuth for Fellow {
    async fn issue(&self, request: &TokenRequest) -> Result<MeshToken> {
        let this = &self.0;
        let mut destination = request.destination.clone();
        if this.is(Mutation::OneDestination) {
            *this.factory.shared.slot.lock().unwrap() = destination;
            tokio::task::yield_now().await;
            destination = this.factory.shared.slot.lock().unwrap().clone();
        }
        if request.mesh.mesh_id() == KEYLESS {
            return Err(match this.is(Mutation::NoKeyIsUnavailable) {
                true => Error::unavailable("there is no key to sign with"),
                false => Error::invalid("there is no key to sign with"),
            });
        }
        let ask = json!({ "mesh": request.mesh.mesh_id(), "destination": destination });
        let answer = this.ask(Exchange::Issue, "issue", ask).await?;
        let token = Secret::new(text(&answer, "token")?);
        if matches!(this.factory.mutation, Mutation::DebugShowsIssuedTokens | Mutation::KeepsIssuedTokens) {
            *this.factory.shared.slot.lock().unwrap() = token.expose().to_owned();
        }
        let mut expires = answer["expires"].as_u64().ok_or_else(|| Error::unavailable("it has no end"))?;
        if this.is(Mutation::EndsLate) {
            expires = expires.saturating_add(3600);
        }
        let expires_at = match this.is(Mutation::AnyDateIsOne) {
            true => UNIX_EPOCH + Duration::from_secs(expires),
            false => date(expires).ok_or_else(|| Error::unavailable("its end is no date"))?,
        };
        Ok(MeshToken { token, expires_at })
    }

    async fn verify(&self, expected: &Expected<'_>, token: &str) -> Result<Claims> {
        let this = &self.0;
        let denied = |why: &'static str| Err(Error::denied(why));
        let Some(jwt) = (token.len() < 8192).then(|| Jwt::parse(token)).flatten() else {
            return match this.is(Mutation::QuotesTokens) {
                true => {
                    Err(Error::denied(format!("no token: {}", token.chars().take(900).collect::<String>())))
                }
                false => denied("it is no token"),
            };
        };
        if !self.is_signed(&jwt).await? {
            return denied("it is not signed as it should be");
        }
        self.claims(expected, &jwt)
    }
}

impl Fellow {
    async fn is_signed(&self, jwt: &Jwt) -> Result<bool> {
        let this = &self.0;
        let algorithm = jwt.header["alg"].as_str().unwrap_or_default();
        match this.factory.mutation {
            Mutation::NoSignature => return Ok(true),
            Mutation::NoneIsAnAlgorithm if algorithm.eq_ignore_ascii_case("none") => return Ok(true),
            Mutation::AlgorithmOfTheToken if algorithm == "HS256" => {
                let key = SigningKey::shared(KEYS[0].public_pem().unwrap());
                return Ok(key.verifies(jwt.message().as_bytes(), &jwt.signature()));
            }
            _ => {}
        }
        let Some(kid) = jwt.header["kid"].as_str() else { return Ok(false) };
        let key = match self.key(kid).await {
            Err(_) if this.is(Mutation::AcceptsWithoutKeys) => return Ok(true),
            other => other?,
        };
        let Some(key) = key.as_ref().and_then(Factory::key) else {
            return Ok(this.is(Mutation::TrustsUnknownKeys));
        };
        Ok(algorithm == "RS256" && key.verifies(jwt.message().as_bytes(), &jwt.signature()))
    }

    /// The key of that id. One fetches, the others wait; an unknown id makes one fetch per cooldown.
    async fn key(&self, kid: &str) -> Result<Option<Value>> {
        let this = &self.0;
        let keys = &this.factory.keys;
        let _flight = keys.flight.lock().await;
        let again = self.may_ask_again();
        if let Some(known) = &self.seen().known {
            let found = known.get(kid).cloned();
            if found.is_some() || !again {
                return Ok(found);
            }
        }
        let answer = this.call(Exchange::Keys, "keys", None, Value::Null).await?;
        let listed = answer["keys"].as_array().ok_or_else(|| Error::unavailable("there are no keys"))?;
        let mut known = BTreeMap::new();
        for jwk in listed {
            known.insert(text(jwk, "kid")?.to_owned(), jwk.clone());
        }
        let found = known.get(kid).cloned();
        let (at, asked) = (this.now(), Some(Instant::now()));
        *keys.seen.lock().unwrap() = Seen { known: Some(known), at, asked, recalled: false };
        Ok(found)
    }

    /// What is known of the keys, without those that are too old.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        let this = &self.0;
        let mut seen = this.factory.keys.seen.lock().unwrap();
        let ages = !matches!(this.factory.mutation, Mutation::AnyAge | Mutation::TakenForEver);
        if ages && this.now().saturating_sub(seen.at) >= KEY_LIFETIME.as_secs() {
            seen.known = None;
        }
        seen
    }

    fn may_ask_again(&self) -> bool {
        let this = &self.0;
        let cold = self.seen().asked.is_none_or(|asked| asked.elapsed() >= COOLDOWN);
        cold && !this.is(Mutation::KeysForEver) || this.is(Mutation::FetchesForEveryKeyId)
    }

    fn claims(&self, expected: &Expected<'_>, jwt: &Jwt) -> Result<Claims> {
        let this = &self.0;
        let denied = |why: &'static str| Err(Error::denied(why));
        let now = match this.is(Mutation::ClockOfTheMachine) {
            true => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs(),
            false => this.now(),
        };
        let claims = &jwt.claims;
        let claim = |name: &str| claims[name].as_str().unwrap_or_default();
        let exp = match claims["exp"].as_u64() {
            Some(exp) => exp,
            None if claims["exp"].is_null() && this.is(Mutation::EndIsOptional) => now + 300,
            None if this.is(Mutation::AnyEnd) && !claims["exp"].is_null() => now + 300,
            None => return denied("`exp` is missing, or no date"),
        };
        if exp.saturating_add(LEEWAY) <= now && !this.is(Mutation::NoExpiry) {
            return denied("it has expired");
        }
        for (name, ignored) in [("nbf", Mutation::NoNotBefore), ("iat", Mutation::NoIssuedAt)] {
            if claims[name].as_u64().is_some_and(|moment| moment > now + LEEWAY) && !this.is(ignored) {
                return denied("it is from the future");
            }
        }
        let mesh = expected.mesh.mesh_id();
        if claim("iss") != ORIGIN && !this.is(Mutation::AnyIssuer) {
            return denied("`iss` is another control plane");
        }
        if claim("mesh_id") != mesh && !this.is(Mutation::AnyMesh) {
            return denied("`mesh_id` is another mesh");
        }
        let audience = claim("aud");
        if audience != format!("mesh:{mesh}")
            && !matches!(this.factory.mutation, Mutation::AnyAudience | Mutation::AnyMesh)
        {
            return denied("`aud` is another audience");
        }
        if !self.covers(claim("dest_url"), expected.url) {
            return denied("`dest_url` is another destination");
        }
        if claim("sub").trim().is_empty() && !this.is(Mutation::NobodySends) {
            return denied("`sub` is blank");
        }
        let Some(expires_at) = date(exp) else { return denied("`exp` is beyond all dates") };
        if this.is(Mutation::NobodyInTheClaims) {
            return Ok(Claims::new(claim("iss").into(), String::new(), claim("mesh_id").into(), expires_at));
        }
        Ok(Claims::new(claim("iss").into(), claim("sub").into(), claim("mesh_id").into(), expires_at))
    }

    fn covers(&self, destination: &str, asked: &str) -> bool {
        match self.0.factory.mutation {
            Mutation::AnyDestination => return true,
            Mutation::DestinationBegins => return asked.starts_with(destination) && !climbs(asked),
            Mutation::PathsAsWritten => {
                let rest = asked.strip_prefix(destination);
                return rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            }
            Mutation::ExactDestination => return asked == destination,
            _ => {}
        }
        let rest = asked.strip_prefix(destination);
        !climbs(asked) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The moment, when this machine can express it.
pub(crate) fn date(seconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Whether a segment of the path means the one above it.
fn climbs(url: &str) -> bool {
    url.split('/').any(|segment| segment.to_ascii_lowercase().replace("%2e", ".") == "..")
}
