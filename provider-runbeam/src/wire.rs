//! The request and response bodies of the control plane's API.
//!
//! Unknown fields are ignored. A required field that is missing or blank is an error of the call, never a guess. A bad item
//! of a list, and a field that nothing depends on, do not spoil the rest of an answer.

use provider_api::Resource;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::texts;

/// The response to `GET harmony/changes/{gateway_id}`.
#[derive(Debug, Deserialize)]
pub(crate) struct ChangeList {
    /// The entries as they are: each is read by itself (`entry`).
    #[serde(deserialize_with = "items")]
    pub(crate) data: Vec<Value>,
    /// The link to the next page, `next` of `links`.
    #[serde(default, rename = "links", deserialize_with = "next_page")]
    pub(crate) next: Option<String>,
}

/// Decodes the items of a list, each by itself. One that is valid JSON and nothing that can be read (half of a surrogate pair,
/// a number out of range, a nesting too deep) is null.
fn items<'de, D: Deserializer<'de>>(list: D) -> Result<Vec<Value>, D::Error> {
    let items = Vec::<Box<RawValue>>::deserialize(list)?;
    Ok(items.iter().map(|item| serde_json::from_str(item.get()).unwrap_or_default()).collect())
}

/// Decodes the links between pages. Frameworks write an empty object as an empty list, and no link as null, false or an
/// empty text. Every other value may stand for a page that cannot be read, so it is an error.
fn next_page<'de, D: Deserializer<'de>>(links: D) -> Result<Option<String>, D::Error> {
    let next = match Value::deserialize(links)? {
        Value::Null => return Ok(None),
        Value::Array(links) if links.is_empty() => return Ok(None),
        Value::Object(mut links) => links.remove("next").unwrap_or_default(),
        _ => return Err(D::Error::custom("expected links")),
    };
    match next {
        Value::Null | Value::Bool(false) => Ok(None),
        Value::String(link) => Ok(Some(link).filter(|link| !link.trim().is_empty())),
        _ => Err(D::Error::custom("expected a link")),
    }
}

/// The response to `GET harmony/change/{id}`.
#[derive(Debug, Deserialize)]
pub(crate) struct ChangeDetail {
    pub(crate) data: WireChange,
}

#[derive(Debug, Deserialize)]
pub(crate) struct WireChange {
    #[serde(deserialize_with = "texts::text")]
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) toml_config: Option<String>,
    /// The gateway that the change is for.
    #[serde(default, deserialize_with = "texts::optional")]
    pub(crate) gateway_id: Option<String>,
}

impl WireChange {
    /// Returns the gateway that the change is for, if the control plane says it.
    pub(crate) fn gateway(&self) -> Option<&str> {
        self.gateway_id.as_deref().map(str::trim).filter(|id| !id.is_empty())
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Acknowledge<'a> {
    pub(crate) change_ids: [&'a str; 1],
}

/// The response to an acknowledgement: an object whose `failed` has the changes that were not acknowledged, in whatever form.
#[derive(Debug, Deserialize)]
pub(crate) struct Acknowledged(serde_json::Map<String, Value>);

impl Acknowledged {
    /// Reports whether the acknowledgement of the change `id` failed.
    pub(crate) fn has_failed(&self, id: &str) -> bool {
        self.0.get("failed").is_some_and(|failed| texts::names(failed, id))
    }
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
    #[serde(deserialize_with = "resource")]
    pub(crate) data: Resource,
}

/// Decodes a resource. Ids may be numbers, null is absent, and the items of a list that are not texts are left out: one bad
/// URL does not take the others. Nothing is guessed for `type`, `enabled` and `mode`.
fn resource<'de, D: Deserializer<'de>>(value: D) -> Result<Resource, D::Error> {
    let mut value = Value::deserialize(value)?;
    if let Value::Object(fields) = &mut value {
        fields.retain(|name, value| !value.is_null() || matches!(&**name, "type" | "enabled" | "mode"));
        for (name, value) in fields.iter_mut() {
            match value {
                Value::Number(_) if name == "id" || name == "name" || name.ends_with("_id") => {
                    *value = texts::as_text(value).map_or(Value::Null, Value::String);
                }
                Value::Array(items) if matches!(&**name, "urls" | "ingress" | "egress") => {
                    let all = items.len();
                    items.retain(Value::is_string);
                    match (all - items.len(), items.is_empty()) {
                        (0, _) => {}
                        (_, true) => return Err(D::Error::custom("a list without any text")),
                        (bad, false) => tracing::warn!(
                            list = name,
                            bad,
                            "the control plane sent a resource with items that are not text; they are left out"
                        ),
                    }
                }
                _ => {}
            }
        }
    }
    serde_json::from_value(value).map_err(|_| D::Error::custom("expected a resource"))
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
    #[serde(default, deserialize_with = "texts::optional")]
    pub(crate) mesh_id: Option<String>,
}

/// The response to `GET api/.well-known/jwks.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Jwks {
    #[serde(deserialize_with = "items")]
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
    #[serde(default, deserialize_with = "texts::optional")]
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
    #[serde(default, deserialize_with = "texts::descriptive")]
    pub(crate) base_url: Option<String>,
    #[serde(default, deserialize_with = "texts::descriptive")]
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
    #[serde(default, deserialize_with = "texts::list")]
    pub(crate) abilities: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AuthorizedGateway {
    #[serde(deserialize_with = "texts::text")]
    pub(crate) id: String,
    #[serde(default, deserialize_with = "texts::descriptive")]
    pub(crate) code: Option<String>,
    #[serde(default, deserialize_with = "texts::descriptive")]
    pub(crate) name: Option<String>,
}

/// The response to `POST api/cli/start-login`.
#[derive(Deserialize)]
pub(crate) struct StartedLogin {
    pub(crate) device_token: provider_api::Secret,
    #[serde(deserialize_with = "texts::text")]
    pub(crate) verification_url: String,
    pub(crate) expires_in_seconds: u64,
}

/// The response to `GET api/cli/check-login/{device_token}`.
#[derive(Deserialize)]
pub(crate) struct CheckedLogin {
    #[serde(deserialize_with = "texts::text")]
    pub(crate) status: String,
    pub(crate) token: Option<provider_api::Secret>,
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
    #[serde(deserialize_with = "texts::text")]
    pub(crate) id: String,
    #[serde(default, deserialize_with = "texts::descriptive")]
    pub(crate) action: Option<String>,
}

/// The JSON body of an error response.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Problem {
    #[serde(default, deserialize_with = "texts::descriptive")]
    pub(crate) error: Option<String>,
    #[serde(default, deserialize_with = "texts::descriptive")]
    pub(crate) message: Option<String>,
}
