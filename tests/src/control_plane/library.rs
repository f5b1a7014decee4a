//! The library interface: reading and modifying the state of the control plane.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ControlPlane;
use super::authorize;
use super::change::Status;
use super::document::{Document, Kind};
use super::gateway::ABILITIES;
use super::lists::transform_toml;
use super::login::{self, USER_TOKEN_SECONDS};
use super::state::State;

/// The JSON in `RUNBEAM_MACHINE_TOKEN`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the protocol")]
pub struct MachineTokenJson {
    pub machine_token: String,
    pub expires_at: Timestamp,
    pub gateway_id: String,
    pub gateway_code: String,
    pub abilities: Vec<String>,
}

impl std::fmt::Display for MachineTokenJson {
    /// Writes the JSON on one line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| std::fmt::Error)?)
    }
}

/// Teams, gateways, documents and keys. A team is named by name, code or id, and is created if it does not exist. A
/// gateway is named by code or id.
///
/// # Panics
/// All methods panic for an unknown gateway, change or resource, and for an invalid document: a mistake in the test.
impl ControlPlane {
    /// Ensures that a team with a user exists, and returns the team's id.
    pub fn team(&self, name: &str) -> String {
        self.core.change(|state| state.team_or_new(name).id)
    }

    /// Issues a JWT for the team's user, to authorize gateways with.
    pub fn user_token(&self, team: &str) -> String {
        self.core.change(|state| {
            let team = state.team_or_new(team);
            let user = state.user_of(&team);
            state.user_jwt(&self.core.url, &user, USER_TOKEN_SECONDS)
        })
    }

    /// Issues an opaque token for the team's user.
    pub fn sanctum_token(&self, team: &str) -> String {
        self.core.change(|state| {
            let team = state.team_or_new(team);
            let user = state.user_of(&team);
            state.sanctum(&user)
        })
    }

    /// Approves a login of the command line, as the team's user does in the browser.
    pub fn approve_login(&self, device_token: &str, team: &str) {
        let user = self.core.change(|state| {
            let team = state.team_or_new(team);
            state.user_of(&team)
        });
        login::approve(&self.core, device_token, &user.id).expect("a login in progress");
    }

    /// Authorizes a gateway and returns its machine token.
    pub fn authorize(&self, team: &str, code: &str) -> MachineTokenJson {
        let seconds = self.core.settings.machine_token_seconds;
        let answer = self.core.change(|state| {
            let team = state.team_or_new(team);
            let user = state.user_of(&team);
            authorize::issue_machine_token(state, &user, code, seconds).expect("a gateway of that team")
        });
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        MachineTokenJson {
            machine_token: text(&answer["machine_token"]),
            expires_at: text(&answer["expires_at"]).parse().expect("a time"),
            gateway_id: text(&answer["gateway"]["id"]),
            gateway_code: code.to_owned(),
            abilities: ABILITIES.map(str::to_owned).to_vec(),
        }
    }

    /// Returns the id of a gateway.
    pub fn gateway_id(&self, gateway: &str) -> String {
        id_of(&self.core.state(), gateway)
    }

    /// Revokes all tokens of a gateway.
    pub fn revoke(&self, gateway: &str) {
        self.core.change(|state| {
            let id = id_of(state, gateway);
            state.machine_tokens.retain(|token| token.gateway_id != id);
        });
    }

    /// Expires all tokens of a gateway.
    pub fn expire(&self, gateway: &str) {
        self.core.change(|state| {
            let id = id_of(state, gateway);
            let past = Timestamp::now() - SignedDuration::from_secs(1);
            state.machine_tokens.iter_mut().filter(|t| t.gateway_id == id).for_each(|t| t.expires_at = past);
        });
    }

    /// Stores a document (`gateway`, `pipeline`, `transform` or `mesh`), issues it to the gateway, and returns the id
    /// of the change. The name is the key in the TOML; a document with the same name is replaced.
    pub fn put_document(&self, gateway: &str, kind: &str, toml: &str) -> String {
        self.core.change(|state| {
            // The stored document itself: looking it up by id would be ambiguous, since members of a mesh share its id.
            let document = stored(state, gateway, kind, toml);
            state.announce(&document)
        })
    }

    /// Stores a document without issuing a change, and returns its id.
    pub fn seed(&self, gateway: &str, kind: &str, toml: &str) -> String {
        self.core.change(|state| stored(state, gateway, kind, toml).id)
    }

    /// Stores a transform and returns its id, which `spec_path` names.
    pub fn transform(&self, gateway: &str, name: &str, instructions: &str) -> String {
        self.seed(gateway, "transform", &transform_toml(name, instructions))
    }

    /// Stores a mesh document of a gateway and returns the mesh's id: the one in the TOML, or a new one.
    pub fn mesh(&self, gateway: &str, toml: &str) -> String {
        let document = self.seed(gateway, "mesh", toml);
        let resources = self.core.state().resources_of(gateway);
        let mesh = resources.into_iter().find(|each| each.kind == "mesh" && each.document_id == document);
        mesh.expect("a mesh in the document").id
    }

    /// Issues a change of any type and text, without validation and without storing a document.
    pub fn change(&self, gateway: &str, kind: &str, toml: &str) -> String {
        self.core.change(|state| {
            let id = id_of(state, gateway);
            state.issue(&id, kind, toml, None)
        })
    }

    /// Sets the status of a waiting change to `queued`.
    pub fn queue(&self, change: &str) {
        self.core.change(|state| {
            let change = state.change_mut(change).filter(|change| change.is_waiting());
            change.expect("a waiting change").status = Status::Queued;
        });
    }

    /// Returns the TOML of a gateway's document by type and name. The name of the gateway document is `config`.
    pub fn document(&self, gateway: &str, kind: &str, name: &str) -> Option<String> {
        let state = self.core.state();
        let id = id_of(&state, gateway);
        let kind: Kind = kind.parse().expect("a type of document");
        let found =
            state.documents.iter().find(|d| d.gateway_id == id && d.kind == kind && d.name == name)?;
        Some(found.toml.clone())
    }

    /// Returns the id of a resource that a gateway's documents define. `kind` is a type of references.
    pub fn resource_id(&self, gateway: &str, kind: &str, name: &str) -> String {
        let all = self.core.state().resources_of(gateway);
        let found = all.into_iter().find(|each| each.kind == kind && each.name == name);
        found.unwrap_or_else(|| panic!("gateway {gateway} has no {kind} {name}")).id
    }

    /// Makes a resource visible to its own team only.
    pub fn make_private(&self, resource_id: &str) {
        self.core.change(|state| state.private_resources.insert(resource_id.to_owned()));
    }

    /// Signs with a new key from now on. The old ones stay published.
    pub fn rotate_keys(&self) {
        self.core.change(|state| state.keys.rotate());
    }

    /// Publishes only the key that signs.
    pub fn drop_old_keys(&self) {
        self.core.change(|state| state.keys.drop_old());
    }

    /// Signs any claims with the current key, for tokens that are almost valid.
    pub fn signed(&self, claims: &Value) -> String {
        self.core.change(|state| state.keys.sign(claims))
    }
}

fn id_of(state: &State, gateway: &str) -> String {
    state.gateway(gateway).unwrap_or_else(|| panic!("there is no gateway {gateway}")).id.clone()
}

fn stored(state: &mut State, gateway: &str, kind: &str, toml: &str) -> Document {
    let id = id_of(state, gateway);
    let kind = kind.parse().unwrap_or_else(|error| panic!("{error}"));
    state.store(&id, kind, None, toml).unwrap_or_else(|error| panic!("{error}")).0
}
