//! Resources, the targets of references.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The type of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceType {
    /// The URLs at which a gateway accepts requests.
    Ingress,
    /// The exit through which a gateway sends requests into a mesh.
    Egress,
    /// A chain of endpoints, middleware and backends.
    Pipeline,
    /// The entry of a pipeline.
    Endpoint,
    /// The exit of a pipeline towards a service.
    Backend,
    /// A group of gateways that trust each other's tokens.
    Mesh,
}

impl ResourceType {
    /// All types, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::Ingress, Self::Egress, Self::Pipeline, Self::Endpoint, Self::Backend, Self::Mesh];

    /// Returns the name of the type in references.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
            Self::Pipeline => "pipeline",
            Self::Endpoint => "endpoint",
            Self::Backend => "backend",
            Self::Mesh => "mesh",
        }
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ResourceType {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|t| t.as_str() == text).ok_or(())
    }
}

/// The admission mode of an ingress or egress for requests without mesh context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Admits all requests. A valid mesh token adds mesh context.
    #[default]
    Default,
    /// Admits only requests with mesh context.
    Mesh,
}

/// A resource as the control plane describes it.
///
/// Decoding ignores unknown fields, so that a control plane can add some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Resource {
    /// The type; `type` in JSON.
    #[serde(rename = "type")]
    pub kind: ResourceType,
    /// The id at the provider.
    pub id: String,
    /// The name, unique among the resources of the same type and owner.
    pub name: String,
    /// The team that owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// False when the owner has switched the resource off. True when the field is missing.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// The gateway that serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_id: Option<String>,
    /// The pipeline of which it is a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_id: Option<String>,
    /// The mesh of which it is a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh_id: Option<String>,
    /// The URLs at which it accepts requests, the preferred one first.
    #[serde(default)]
    pub urls: Vec<String>,
    /// The protocol, `http` or `http3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The admission mode of an ingress or egress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The backend of an egress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_id: Option<String>,
    /// The service that implements it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    /// The endpoint of an ingress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
    /// The description by its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The provider that manages it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The authentication method of the members of a mesh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_type: Option<String>,
    /// The ingresses of a mesh, as references.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ingress: Vec<String>,
    /// The egresses of a mesh, as references.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<String>,
}

fn enabled() -> bool {
    true
}

impl Resource {
    /// Creates an enabled resource whose other fields are empty.
    pub fn new(kind: ResourceType, id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
            name: name.into(),
            team_id: None,
            enabled: true,
            gateway_id: None,
            pipeline_id: None,
            mesh_id: None,
            urls: Vec::new(),
            protocol: None,
            mode: None,
            backend_id: None,
            service_id: None,
            endpoint_id: None,
            description: None,
            provider: None,
            auth_type: None,
            ingress: Vec::new(),
            egress: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_are_ignored() {
        let json = r#"{"type":"ingress","id":"01H","name":"fhir","tomorrow":{"a":1},"urls":["https://a/"]}"#;
        let resource: Resource = serde_json::from_str(json).unwrap();
        assert!(resource.enabled && resource.mode.is_none());
        assert_eq!(resource.urls, ["https://a/"]);
    }
}
