//! Lists of resources, and the transforms that clients create.

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, non_blank};
use super::core::Core;
use super::credential::Caller;
use super::document::{Document, Kind};
use super::paging;
use super::resource::Resource;
use super::response::{ApiError, ApiResponse, ApiResult};
use super::state::State;

/// The resources that have a list.
pub(super) const KINDS: [&str; 6] =
    ["gateways", "services", "endpoints", "backends", "pipelines", "transforms"];

/// Lists the resources visible to the caller: those of the team for users, its own for a machine.
pub(super) fn list(core: &Core, call: &Call, caller: &Caller, kind: &str) -> ApiResult {
    caller.team_id()?;
    let all: Vec<Value> = all(&core.state(), caller, kind).into_iter().map(|(_, json)| json).collect();
    ApiResponse::ok(&paging::page(core, call, &all)?)
}

pub(super) fn get(core: &Core, caller: &Caller, kind: &str, wanted: &str) -> ApiResult {
    caller.team_id()?;
    let found = all(&core.state(), caller, kind)
        .into_iter()
        .find(|(_, json)| json["id"] == wanted || (kind == "gateways" && json["code"] == wanted));
    let (_, json) = found.ok_or_else(|| ApiError::not_found(format!("the {kind} have no entry {wanted}")))?;
    ApiResponse::ok(&json!({ "data": json }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTransform {
    name: String,
    gateway_id: Option<String>,
    instructions: String,
}

/// Creates a transform, for a user or for the calling gateway.
pub(super) fn create_transform(core: &Core, call: &Call, caller: &Caller) -> ApiResult {
    caller.team_id()?;
    let new: NewTransform = call.json()?;
    let name = non_blank("name", &new.name)?;
    non_blank("instructions", &new.instructions)?;
    core.change(|state| {
        let wanted = new.gateway_id.as_deref().or(caller.gateway_id());
        let wanted = wanted.ok_or_else(|| ApiError::unprocessable("`gateway_id` is missing"))?;
        let gateway = state.gateway(wanted).filter(|gateway| caller.sees(gateway)).cloned();
        let gateway = gateway.ok_or_else(|| ApiError::not_found("there is no such gateway"))?;
        let toml = transform_toml(name, &new.instructions);
        let stored = state.store(&gateway.id, Kind::Transform, None, &toml);
        let (document, _) = stored.map_err(ApiError::unprocessable)?;
        let json = transform(state, &document);
        Ok(ApiResponse::json(http::StatusCode::CREATED, &json!({ "data": json })))
    })
}

/// Builds the document of a transform.
pub(super) fn transform_toml(name: &str, instructions: &str) -> String {
    let mut document = toml_edit::DocumentMut::new();
    let mut named = toml_edit::Table::new();
    named.insert("instructions", toml_edit::value(instructions));
    let mut all = toml_edit::Table::new();
    all.set_implicit(true);
    all.insert(name, named.into());
    document.insert("transform", all.into());
    document.to_string()
}

/// Returns all resources of a kind that are visible to the caller, with their ids.
fn all(state: &State, caller: &Caller, kind: &str) -> Vec<(String, Value)> {
    let gateways = state.gateways.iter().filter(|gateway| caller.sees(gateway));
    match kind {
        "gateways" => gateways.map(|gateway| (gateway.id.clone(), gateway.json())).collect(),
        "transforms" => {
            let documents = state.documents.iter().filter(|document| document.kind == Kind::Transform);
            let visible = documents
                .filter(|document| state.gateway(&document.gateway_id).is_some_and(|g| caller.sees(g)));
            visible.map(|document| (document.id.clone(), transform(state, document))).collect()
        }
        "services" => gateways.flat_map(|gateway| services(state, &gateway.id)).collect(),
        _ => {
            let kind = kind.trim_end_matches('s');
            let resources = gateways.flat_map(|gateway| state.resources_of(&gateway.id));
            let wanted = resources.filter(|resource| resource.kind == kind);
            wanted.map(|resource| (resource.id.clone(), listed(&resource))).collect()
        }
    }
}

fn listed(resource: &Resource) -> Value {
    let field = |key: &str| resource.table.get(key).cloned();
    let mut json = json!({
        "type": resource.kind, "id": resource.id, "code": resource.name, "name": resource.name,
        "team_id": resource.team_id, "gateway_id": resource.gateway_id,
        "description": resource.text("description").unwrap_or_default(),
    });
    for key in
        ["networks", "endpoints", "backends", "middleware", "options", "connection", "target_ref", "peer_ref"]
    {
        if let Some(value) = field(key) {
            json[key] = json!(value);
        }
    }
    if resource.kind == "backend" {
        json["url"] = json!(resource.table.get("options").and_then(|options| options.get("base_url")));
        json["timeout_seconds"] = json!(field("timeout_secs"));
        json["max_retries"] = json!(field("max_retries"));
    }
    json
}

/// Derives the services from the endpoints and backends that name them; documents do not define services.
fn services(state: &State, gateway_id: &str) -> Vec<(String, Value)> {
    let resources = state.resources_of(gateway_id);
    let mut named: Vec<_> =
        resources.iter().filter_map(|each| Some((each.text("service")?, each.team_id.as_str()))).collect();
    named.sort_unstable();
    named.dedup();
    let service = |(name, team): (&str, &str)| {
        let id = format!("{gateway_id}-{name}");
        let json = json!({
            "type": "service", "id": id, "code": name, "name": name, "team_id": team, "gateway_id": gateway_id,
        });
        (id, json)
    };
    named.into_iter().map(service).collect()
}

fn transform(state: &State, document: &Document) -> Value {
    let table: Option<toml::Table> = document.toml.parse().ok();
    let named = table.as_ref().and_then(|table| {
        let all = table.get("transform").or_else(|| table.get("transforms"))?;
        all.get(&document.name)
    });
    let instructions = named.and_then(|named| {
        named.get("instructions").or_else(|| named.get("options")?.get("instructions"))?.as_str()
    });
    json!({
        "type": "transform", "id": document.id, "code": document.name, "name": document.name,
        "team_id": state.gateway(&document.gateway_id).map(|gateway| &gateway.team_id),
        "gateway_id": document.gateway_id, "options": { "instructions": instructions },
        "updated_at": document.updated_at,
    })
}
