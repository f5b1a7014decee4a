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

/// What `RUNBEAM_MACHINE_TOKEN` holds.
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
    /// The JSON, as the environment variable takes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| std::fmt::Error)?)
    }
}

/// What exists. Teams are named by name, code or id and are made when they are new; gateways by code or id.
///
/// # Panics
/// All of these panic when they are given a gateway, change or resource that does not exist, or a document that is
/// none: the test is wrong then.
impl ControlPlane {
    /// A team with a user. Gives the team's id.
    pub fn team(&self, name: &str) -> String {
        self.core.change(|state| state.team_or_new(name).id)
    }

    /// A user's JWT of that team, for authorizing gateways.
    pub fn user_token(&self, team: &str) -> String {
        self.core.change(|state| {
            let team = state.team_or_new(team);
            let user = state.user_of(&team);
            state.user_jwt(&self.core.url, &user, USER_TOKEN_SECONDS)
        })
    }

    /// A user's opaque token of that team.
    pub fn sanctum_token(&self, team: &str) -> String {
        self.core.change(|state| {
            let team = state.team_or_new(team);
            let user = state.user_of(&team);
            state.sanctum(&user)
        })
    }

    /// Agrees to a login of the command line, as the team's user does in the browser.
    pub fn approve_login(&self, device_token: &str, team: &str) {
        let user = self.core.change(|state| {
            let team = state.team_or_new(team);
            state.user_of(&team)
        });
        login::approve(&self.core, device_token, &user.id).expect("a login that was begun");
    }

    /// A gateway with a token of its own, as if it had been authorized.
    pub fn authorized(&self, team: &str, code: &str) -> MachineTokenJson {
        let seconds = self.core.settings.machine_token_seconds;
        let answer = self.core.change(|state| {
            let team = state.team_or_new(team);
            let user = state.user_of(&team);
            authorize::machine(state, &user, code, seconds).expect("a gateway of that team")
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

    /// The id of a gateway.
    pub fn gateway_id(&self, gateway: &str) -> String {
        known(&self.core.state(), gateway)
    }

    /// Takes back every token of a gateway.
    pub fn revoke(&self, gateway: &str) {
        self.core.change(|state| {
            let id = known(state, gateway);
            state.machine_tokens.retain(|token| token.gateway_id != id);
        });
    }

    /// Lets every token of a gateway expire now.
    pub fn expire(&self, gateway: &str) {
        self.core.change(|state| {
            let id = known(state, gateway);
            let past = Timestamp::now() - SignedDuration::from_secs(1);
            state.machine_tokens.iter_mut().filter(|t| t.gateway_id == id).for_each(|t| t.expires_at = past);
        });
    }

    /// Keeps a document (`gateway`, `pipeline`, `transform` or `mesh`) and issues it to the gateway. The name is the
    /// key in the TOML; a document of the same name is replaced. Gives the id of the change.
    pub fn put_document(&self, gateway: &str, kind: &str, toml: &str) -> String {
        self.core.change(|state| {
            // The document itself and not its id, which members of one mesh share.
            let document = stored(state, gateway, kind, toml);
            state.announce(&document)
        })
    }

    /// Keeps a document as if the gateway had handed it in long ago: no change is issued. Gives the document's id.
    pub fn seed(&self, gateway: &str, kind: &str, toml: &str) -> String {
        self.core.change(|state| stored(state, gateway, kind, toml).id)
    }

    /// Keeps a transform. Gives its id, which is what `spec_path` names.
    pub fn transform(&self, gateway: &str, name: &str, instructions: &str) -> String {
        self.seed(gateway, "transform", &transform_toml(name, instructions))
    }

    /// Keeps a mesh document of a gateway. Gives the mesh's id: the one in the TOML, or a new one.
    pub fn mesh(&self, gateway: &str, toml: &str) -> String {
        let document = self.seed(gateway, "mesh", toml);
        let resources = self.core.state().resources_of(gateway);
        let mesh = resources.into_iter().find(|each| each.kind == "mesh" && each.document_id == document);
        mesh.expect("a mesh in the document").id
    }

    /// Issues a change as it is: of any type, with any text, kept nowhere. For what a gateway must refuse.
    pub fn change(&self, gateway: &str, kind: &str, toml: &str) -> String {
        self.core.change(|state| {
            let id = known(state, gateway);
            state.issue(&id, kind, toml, None)
        })
    }

    /// Calls a change that waits `queued` instead of `pending`.
    pub fn queue(&self, change: &str) {
        self.core.change(|state| {
            let change = state.change_mut(change).filter(|change| change.is_waiting());
            change.expect("a change that waits").status = Status::Queued;
        });
    }

    /// The TOML of a document of a gateway, by type and name. A gateway's own document has the name `config`.
    pub fn document(&self, gateway: &str, kind: &str, name: &str) -> Option<String> {
        let state = self.core.state();
        let id = known(&state, gateway);
        let kind: Kind = kind.parse().expect("a type of document");
        let found =
            state.documents.iter().find(|d| d.gateway_id == id && d.kind == kind && d.name == name)?;
        Some(found.toml.clone())
    }

    /// The id of something that a gateway's documents define: its type is one of those in references.
    pub fn resource_id(&self, gateway: &str, kind: &str, name: &str) -> String {
        let all = self.core.state().resources_of(gateway);
        let found = all.into_iter().find(|each| each.kind == kind && each.name == name);
        found.unwrap_or_else(|| panic!("gateway {gateway} has no {kind} {name}")).id
    }

    /// Lets only its own team see a resource.
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

    /// A JWT of any claims, signed by the key that signs now. For tokens that are almost right.
    pub fn signed(&self, claims: &Value) -> String {
        self.core.change(|state| state.keys.sign(claims))
    }
}

fn known(state: &State, gateway: &str) -> String {
    state.gateway(gateway).unwrap_or_else(|| panic!("there is no gateway {gateway}")).id.clone()
}

fn stored(state: &mut State, gateway: &str, kind: &str, toml: &str) -> Document {
    let id = known(state, gateway);
    let kind = kind.parse().unwrap_or_else(|wrong| panic!("{wrong}"));
    state.store(&id, kind, None, toml).unwrap_or_else(|wrong| panic!("{wrong}")).0
}
