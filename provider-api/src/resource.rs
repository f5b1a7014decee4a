use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What kind of thing a reference names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceType {
    /// URLs under which a gateway can be reached.
    Ingress,
    /// A way out of a gateway towards a mesh.
    Egress,
    /// Endpoints, middleware and backends in one chain.
    Pipeline,
    /// Where requests enter a pipeline.
    Endpoint,
    /// Where requests leave a pipeline.
    Backend,
    /// Gateways that trust each other's tokens.
    Mesh,
}

impl ResourceType {
    /// Every type, in the order the documentation lists them.
    pub const ALL: [Self; 6] =
        [Self::Ingress, Self::Egress, Self::Pipeline, Self::Endpoint, Self::Backend, Self::Mesh];

    /// The type as it stands in a reference.
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

/// Whether requests without mesh context may pass an ingress or egress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// All requests pass; a valid mesh token adds mesh context.
    #[default]
    Default,
    /// Only requests with mesh context pass.
    Mesh,
}

/// Something that a reference resolves to, as the control plane describes it.
///
/// Fields a control plane sends beyond these are ignored, never an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Resource {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ResourceType,
    /// The provider's identifier for it.
    pub id: String,
    /// Its name among the resources of its type and owner.
    pub name: String,
    /// The team that owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// Whether it may be used at all.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// The gateway that serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_id: Option<String>,
    /// The pipeline it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_id: Option<String>,
    /// The mesh it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh_id: Option<String>,
    /// Where it can be reached; the first is preferred.
    #[serde(default)]
    pub urls: Vec<String>,
    /// `http` or `http3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Who may pass; ingress and egress only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The backend an egress leaves through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_id: Option<String>,
    /// The service that implements it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    /// The endpoint an ingress leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
    /// What its owner says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The provider it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// How members of a mesh prove themselves.
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
    /// An enabled resource of which nothing else is known; set the fields that are.
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
    fn unknown_fields_are_ignored_and_missing_ones_have_defaults() {
        let json = r#"{"type":"ingress","id":"01H","name":"fhir","tomorrow":{"a":1},"urls":["https://a/"]}"#;
        let resource: Resource = serde_json::from_str(json).unwrap();
        assert!(resource.enabled && resource.mode.is_none());
        assert_eq!(resource.urls, ["https://a/"]);
    }
}
