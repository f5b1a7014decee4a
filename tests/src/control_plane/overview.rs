use serde_json::{Value, json};

use super::change::{ChangeView, Status};
use super::core::Core;
use super::document::Kind;
use super::gateway::Gateway;
use super::gateway_document::Choices;
use super::state::State;

/// As many changes as a person looks at.
const SHOWN: usize = 100;

/// Everything that the page shows, in one answer.
pub(super) fn overview(core: &Core) -> Value {
    let state = core.state();
    let changes = state.changes.iter().rev().take(SHOWN);
    json!({
        "teams": state.teams,
        "users": state.users,
        "gateways": state.gateways.iter().map(|gateway| shown(&state, gateway)).collect::<Vec<_>>(),
        "changes": changes.collect::<Vec<_>>(),
    })
}

fn shown(state: &State, gateway: &Gateway) -> Value {
    let choices = Choices::read(state.known_config(&gateway.id).unwrap_or_default());
    let documents = state.documents.iter().filter(|document| document.gateway_id == gateway.id);
    let documents =
        documents.map(|document| json!({ "id": document.id, "type": document.kind, "name": document.name }));
    json!({
        "id": gateway.id,
        "code": gateway.code,
        "name": gateway.name,
        "team": state.team(&gateway.team_id).map(|team| &team.name),
        "last_contact": gateway.last_contact,
        "sync": sync(state, gateway),
        "primary_provider": choices.primary_provider,
        "poll_interval_secs": choices.poll_interval_secs,
        "documents": documents.collect::<Vec<_>>(),
    })
}

/// Whether the gateway has what is stored here, in a word.
fn sync(state: &State, gateway: &Gateway) -> &'static str {
    let own = || state.changes.iter().filter(|change| change.gateway_id == gateway.id);
    if gateway.last_contact.is_none() {
        "never seen"
    } else if own().any(|change| !change.is_settled()) {
        "changes waiting"
    } else if own().next_back().is_some_and(|change: &ChangeView| change.status == Status::Failed) {
        "last change failed"
    } else {
        "in sync"
    }
}

impl State {
    /// The last text of `config.toml` that is known of a gateway.
    pub(super) fn known_config(&self, gateway_id: &str) -> Option<&str> {
        let mut documents = self.documents.iter();
        let found =
            documents.find(|document| document.gateway_id == gateway_id && document.kind == Kind::Gateway)?;
        Some(&found.toml)
    }

    /// Issues the choices of the gateway's form as a change of its `config.toml`. Gives the change's id.
    pub(super) fn choose(
        &mut self,
        gateway_id: &str,
        name: &str,
        primary_provider: &str,
        poll_interval_secs: u16,
    ) -> Result<String, String> {
        let known = self.known_config(gateway_id).map(str::to_owned);
        let before = known.as_deref().map(|config| Choices::read(config).name);
        let renamed = self.gateway(gateway_id).is_some_and(|gateway| gateway.name != name);
        let choices = Choices {
            // A configuration without a name is not given one unless somebody wants it to have one.
            name: known.is_some().then(|| name.to_owned()).filter(|_| renamed || before.flatten().is_some()),
            primary_provider: primary_provider.to_owned(),
            poll_interval_secs,
        };
        let config = choices.write(known.as_deref().unwrap_or_default())?;
        if let Some(gateway) = self.gateways.iter_mut().find(|gateway| gateway.id == gateway_id) {
            name.clone_into(&mut gateway.name);
        }
        if known.is_none() {
            // What was made from nothing is not the gateway's configuration, so it is not kept as such.
            return Ok(self.issue(gateway_id, "gateway", &config, None));
        }
        let (document, _) = self.store(gateway_id, Kind::Gateway, None, &config)?;
        Ok(self.announce(&document))
    }
}
