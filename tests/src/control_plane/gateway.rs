//! Gateways and their machine tokens.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::id::{secret, ulid};
use super::state::State;
use super::team::User;

/// The abilities of a machine token.
pub(super) const ABILITIES: [&str; 4] = ["harmony:read", "harmony:update", "changes:write", "mesh:token"];

/// An authorized gateway.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Gateway {
    pub(super) id: String,
    pub(super) code: String,
    pub(super) name: String,
    pub(super) team_id: String,
    pub(super) created_at: Timestamp,
    #[serde(default)]
    pub(super) last_contact: Option<Timestamp>,
    /// The time of its last question for changes, and the time between the last two.
    #[serde(skip)]
    pub(super) last_poll: Option<Timestamp>,
    #[serde(skip)]
    pub(super) poll_gap: Option<SignedDuration>,
    #[serde(default)]
    pub(super) machine_public_key: Option<String>,
    #[serde(default)]
    pub(super) metadata: Vec<String>,
}

/// A machine token of one gateway.
#[derive(Serialize, Deserialize)]
pub(super) struct MachineToken {
    pub(super) token: String,
    pub(super) gateway_id: String,
    pub(super) expires_at: Timestamp,
}

impl std::fmt::Debug for MachineToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MachineToken").field("gateway_id", &self.gateway_id).finish_non_exhaustive()
    }
}

impl Gateway {
    /// The entry in the list of gateways.
    pub(super) fn json(&self) -> Value {
        json!({
            "type": "gateway", "id": self.id, "code": self.code, "name": self.name, "team_id": self.team_id,
            "enabled": true, "created_at": self.created_at, "updated_at": self.created_at,
        })
    }
}

impl State {
    /// Finds a gateway by id or code.
    pub(super) fn gateway(&self, wanted: &str) -> Option<&Gateway> {
        self.gateways.iter().find(|gateway| gateway.id == wanted || gateway.code == wanted)
    }

    /// Returns the gateway with this code, and creates it in the user's team if it does not exist.
    ///
    /// Returns `None` if it belongs to another team.
    pub(super) fn gateway_or_new(&mut self, user: &User, code: &str) -> Option<Gateway> {
        if let Some(gateway) = self.gateways.iter().find(|gateway| gateway.code == code) {
            return (gateway.team_id == user.team_id).then(|| gateway.clone());
        }
        self.gateways.push(Gateway {
            id: ulid(),
            code: code.to_owned(),
            name: code.to_owned(),
            team_id: user.team_id.clone(),
            created_at: Timestamp::now(),
            last_contact: None,
            last_poll: None,
            poll_gap: None,
            machine_public_key: None,
            metadata: Vec::new(),
        });
        self.gateways.last().cloned()
    }

    /// Issues a token for a gateway. Its earlier tokens stay valid.
    pub(super) fn machine_token(&mut self, gateway_id: &str, seconds: i64) -> (String, Timestamp) {
        let token = format!("machine_{}", secret());
        let expires_at = Timestamp::now() + SignedDuration::from_secs(seconds);
        self.machine_tokens.push(MachineToken {
            token: token.clone(),
            gateway_id: gateway_id.to_owned(),
            expires_at,
        });
        (token, expires_at)
    }
}
