//! The effect of each request on the control plane, and its correct response.

use provider_api::testkit::{Heard, Jwt};
use provider_api::{Reference, ResourceKey};
use serde_json::{Value, json};

use super::{KEYS, ORIGIN, Reply, Request, State, StoredChange, USER};

/// The URL of a member of the mesh.
pub(crate) const REACHABLE: &str = "https://node-b.kit.example/r4";

/// Executes a request.
pub(super) fn handle(state: &mut State, request: &Request, now: u64) -> Reply {
    if request.operation != "enroll" && request.operation != "keys" {
        let known = request.bearer.as_ref().is_some_and(|token| state.machines.contains(token));
        if !known {
            return Reply::refusal(401, "the token is unknown");
        }
    }
    let body = &request.body;
    match request.operation {
        "pending" => pending(state, body),
        "fetch" => match found(state, body) {
            Some(change) => {
                let attachments: Vec<_> = change
                    .attachments
                    .iter()
                    .map(|attachment| json!({ "name": attachment.name, "content": attachment.content }))
                    .collect();
                Reply::json(
                    200,
                    &json!({ "id": change.id, "kind": change.kind, "document": change.document,
                             "attachments": attachments }),
                )
            }
            None => Reply::refusal(404, "no such change"),
        },
        "report" => report(state, body),
        "resolve" => resolve(state, body),
        "issue" => issue(state, body, now),
        "keys" => {
            let published: Vec<Value> = KEYS[..=state.signing].iter().filter_map(|key| key.jwk()).collect();
            Reply::json(200, &json!({ "keys": published }))
        }
        "enroll" => {
            if request.bearer.as_deref() != Some(USER) {
                return Reply::refusal(403, "you may not authorize this gateway");
            }
            let token = state.new_machine();
            Reply::json(200, &json!({ "token": token, "gateway": "gateway-1", "expires": now + 30 * 86_400 }))
        }
        "publish" => publish(state, body),
        _ => Reply::refusal(404, "no such call"),
    }
}

impl State {
    pub(crate) fn new_machine(&mut self) -> String {
        self.issued += 1;
        let token = format!("machine-token-canary-{:04}", self.issued);
        self.machines.insert(token.clone());
        token
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        Jwt::new(claims.clone()).signed(&KEYS[self.signing]).to_string()
    }
}

fn found<'a>(state: &'a mut State, body: &Value) -> Option<&'a mut StoredChange> {
    state.changes.iter_mut().find(|change| body["id"] == change.id.as_str())
}

fn pending(state: &State, body: &Value) -> Reply {
    if body["known"] == json!(state.version) {
        return Reply::json(304, &Value::Null);
    }
    // Newest first and in pages, like Runbeam Cloud: a provider must reverse and read on.
    let all: Vec<Value> = state
        .changes
        .iter()
        .rev()
        .filter(|change| change.is_pending())
        .map(|change| json!({ "id": change.id, "kind": change.kind }))
        .collect();
    let page = body["page"].as_u64().unwrap_or_default() as usize;
    let shown: Vec<&Value> = all.iter().skip(page * 20).take(20).collect();
    let more = all.len() > (page + 1) * 20;
    Reply::json(200, &json!({ "version": state.version, "changes": shown, "more": more }))
}

fn report(state: &mut State, body: &Value) -> Reply {
    let words = body["words"].as_str().unwrap_or_default().to_owned();
    let status = match body["status"].as_str() {
        Some("received") => Heard::Received,
        Some("applied") => Heard::Applied,
        Some("rejected") => Heard::Rejected(words),
        _ => return Reply::refusal(422, "no such status"),
    };
    let Some(change) = found(state, body) else { return Reply::refusal(404, "no such change") };
    change.reports.push(status);
    state.version += 1;
    Reply::json(200, &json!({ "success": true }))
}

fn resolve(state: &State, body: &Value) -> Reply {
    let Some(Ok(reference)) = body["reference"].as_str().map(str::parse::<Reference>) else {
        return Reply::refusal(400, "not a reference");
    };
    let fits = |wanted: &str, is: &str| match body["beginning"].as_bool() {
        Some(true) => is.starts_with(wanted),
        _ => is == wanted,
    };
    let found = state.resources.iter().find(|(resource, _)| {
        let same = match reference.key() {
            ResourceKey::Name(name) => fits(name, &resource.name),
            ResourceKey::Id(id) => *id == resource.id,
        };
        same && reference.resource_type().is_none_or(|kind| kind == resource.kind)
    });
    match found {
        Some((_, true)) => Reply::refusal(403, "the resource is private"),
        Some((resource, false)) => Reply::json(200, &json!({ "data": resource })),
        None => Reply::refusal(404, "no such resource"),
    }
}

fn issue(state: &State, body: &Value, now: u64) -> Reply {
    let (mesh, destination) = (body["mesh"].as_str().unwrap_or_default(), body["destination"].as_str());
    if !state.meshes.contains(mesh) {
        return Reply::refusal(404, "no such mesh");
    }
    let Some(destination) = destination.filter(|url| url.starts_with(REACHABLE)) else {
        return Reply::refusal(403, "no member has this destination");
    };
    let claims = json!({
        "iss": ORIGIN, "sub": "gateway-1", "aud": format!("mesh:{mesh}"), "mesh_id": mesh,
        "dest_url": destination, "iat": now, "exp": now + 300,
    });
    Reply::json(200, &json!({ "token": state.sign(&claims), "expires": now + 300, "mesh": mesh }))
}

fn publish(state: &mut State, body: &Value) -> Reply {
    let text = body["document"].as_str().unwrap_or_default().to_owned();
    if text.contains("unacceptable") {
        return Reply::refusal(422, "the document is not accepted");
    }
    match body["id"].as_str() {
        Some(id) if state.documents.contains_key(id) => {
            state.documents.insert(id.to_owned(), text);
            Reply::json(200, &json!({ "id": id, "created": false }))
        }
        Some(_) => Reply::refusal(404, "no such document"),
        None => {
            let id = format!("document-{}", state.documents.len() + 1);
            state.documents.insert(id.clone(), text);
            Reply::json(200, &json!({ "id": id, "created": true }))
        }
    }
}
