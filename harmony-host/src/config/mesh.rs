//! The sections `[mesh.*]` and `[remote_ingress.*]`.

use provider_api::Secret;

use crate::config::pipeline::{PROTOCOLS, enabled, optional};
use crate::config::section::Section;
use crate::config::weak_secret;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::{Place, Spanned};

/// `[mesh.<name>]`: a group of gateways that trust each other's tokens.
#[derive(Clone, Debug)]
pub(crate) struct Mesh {
    /// The name.
    pub(crate) name: String,
    /// The `id`; required for a mesh of a remote provider.
    pub(crate) id: Option<String>,
    /// The place of the definition.
    pub(crate) place: Place,
    /// The protocol: `http` or `http3`.
    pub(crate) protocol: Option<Spanned<&'static str>>,
    /// The provider that issues and verifies the tokens.
    pub(crate) provider: Option<Spanned<String>>,
    /// The shared secret, for HS256.
    pub(crate) jwt_secret: Option<Spanned<Secret>>,
    /// Set if a key has an error, so that a mesh without keys is no further one.
    pub(crate) keys_are_wrong: bool,
    /// The file of the private key that signs, for RS256.
    pub(crate) jwt_private_key_path: Option<Spanned<String>>,
    /// The file of the public key that verifies, for RS256.
    pub(crate) jwt_public_key_path: Option<Spanned<String>>,
    /// The place of `token_audience = true`: its tokens must have the claim `aud`.
    pub(crate) token_audience: Option<Place>,
    /// The URL of the key set of a remote provider.
    pub(crate) jwks_url: Option<Spanned<String>>,
    /// The ingresses: names or references.
    pub(crate) ingress: Vec<Spanned<String>>,
    /// The egresses: names or references.
    pub(crate) egress: Vec<Spanned<String>>,
    /// The value of `enabled`, `true` unless configured.
    pub(crate) enabled: bool,
    /// The text of `description`.
    pub(crate) description: Option<String>,
}

/// `[remote_ingress.<name>]`: an ingress of another gateway, configured by hand.
#[derive(Clone, Debug)]
pub(crate) struct RemoteIngress {
    /// The name.
    pub(crate) name: String,
    /// The place of the definition.
    pub(crate) place: Place,
    /// The URLs.
    pub(crate) urls: Vec<Spanned<String>>,
}

/// The keys of a local mesh that hold or name its keys.
const KEYS: [&str; 3] = ["jwt_secret", "jwt_private_key_path", "jwt_public_key_path"];

impl Mesh {
    pub(crate) fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Self {
        let provider = section.required_text("provider", problems);
        section.word("auth_type", &[("jwt", ())], problems);
        let jwt_secret = section.secret("jwt_secret", problems);
        if let Some(secret) = &jwt_secret {
            weak_secret::check(&section.key("jwt_secret"), secret, problems);
        }

        Self {
            name,
            id: optional(section, "id", problems),
            place: section.place().clone(),
            protocol: section.word("type", &PROTOCOLS, problems),
            provider,
            jwt_secret,
            keys_are_wrong: KEYS.iter().any(|key| section.has(key) && !section.is_text(key)),
            jwt_private_key_path: section.text("jwt_private_key_path", problems),
            jwt_public_key_path: section.text("jwt_public_key_path", problems),
            token_audience: section
                .flag("token_audience", problems)
                .filter(|set| set.value)
                .map(|set| set.place),
            jwks_url: section.text("jwks_url", problems),
            ingress: section.texts("ingress", problems),
            egress: section.texts("egress", problems),
            enabled: enabled(section, problems),
            description: optional(section, "description", problems),
        }
    }
}

impl RemoteIngress {
    pub(crate) fn read(name: String, section: &Section<'_>, problems: &mut Problems) -> Self {
        let urls = section.texts("urls", problems);
        if urls.is_empty() && !section.is_no_list("urls") {
            problems.error(
                Some(section.place()),
                section.path(),
                "a remote ingress needs at least one URL in `urls`",
            );
        }

        Self { name, place: section.place().clone(), urls }
    }
}
