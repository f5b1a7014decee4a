//! The resources that documents define.

use serde_json::{Value, json};
use toml::Table;

use super::document::{Document, Kind};
use super::id::ulid;
use super::reference::{Reference, Wanted};
use super::state::State;

/// A resource that a document defines and a reference can name.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) kind: &'static str,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) team_id: String,
    pub(super) gateway_id: String,
    pub(super) document_id: String,
    /// The pipeline that contains it.
    pub(super) pipeline: Option<String>,
    /// The table in the document.
    pub(super) table: Table,
}

impl Resource {
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.table.get(key)?.as_str()
    }

    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        let list = self.table.get(key).and_then(|list| list.as_array());
        list.into_iter().flatten().filter_map(|entry| entry.as_str().map(str::to_owned)).collect()
    }

    pub(super) fn enabled(&self) -> bool {
        self.table.get("enabled").and_then(toml::Value::as_bool).unwrap_or(true)
    }

    fn urls(&self) -> Vec<String> {
        let base = self.table.get("options").and_then(|options| options.get("base_url")?.as_str());
        base.map_or_else(|| self.texts("urls"), |base| vec![base.to_owned()])
    }

    /// The response of the resolve call.
    pub(super) fn json(&self, state: &State) -> Value {
        let sibling =
            |kind: &str, name: &str| state.resource_ids.get(&key(&self.gateway_id, kind, name)).cloned();
        let mut json = json!({
            "type": self.kind, "id": self.id, "name": self.name, "team_id": self.team_id, "enabled": self.enabled(),
            "gateway_id": self.gateway_id, "urls": self.urls(), "protocol": self.text("type"),
            "mode": self.text("mode"), "description": self.text("description"), "provider": self.text("provider"),
            "auth_type": self.text("auth_type"), "service_id": self.text("service"),
            "pipeline_id": self.pipeline.as_deref().and_then(|name| sibling("pipeline", name)),
            "endpoint_id": self.text("endpoint").and_then(|name| sibling("endpoint", name)),
            "backend_id": self.text("backend").and_then(|name| sibling("backend", name)),
            "mesh_id": self.mesh(state),
        });
        if self.kind == "mesh" {
            json["ingress"] = json!(self.texts("ingress"));
            json["egress"] = json!(self.texts("egress"));
        }
        if matches!(self.kind, "ingress" | "egress") && self.text("mode").is_none() {
            json["mode"] = json!("default");
        }
        json
    }

    /// The mesh of the same gateway that lists this ingress or egress.
    fn mesh(&self, state: &State) -> Option<String> {
        let lists = |mesh: &Resource| mesh.kind == "mesh" && mesh.texts(self.kind).contains(&self.name);
        let own = state.resources_of(&self.gateway_id);
        own.into_iter().find(lists).map(|mesh| mesh.id)
    }
}

/// Assigns ids to all resources that a document defines. An id stays when the document is edited.
pub(super) fn assign_ids(state: &mut State, document: &Document) {
    for (kind, name, _, table) in defined_in(&document.toml) {
        let own = match kind {
            "mesh" => table.get("id").and_then(toml::Value::as_str).map(str::to_owned),
            "pipeline" if document.kind == Kind::Pipeline && document.name == name => {
                Some(document.id.clone())
            }
            _ => None,
        };
        let key = key(&document.gateway_id, kind, &name);
        match own {
            Some(id) => drop(state.resource_ids.insert(key, id)),
            None => drop(state.resource_ids.entry(key).or_insert_with(ulid)),
        }
    }
}

fn key(gateway_id: &str, kind: &str, name: &str) -> String {
    format!("{gateway_id}/{kind}/{name}")
}

type Defined = (&'static str, String, Option<String>, Table);

fn defined_in(toml: &str) -> Vec<Defined> {
    let Ok(table) = toml.parse::<Table>() else { return Vec::new() };
    let mut all = Vec::new();
    for (key, kind) in
        [("pipelines", "pipeline"), ("endpoints", "endpoint"), ("backends", "backend"), ("mesh", "mesh")]
    {
        all.extend(tables(&table, key).map(|(name, table)| (kind, name.clone(), None, table.clone())));
    }
    for (pipeline, inner) in tables(&table, "pipelines") {
        let Some(mesh) = inner.get("mesh").and_then(|mesh| mesh.as_table()) else { continue };
        for kind in ["ingress", "egress"] {
            all.extend(
                tables(mesh, kind)
                    .map(|(name, table)| (kind, name.clone(), Some(pipeline.clone()), table.clone())),
            );
        }
    }
    all
}

fn tables<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = (&'a String, &'a Table)> {
    let inner = table.get(key).and_then(|inner| inner.as_table());
    inner.into_iter().flatten().filter_map(|(name, value)| Some((name, value.as_table()?)))
}

impl State {
    /// Returns all resources that the documents of one gateway define.
    pub(super) fn resources_of(&self, gateway_id: &str) -> Vec<Resource> {
        let Some(gateway) = self.gateway(gateway_id) else { return Vec::new() };
        let documents = self.documents.iter().filter(|document| document.gateway_id == gateway.id);
        let defined = documents.flat_map(|document| {
            defined_in(&document.toml).into_iter().map(move |defined| (document, defined))
        });
        defined
            .filter_map(|(document, (kind, name, pipeline, table))| {
                Some(Resource {
                    kind,
                    id: self.resource_ids.get(&key(&gateway.id, kind, &name))?.clone(),
                    name,
                    team_id: gateway.team_id.clone(),
                    gateway_id: gateway.id.clone(),
                    document_id: document.id.clone(),
                    pipeline,
                    table,
                })
            })
            .collect()
    }

    pub(super) fn resources(&self) -> Vec<Resource> {
        self.gateways.iter().flat_map(|gateway| self.resources_of(&gateway.id)).collect()
    }

    /// Resolves a reference. If several gateways have a resource with that name, the caller's own is preferred.
    pub(super) fn find(&self, reference: &Reference, own_gateway: Option<&str>) -> Option<Resource> {
        let team = match &reference.team {
            Some(team) => Some(self.team(team)?.id.clone()),
            None => None,
        };
        let mut found: Vec<_> = self
            .resources()
            .into_iter()
            .filter(|resource| team.as_ref().is_none_or(|team| resource.team_id == *team))
            .filter(|resource| reference.kind.as_ref().is_none_or(|kind| resource.kind == *kind))
            .filter(|resource| match &reference.wanted {
                Wanted::Id(id) => resource.id == *id,
                Wanted::Name(name) => resource.name == *name,
            })
            .collect();
        found.sort_by_key(|resource| Some(resource.gateway_id.as_str()) != own_gateway);
        found.into_iter().next()
    }

    /// Returns true if a team may see a resource.
    pub(super) fn may_see(&self, team_id: &str, resource: &Resource) -> bool {
        resource.team_id == team_id || !self.private_resources.contains(&resource.id)
    }
}
