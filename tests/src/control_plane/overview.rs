//! The state as JSON for scripts, and the form of a gateway.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::core::Core;
use super::document::Kind;
use super::gateway::Gateway;
use super::gateway_document::GatewayForm;
use super::standing::Standing;
use super::state::State;

/// The number of changes in the answer.
const MAX_CHANGES: usize = 100;

/// Returns teams, users, gateways and changes in one response.
pub(super) fn overview(core: &Core) -> Value {
    let state = core.state();
    let changes = state.changes.iter().rev().take(MAX_CHANGES);
    json!({
        "teams": state.teams,
        "users": state.users,
        "gateways": state.gateways.iter().map(|gateway| summary(&state, gateway)).collect::<Vec<_>>(),
        "changes": changes.collect::<Vec<_>>(),
    })
}

fn summary(state: &State, gateway: &Gateway) -> Value {
    let form = GatewayForm::read(state.known_config(&gateway.id).unwrap_or_default());
    let documents = state.documents.iter().filter(|document| document.gateway_id == gateway.id);
    let documents =
        documents.map(|document| json!({ "id": document.id, "type": document.kind, "name": document.name }));
    json!({
        "id": gateway.id,
        "code": gateway.code,
        "name": gateway.name,
        "team": state.team(&gateway.team_id).map(|team| &team.name),
        "last_contact": gateway.last_contact,
        "sync": Standing::of(state, gateway, Timestamp::now()).name(),
        "primary_provider": form.primary_provider,
        "poll_interval_secs": form.poll_interval_secs,
        "documents": documents.collect::<Vec<_>>(),
    })
}

impl State {
    /// The last known `config.toml` of a gateway.
    pub(super) fn known_config(&self, gateway_id: &str) -> Option<&str> {
        let mut documents = self.documents.iter();
        let found =
            documents.find(|document| document.gateway_id == gateway_id && document.kind == Kind::Gateway)?;
        Some(&found.toml)
    }

    /// Issues the settings of the gateway's form as a change of its `config.toml`, and returns the change's id.
    pub(super) fn save_form(
        &mut self,
        gateway_id: &str,
        name: &str,
        primary_provider: &str,
        poll_interval_secs: u16,
    ) -> Result<String, String> {
        let known = self.known_config(gateway_id).map(str::to_owned);
        let before = known.as_deref().map(|config| GatewayForm::read(config).name);
        let renamed = self.gateway(gateway_id).is_some_and(|gateway| gateway.name != name);
        let form = GatewayForm {
            // A configuration without a name gets one only if the user changed the name in the form.
            name: known.is_some().then(|| name.to_owned()).filter(|_| renamed || before.flatten().is_some()),
            primary_provider: primary_provider.to_owned(),
            poll_interval_secs,
        };
        let config = form.write(known.as_deref().unwrap_or_default())?;
        if let Some(gateway) = self.gateways.iter_mut().find(|gateway| gateway.id == gateway_id) {
            name.clone_into(&mut gateway.name);
        }
        if known.is_none() {
            // The gateway's configuration is unknown here, so these few keys must not be stored as its document.
            return Ok(self.issue(gateway_id, "gateway", &config, None));
        }
        let (document, _) = self.store(gateway_id, Kind::Gateway, None, &config)?;
        Ok(self.announce(&document))
    }
}
