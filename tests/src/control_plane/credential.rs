//! The credential of a request, and the caller it identifies.

use http::header::AUTHORIZATION;
use jiff::Timestamp;
use serde::Serialize;

use super::call::Call;
use super::core::Core;
use super::gateway::Gateway;
use super::response::ApiError;
use super::state::State;
use super::team::User;

/// The kind of credential of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// No `Authorization` header.
    None,
    /// A header that is not `Bearer <token>`.
    Malformed,
    /// A token that is unknown, revoked or expired.
    Unknown,
    /// A gateway's token.
    Machine,
    /// A user's JWT.
    UserJwt,
    /// A user's opaque token.
    UserSanctum,
}

/// The caller of a request.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) credential: Credential,
    identity: Identity,
    reason: &'static str,
}

#[derive(Clone, Debug)]
enum Identity {
    Anonymous,
    Gateway(Gateway),
    User(User),
}

impl Caller {
    /// Identifies the caller. Each call decides later if it needs a credential.
    pub(super) fn of(call: &Call, core: &Core, state: &State) -> Self {
        let anonymous = |credential, reason| Self { credential, identity: Identity::Anonymous, reason };
        let mut values = call.headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return match call.headers.contains_key(AUTHORIZATION) {
                false => anonymous(Credential::None, "the call needs a bearer token"),
                true => {
                    anonymous(Credential::Malformed, "the request has more than one Authorization header")
                }
            };
        };
        let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
        let Some(token) = token.filter(|token| !token.is_empty() && !token.contains(char::is_whitespace))
        else {
            return anonymous(Credential::Malformed, "Authorization must be `Bearer <token>`");
        };
        if let Some(machine) = state.machine_tokens.iter().find(|machine| machine.token == token) {
            return match state.gateway(&machine.gateway_id) {
                _ if machine.expires_at <= Timestamp::now() => {
                    anonymous(Credential::Unknown, "the machine token has expired")
                }
                Some(gateway) => Self {
                    credential: Credential::Machine,
                    identity: Identity::Gateway(gateway.clone()),
                    reason: "",
                },
                None => anonymous(Credential::Unknown, "the gateway no longer exists"),
            };
        }
        match user_of(token, core, state) {
            Some((credential, user)) => Self { credential, identity: Identity::User(user), reason: "" },
            None => anonymous(Credential::Unknown, "the token is unknown, revoked or expired"),
        }
    }

    /// The calling gateway, or 401 for any other caller.
    pub(super) fn gateway(&self) -> Result<&Gateway, ApiError> {
        match &self.identity {
            Identity::Gateway(gateway) => Ok(gateway),
            Identity::User(_) => Err(ApiError::unauthorized("this call needs a machine token, not a user's")),
            Identity::Anonymous => Err(ApiError::unauthorized(self.reason)),
        }
    }

    /// The calling user, or 401 for any other caller.
    pub(super) fn user(&self) -> Result<&User, ApiError> {
        match &self.identity {
            Identity::User(user) => Ok(user),
            Identity::Gateway(_) => {
                Err(ApiError::unauthorized("this call needs a user token, not a machine's"))
            }
            Identity::Anonymous => Err(ApiError::unauthorized(self.reason)),
        }
    }

    /// The id of the calling gateway, if the caller is one.
    pub(super) fn gateway_id(&self) -> Option<&str> {
        self.gateway().ok().map(|gateway| gateway.id.as_str())
    }

    /// The team of the caller, or 401 for an anonymous one.
    pub(super) fn team_id(&self) -> Result<&str, ApiError> {
        match &self.identity {
            Identity::Gateway(gateway) => Ok(&gateway.team_id),
            Identity::User(user) => Ok(&user.team_id),
            Identity::Anonymous => Err(ApiError::unauthorized(self.reason)),
        }
    }

    /// Returns true if the caller may see a gateway's data: a machine its own, a user that of the whole team.
    pub(super) fn sees(&self, gateway: &Gateway) -> bool {
        match &self.identity {
            Identity::Gateway(own) => own.id == gateway.id,
            Identity::User(user) => user.team_id == gateway.team_id,
            Identity::Anonymous => false,
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
    // Mesh tokens are signed with the same keys, but have no user.
    let user = ours.then(|| state.user(claims["user"]["id"].as_str()?)).flatten()?;
    Some((Credential::UserJwt, user.clone()))
}
