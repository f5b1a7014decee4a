//! Teams, their users, and the tokens of users.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::id::{secret, ulid};
use super::state::State;

/// A team, which owns gateways.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Team {
    pub(super) id: String,
    pub(super) name: String,
    /// The team's name in references.
    pub(super) code: String,
}

/// A user, who authorizes gateways of a team.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) team_id: String,
}

impl User {
    pub(super) fn json(&self) -> Value {
        json!({ "id": self.id, "name": self.name, "email": self.email })
    }
}

/// A user's opaque token, `<id>|<secret>`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SanctumToken {
    pub(super) token: String,
    pub(super) user_id: String,
}

impl State {
    /// Returns the team with that name, code or id, or creates it with a user.
    pub(super) fn team_or_new(&mut self, name: &str) -> Team {
        if let Some(team) = self.team(name) {
            return team.clone();
        }
        let code: String =
            name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let team = Team { id: ulid(), name: name.to_owned(), code: code.clone() };
        self.users.push(User {
            id: ulid(),
            name: format!("{name} admin"),
            email: format!("admin@{code}.example"),
            team_id: team.id.clone(),
        });
        self.teams.push(team.clone());
        team
    }

    pub(super) fn team(&self, wanted: &str) -> Option<&Team> {
        self.teams.iter().find(|team| [&team.id, &team.code, &team.name].iter().any(|name| *name == wanted))
    }

    pub(super) fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    /// Returns the first user of a team.
    pub(super) fn user_of(&self, team: &Team) -> User {
        self.users.iter().find(|user| user.team_id == team.id).expect("a team has a user").clone()
    }

    /// Issues a JWT for a user. It has no `aud`: the official command line rejects a token with one.
    pub(super) fn user_jwt(&mut self, issuer: &str, user: &User, seconds: i64) -> String {
        let team = self.team(&user.team_id).cloned();
        let now = Timestamp::now().as_second();
        let claims = json!({
            "iss": issuer,
            "sub": user.id,
            "iat": now,
            "exp": now + seconds,
            "user": user.json(),
            "team": team.map(|team| json!({ "id": team.id, "name": team.name })),
        });
        self.keys.sign(&claims)
    }

    pub(super) fn sanctum(&mut self, user: &User) -> String {
        let token = format!("{}|{}", self.sanctum_tokens.len() + 1, secret());
        self.sanctum_tokens.push(SanctumToken { token: token.clone(), user_id: user.id.clone() });
        token
    }
}
