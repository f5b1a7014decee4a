//! The request and response bodies of the control plane's API.
//!
//! Unknown fields are ignored. A required field that is missing or blank is an error of the call, never a guess.

use provider_api::{ChangeHead, ChangeId, DocumentKind, Resource};
use serde::{Deserialize, Serialize};

/// The response to `GET harmony/changes/{gateway_id}`.
#[derive(Debug, Deserialize)]
pub(crate) struct ChangeList {
    pub(crate) data: Vec<WireChange>,
    #[serde(default)]
    pub(crate) links: Option<Links>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Links {
    #[serde(default)]
    pub(crate) next: Option<String>,
}

/// The response to `GET harmony/change/{id}`.
#[derive(Debug, Deserialize)]
pub(crate) struct ChangeDetail {
    pub(crate) data: WireChange,
}

#[derive(Debug, Deserialize)]
pub(crate) struct WireChange {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) toml_config: Option<String>,
    #[serde(default)]
    pub(crate) created_at: Option<String>,
    /// The gateway that the change is for.
    #[serde(default)]
    pub(crate) gateway_id: Option<String>,
}

impl WireChange {
    /// Returns the gateway that the change is for, if the control plane says it.
    pub(crate) fn gateway(&self) -> Option<&str> {
        self.gateway_id.as_deref().map(str::trim).filter(|id| !id.is_empty())
    }

    pub(crate) fn head(&self) -> Option<ChangeHead> {
        Some(ChangeHead {
            id: ChangeId::new(self.id.as_str())?,
            kind: DocumentKind::from(self.kind.as_str()),
            created_at: self.created_at.clone(),
        })
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Acknowledge<'a> {
    pub(crate) change_ids: [&'a str; 1],
}

#[derive(Debug, Deserialize)]
pub(crate) struct Acknowledged {
    #[serde(default)]
    pub(crate) failed: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Failed<'a> {
    pub(crate) error: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) details: &'a [String],
}

/// The response to `GET harmony/resources/resolve`.
#[derive(Debug, Deserialize)]
pub(crate) struct ResolvedResource {
    pub(crate) data: Resource,
}

#[derive(Debug, Serialize)]
pub(crate) struct MeshTokenRequest<'a> {
    pub(crate) mesh_id: &'a str,
    pub(crate) destination_url: &'a str,
}

#[derive(Deserialize)]
pub(crate) struct MeshTokenAnswer {
    pub(crate) token: provider_api::Secret,
    pub(crate) expires_at: jiff::Timestamp,
    #[serde(default)]
    pub(crate) mesh_id: Option<String>,
}

/// The response to `GET api/.well-known/jwks.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Jwks {
    pub(crate) keys: Vec<serde_json::Value>,
}

/// A key of a key set (RFC 7517, section 4).
#[derive(Debug, Deserialize)]
pub(crate) struct Jwk {
    pub(crate) kty: String,
    #[serde(default, rename = "use")]
    pub(crate) usage: Option<String>,
    #[serde(default)]
    pub(crate) alg: Option<String>,
    #[serde(default)]
    pub(crate) kid: Option<String>,
    #[serde(default)]
    pub(crate) n: Option<String>,
    #[serde(default)]
    pub(crate) e: Option<String>,
}

/// The response to `GET api/transforms/{id}`.
#[derive(Debug, Deserialize)]
pub(crate) struct TransformAnswer {
    pub(crate) data: Transform,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Transform {
    pub(crate) options: TransformOptions,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TransformOptions {
    pub(crate) instructions: String,
}

/// The response to `GET harmony/base-url`.
#[derive(Debug, Deserialize)]
pub(crate) struct BaseUrl {
    #[serde(default)]
    pub(crate) base_url: Option<String>,
    #[serde(default)]
    pub(crate) full_url: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct AuthorizeRequest<'a> {
    pub(crate) token: &'a str,
    pub(crate) gateway_code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) machine_public_key: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) metadata: &'a [String],
}

#[derive(Deserialize)]
pub(crate) struct Authorized {
    pub(crate) machine_token: provider_api::Secret,
    pub(crate) expires_at: jiff::Timestamp,
    pub(crate) gateway: AuthorizedGateway,
    #[serde(default)]
    pub(crate) abilities: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AuthorizedGateway {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) code: Option<String>,
    #[serde(default)]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Update<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<&'a str>,
    pub(crate) config: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Updated {
    pub(crate) data: UpdatedModel,
}

#[derive(Debug, Deserialize)]
pub(crate) struct UpdatedModel {
    pub(crate) id: String,
    pub(crate) action: String,
}

/// The JSON body of an error response.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Problem {
    #[serde(default)]
    pub(crate) error: Option<String>,
    #[serde(default)]
    pub(crate) message: Option<String>,
}
