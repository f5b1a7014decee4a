use provider_api::Secret;

use crate::config::pipeline::{PROTOCOLS, enabled, optional};
use crate::config::section::Section;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};

/// `[mesh.<name>]`: gateways that trust each other's tokens.
#[derive(Clone, Debug)]
pub(crate) struct Mesh {
    /// Its name.
    pub(crate) name: String,
    /// Its `id`; required of a remote provider.
    pub(crate) id: Option<String>,
    /// Where it was written.
    pub(crate) place: Place,
    /// `http` or `http3`.
    pub(crate) protocol: Option<Spanned<&'static str>>,
    /// Who issues and verifies its tokens.
    pub(crate) provider: Option<Spanned<String>>,
    /// Shared secret: HS256.
    pub(crate) jwt_secret: Option<Spanned<Secret>>,
    /// File of the key that signs: RS256.
    pub(crate) jwt_private_key_path: Option<Spanned<String>>,
    /// File of the key that verifies: RS256.
    pub(crate) jwt_public_key_path: Option<Spanned<String>>,
    /// Where a remote provider publishes its keys.
    pub(crate) jwks_url: Option<String>,
    /// Its ingresses: names, or references.
    pub(crate) ingress: Vec<Spanned<String>>,
    /// Its egresses: names, or references.
    pub(crate) egress: Vec<Spanned<String>>,
    /// Whether it is in use.
    pub(crate) enabled: bool,
    /// What its owner says about it.
    pub(crate) description: Option<String>,
}

/// `[remote_ingress.<name>]`: another gateway's ingress, written down by hand.
#[derive(Clone, Debug)]
pub(crate) struct RemoteIngress {
    /// Its name.
    pub(crate) name: String,
    /// Where it was written.
    pub(crate) place: Place,
    /// Its URLs.
    pub(crate) urls: Vec<Spanned<String>>,
}

impl Mesh {
    pub(crate) fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Self {
        let provider = section.required_text("provider", problems);
        section.word("auth_type", &[("jwt", ())], problems);
        let mesh = Self {
            name,
            id: optional(section, "id", problems),
            place: section.place().clone(),
            protocol: section.word("type", &PROTOCOLS, problems),
            provider,
            jwt_secret: section.secret("jwt_secret", problems),
            jwt_private_key_path: section.text("jwt_private_key_path", problems),
            jwt_public_key_path: section.text("jwt_public_key_path", problems),
            jwks_url: optional(section, "jwks_url", problems),
            ingress: section.texts("ingress", problems),
            egress: section.texts("egress", problems),
            enabled: enabled(section, problems),
            description: optional(section, "description", problems),
        };
        section.finish(problems);
        mesh
    }
}

impl RemoteIngress {
    pub(crate) fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Self {
        let urls = section.texts("urls", problems);
        if urls.is_empty() {
            problems.error(Some(section.place()), section.path(), "expected `urls` with at least one URL");
        }
        let remote = Self { name, place: section.place().clone(), urls };
        section.finish(problems);
        remote
    }
}
