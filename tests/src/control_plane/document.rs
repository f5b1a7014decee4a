//! Documents: the parts of a gateway's configuration.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use toml::Table;
use toml_edit::DocumentMut;

use super::id::ulid;
use super::resource;
use super::state::State;

/// The type of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Gateway,
    Pipeline,
    Transform,
    Mesh,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Pipeline => "pipeline",
            Self::Transform => "transform",
            Self::Mesh => "mesh",
        }
    }

    /// The tables whose first key is the document's name.
    fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Gateway => &[],
            Self::Pipeline => &["pipelines"],
            Self::Transform => &["transform", "transforms"],
            Self::Mesh => &["mesh"],
        }
    }

    /// Returns the document's name: the first key of its table.
    pub(super) fn name_in(self, toml: &str) -> Result<String, String> {
        let table: Table = toml.parse().map_err(|error| format!("not TOML: {error}"))?;
        if self == Self::Gateway {
            return Ok("config".to_owned());
        }
        let under = |name: &&str| table.get(*name)?.as_table()?.keys().next().cloned();
        let tables = self.tables();
        tables.iter().find_map(under).ok_or_else(|| format!("the document has no [{}.*]", tables[0]))
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Gateway, Self::Pipeline, Self::Transform, Self::Mesh];
        let found = all.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| format!("unknown type `{text}`: gateway, pipeline, transform or mesh"))
    }
}

/// A part of a gateway's configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Document {
    pub(super) id: String,
    pub(super) gateway_id: String,
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) toml: String,
    pub(super) updated_at: Timestamp,
}

/// The effect of storing a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Created,
    Updated,
}

impl State {
    pub(super) fn document(&self, id: &str) -> Option<&Document> {
        self.documents.iter().find(|document| document.id == id)
    }

    /// Stores a document, and replaces the one with that id or name. Issues no change.
    pub(super) fn store(
        &mut self,
        gateway_id: &str,
        kind: Kind,
        id: Option<&str>,
        toml: &str,
    ) -> Result<(Document, Action), String> {
        let name = kind.name_in(toml)?;
        let same = |document: &&mut Document| {
            document.gateway_id == gateway_id
                && document.kind == kind
                && id.map_or(document.name == name, |id| document.id == id)
        };
        let (document, action) = match self.documents.iter_mut().find(same) {
            Some(document) => (document, Action::Updated),
            None => {
                let id = (kind == Kind::Mesh).then(|| mesh_id(toml, &name)).flatten();
                self.documents.push(Document {
                    id: id.unwrap_or_else(ulid),
                    gateway_id: gateway_id.to_owned(),
                    kind,
                    name: name.clone(),
                    toml: String::new(),
                    updated_at: Timestamp::now(),
                });
                (self.documents.last_mut().expect("it was just added"), Action::Created)
            }
        };
        document.toml =
            if kind == Kind::Mesh { with_mesh_id(toml, &name, &document.id) } else { toml.to_owned() };
        document.name = name;
        document.updated_at = Timestamp::now();
        let document = document.clone();
        resource::assign_ids(self, &document);
        Ok((document, action))
    }

    /// Issues a document as a change and returns the change's id.
    pub(super) fn announce(&mut self, document: &Document) -> String {
        let metadata = json!({ "id": document.id, "name": document.name });
        self.issue(&document.gateway_id, document.kind.name(), &document.toml, Some(metadata))
    }
}

fn mesh_id(toml: &str, name: &str) -> Option<String> {
    let table: Table = toml.parse().ok()?;
    Some(table.get("mesh")?.get(name)?.get("id")?.as_str()?.to_owned())
}

/// Writes the id into a mesh document, from which the gateway learns it.
fn with_mesh_id(toml: &str, name: &str, id: &str) -> String {
    let Ok(mut document) = toml.parse::<DocumentMut>() else { return toml.to_owned() };
    match document.get_mut("mesh").and_then(|mesh| mesh.get_mut(name)) {
        Some(mesh) if mesh.get("id").is_none() => {
            mesh["id"] = toml_edit::value(id);
            document.to_string()
        }
        _ => toml.to_owned(),
    }
}
