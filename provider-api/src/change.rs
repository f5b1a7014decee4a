//! Configuration changes and the reports about them.

use std::fmt;

/// The id that a control plane gave a change, for example a ULID.
///
/// 1 to 64 characters of `A-Z a-z 0-9 _ -`: safe in a URL, in a file name and in a journal without escaping.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId(String);

impl ChangeId {
    /// The maximum length in characters.
    pub const MAX_LEN: usize = 64;

    /// Checks and wraps `id`. Returns `None` when it is empty, too long or contains other characters.
    pub fn new(id: impl Into<String>) -> Option<Self> {
        let id = id.into();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        (!id.is_empty() && id.len() <= Self::MAX_LEN && id.bytes().all(allowed)).then_some(Self(id))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The part of the configuration that a change or a publication concerns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    /// The file `config.toml`.
    Gateway,
    /// A file in the pipelines directory.
    Pipeline,
    /// A file in the transforms directory.
    Transform,
    /// A file in the mesh directory.
    Mesh,
    /// A kind that this version does not know. A provider passes it on, and the host rejects the change.
    Unknown(String),
}

impl DocumentKind {
    /// Returns the name of the kind in the wire format.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Gateway => "gateway",
            Self::Pipeline => "pipeline",
            Self::Transform => "transform",
            Self::Mesh => "mesh",
            Self::Unknown(other) => other,
        }
    }
}

impl From<&str> for DocumentKind {
    fn from(text: &str) -> Self {
        match text {
            "gateway" => Self::Gateway,
            "pipeline" => Self::Pipeline,
            "transform" => Self::Transform,
            "mesh" => Self::Mesh,
            other => Self::Unknown(other.to_owned()),
        }
    }
}

/// An entry of the pending list: a change without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeHead {
    /// The id of the change.
    pub id: ChangeId,
    /// The kind of its document.
    pub kind: DocumentKind,
    /// The creation time in the control plane's own format. For display only: the list order is what counts.
    pub created_at: Option<String>,
}

/// A change with its complete content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The id of the change.
    pub id: ChangeId,
    /// The kind of its document.
    pub kind: DocumentKind,
    /// The document as the control plane sent it, byte for byte and unparsed.
    pub document: String,
    /// Further documents that the change needs, such as the transforms that a pipeline names.
    pub attachments: Vec<Attachment>,
}

/// A further document that a change needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The name from the change. Not validated: the host decides if it is safe as a file name.
    pub name: String,
    /// The text of the document.
    pub content: String,
}

/// The status of a change, as the gateway reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeStatus {
    /// The gateway has stored the change durably. The control plane need not send it again.
    Received,
    /// The change is live, and a probe has confirmed that.
    Applied,
    /// The change is not live, and the gateway has stored nothing of it.
    Rejected(RejectionReport),
}

/// The reasons for which a gateway rejected a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectionReport {
    /// The step that failed.
    pub class: RejectionClass,
    /// The summary in one sentence.
    pub summary: String,
    /// All problems, each with file, line and key where they are known.
    pub problems: Vec<String>,
}

/// The step at which a gateway rejected a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionClass {
    /// The change could not be fetched completely.
    Fetch,
    /// The document has a syntax error.
    Parse,
    /// The document parses, and its content is invalid.
    Validate,
    /// A dependency of the document is missing.
    Dependency,
    /// The gateway could not build the pipelines or providers that the document describes.
    Build,
    /// The gateway could not bind a listener address.
    Bind,
    /// The application that serves requests could not activate the new configuration.
    Activate,
    /// The change was live, the probe failed, and the gateway rolled the change back.
    Probe,
    /// A newer change replaced this one before the gateway applied it.
    Superseded,
}

impl RejectionClass {
    /// All classes, in the order of the steps.
    pub const ALL: [Self; 9] = [
        Self::Fetch,
        Self::Parse,
        Self::Validate,
        Self::Dependency,
        Self::Build,
        Self::Bind,
        Self::Activate,
        Self::Probe,
        Self::Superseded,
    ];
}

impl fmt::Display for RejectionClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fetch => "fetch",
            Self::Parse => "parse",
            Self::Validate => "validate",
            Self::Dependency => "dependency",
            Self::Build => "build",
            Self::Bind => "bind",
            Self::Activate => "activate",
            Self::Probe => "probe",
            Self::Superseded => "superseded",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_safe_in_urls_and_paths() {
        assert!(ChangeId::new("01HXYZ").is_some());
        for bad in ["", "../x", "a b", "a/b", &"a".repeat(65)] {
            assert!(ChangeId::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_unknown_kind_keeps_its_name() {
        assert_eq!(DocumentKind::from("firmware").as_str(), "firmware");
        assert_eq!(DocumentKind::from("mesh"), DocumentKind::Mesh);
    }
}
