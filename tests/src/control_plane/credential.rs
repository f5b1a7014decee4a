use http::header::AUTHORIZATION;
use jiff::Timestamp;
use serde::Serialize;

use super::answer::Rejection;
use super::call::Call;
use super::core::Core;
use super::gateway::Gateway;
use super::state::State;
use super::team::User;

/// What kind of credential came with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// No `Authorization`.
    None,
    /// Something that is not `Bearer <token>`.
    Malformed,
    /// A bearer that nobody issued, that was revoked or that has expired.
    Unknown,
    /// A gateway's token.
    Machine,
    /// A user's JWT.
    UserJwt,
    /// A user's opaque token.
    UserSanctum,
}

/// Who calls.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) credential: Credential,
    who: Who,
    why_not: &'static str,
}

#[derive(Clone, Debug)]
enum Who {
    Nobody,
    Gateway(Gateway),
    User(User),
}

impl Caller {
    /// Looks at the credential; whether the call needs one is decided later.
    pub(super) fn of(call: &Call, core: &Core, state: &State) -> Self {
        let nobody = |credential, why_not| Self { credential, who: Who::Nobody, why_not };
        let mut values = call.headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return match call.headers.contains_key(AUTHORIZATION) {
                false => nobody(Credential::None, "a bearer token is needed"),
                true => nobody(Credential::Malformed, "there is more than one Authorization"),
            };
        };
        let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
        let Some(token) = token.filter(|token| !token.is_empty() && !token.contains(char::is_whitespace))
        else {
            return nobody(Credential::Malformed, "Authorization must be `Bearer <token>`");
        };
        if let Some(machine) = state.machine_tokens.iter().find(|machine| machine.token == token) {
            return match state.gateway(&machine.gateway_id) {
                _ if machine.expires_at <= Timestamp::now() => {
                    nobody(Credential::Unknown, "the machine token has expired")
                }
                Some(gateway) => {
                    Self { credential: Credential::Machine, who: Who::Gateway(gateway.clone()), why_not: "" }
                }
                None => nobody(Credential::Unknown, "the gateway is gone"),
            };
        }
        match user_of(token, core, state) {
            Some((credential, user)) => Self { credential, who: Who::User(user), why_not: "" },
            None => nobody(Credential::Unknown, "the token is unknown, was revoked or has expired"),
        }
    }

    /// The gateway that calls. 401 for anybody else.
    pub(super) fn gateway(&self) -> Result<&Gateway, Rejection> {
        match &self.who {
            Who::Gateway(gateway) => Ok(gateway),
            Who::User(_) => Err(Rejection::unauthorized("this call needs a machine token, not a user's")),
            Who::Nobody => Err(Rejection::unauthorized(self.why_not)),
        }
    }

    /// The user that calls. 401 for anybody else.
    pub(super) fn user(&self) -> Result<&User, Rejection> {
        match &self.who {
            Who::User(user) => Ok(user),
            Who::Gateway(_) => Err(Rejection::unauthorized("this call needs a user token, not a machine's")),
            Who::Nobody => Err(Rejection::unauthorized(self.why_not)),
        }
    }

    /// The gateway, when one calls.
    pub(super) fn gateway_id(&self) -> Option<&str> {
        self.gateway().ok().map(|gateway| gateway.id.as_str())
    }

    /// The team of whoever calls.
    pub(super) fn team_id(&self) -> Result<&str, Rejection> {
        match &self.who {
            Who::Gateway(gateway) => Ok(&gateway.team_id),
            Who::User(user) => Ok(&user.team_id),
            Who::Nobody => Err(Rejection::unauthorized(self.why_not)),
        }
    }

    /// Whether the caller may see what belongs to a gateway: a machine its own, a user the whole team's.
    pub(super) fn sees(&self, gateway: &Gateway) -> bool {
        match &self.who {
            Who::Gateway(own) => own.id == gateway.id,
            Who::User(user) => user.team_id == gateway.team_id,
            Who::Nobody => false,
        }
    }
}

fn user_of(token: &str, core: &Core, state: &State) -> Option<(Credential, User)> {
    if let Some(known) = state.sanctum_tokens.iter().find(|known| known.token == token) {
        return Some((Credential::UserSanctum, state.user(&known.user_id)?.clone()));
    }
    let claims = state.keys.verify(token)?;
    let issuer = claims["iss"].as_str()?;
    let ours = issuer.strip_prefix(&core.url).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    // A mesh token is signed by the same keys, and is not a user's.
    let user = ours.then(|| state.user(claims["user"]["id"].as_str()?)).flatten()?;
    Some((Credential::UserJwt, user.clone()))
}
