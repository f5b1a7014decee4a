use std::fmt;

/// The identifier a control plane gave a change; a ULID at Runbeam.
///
/// 1 to 64 characters of `A-Z a-z 0-9 _ -`, so that it can stand in a URL and in a journal as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId(String);

impl ChangeId {
    /// The most characters an id may have.
    pub const MAX_LEN: usize = 64;

    /// Checks and wraps `id`; `None` when it is blank, too long or made of other characters.
    pub fn new(id: impl Into<String>) -> Option<Self> {
        let id = id.into();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        (!id.is_empty() && id.len() <= Self::MAX_LEN && id.bytes().all(allowed)).then_some(Self(id))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What part of the configuration a change or a publication is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    /// `config.toml`
    Gateway,
    /// A file of the pipelines directory.
    Pipeline,
    /// A file of the transforms directory.
    Transform,
    /// A file of the mesh directory.
    Mesh,
    /// A kind this version does not know; the host rejects the change, it never guesses.
    Unknown(String),
}

impl DocumentKind {
    /// The kind as it stands on the wire.
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

/// A change as the pending list names it: what it is about, not yet what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeHead {
    /// Which change.
    pub id: ChangeId,
    /// What it is about.
    pub kind: DocumentKind,
    /// When it was made, as the control plane wrote it; for people, never for ordering.
    pub created_at: Option<String>,
}

/// A change with everything that is needed to apply it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which change.
    pub id: ChangeId,
    /// What it is about.
    pub kind: DocumentKind,
    /// The document as the control plane sent it, unparsed.
    pub document: String,
    /// Further documents it needs: the transforms a pipeline names.
    pub attachments: Vec<Attachment>,
}

/// A document that a change needs beside its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// What the change calls it. Unchecked: the host decides whether it may become a file name.
    pub name: String,
    /// Its text.
    pub content: String,
}

/// How far a change has come, as the gateway reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeStatus {
    /// It is durably stored here; the control plane need not send it again.
    Received,
    /// It is live, and a probe has seen it live.
    Applied,
    /// It is not live and nothing of it was kept.
    Rejected(RejectionReport),
}

/// Why a change is not live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectionReport {
    /// The step that refused it.
    pub class: RejectionClass,
    /// One sentence.
    pub summary: String,
    /// Every problem found, each with file, line and key where there are any.
    pub problems: Vec<String>,
}

/// The step of applying a change that refused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionClass {
    /// It could not be brought here whole.
    Fetch,
    /// It is not what its kind is written in.
    Parse,
    /// It is well formed and wrong.
    Validate,
    /// Something it needs is not there.
    Dependency,
    /// What it describes could not be built.
    Build,
    /// An address it listens on could not be bound.
    Bind,
    /// The application that serves requests could not make it live.
    Activate,
    /// It was live, did not answer as it should, and was taken back.
    Probe,
    /// A newer change made it pointless before it was tried.
    Superseded,
}

impl RejectionClass {
    /// Every class, in the order of the steps.
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
    fn an_id_is_safe_in_a_url_and_a_path() {
        assert!(ChangeId::new("01HXYZ").is_some());
        for bad in ["", "../x", "a b", "a/b", &"a".repeat(65)] {
            assert!(ChangeId::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_unknown_kind_stays_what_it_is() {
        assert_eq!(DocumentKind::from("firmware").as_str(), "firmware");
        assert_eq!(DocumentKind::from("mesh"), DocumentKind::Mesh);
    }
}
