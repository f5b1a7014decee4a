//! One difference of two configurations.

use serde::{Deserialize, Serialize};

/// The direction of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sign {
    Added,
    Removed,
    Changed,
}

/// The kind of the part of a configuration that differs. The order is that of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A pipeline: its own keys, or the destination of its requests.
    Pipeline,
    /// A path or URL on a network.
    Route,
    /// An address of a network.
    Listener,
    Network,
    Mesh,
    /// An ingress, an egress or a reference in the lists of a mesh.
    MeshMember,
    RemoteIngress,
    Provider,
    Certificate,
    /// A private or public key in a file of its own.
    KeyFile,
    Management,
    Endpoint,
    Middleware,
    Target,
    Peer,
    Backend,
    Authentication,
    Transform,
    /// A key of a section without names, such as `proxy.id`.
    Setting,
}

impl Sign {
    /// Returns the sign of a part that is in one of two configurations, or in both.
    pub(super) const fn of(is_before: bool, is_after: bool) -> Self {
        match (is_before, is_after) {
            (false, _) => Self::Added,
            (true, false) => Self::Removed,
            (true, true) => Self::Changed,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

impl Kind {
    /// Returns the noun for the kind.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pipeline => "pipeline",
            Self::Route => "route",
            Self::Listener => "listener",
            Self::Network => "network",
            Self::Mesh => "mesh",
            Self::MeshMember => "mesh member",
            Self::RemoteIngress => "remote ingress",
            Self::Provider => "provider",
            Self::Certificate => "certificate",
            Self::KeyFile => "key file",
            Self::Management => "management setting",
            Self::Endpoint => "endpoint",
            Self::Middleware => "middleware",
            Self::Target => "target",
            Self::Peer => "peer",
            Self::Backend => "backend",
            Self::Authentication => "authentication",
            Self::Transform => "transform",
            Self::Setting => "setting",
        }
    }
}

/// A part of the configuration that one of two has and the other has not, or that differs. Never has a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Difference {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) sign: Sign,
    /// The difference in words; empty if the sign says everything.
    pub(crate) detail: String,
    /// The whole difference, in words.
    pub(crate) text: String,
}

impl Difference {
    pub(super) fn new(sign: Sign, kind: Kind, name: String, detail: String) -> Self {
        let mut text = format!("{} {} {name}", sign.as_str(), kind.as_str());
        if !detail.is_empty() {
            text.push_str(": ");
            text.push_str(&detail);
        }
        Self { kind, name, sign, detail, text }
    }
}
