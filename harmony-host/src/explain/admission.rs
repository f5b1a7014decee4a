//! The requests that a route admits.

use serde::Serialize;

use crate::difference::words;
use crate::explain::Asked;
use crate::plan::{Accepted, Route};

/// The requests that a route admits, and the tokens that it takes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AdmissionExplanation {
    /// Set when a request without a token of one of the meshes is refused.
    pub(crate) token_required: bool,
    pub(crate) in_words: String,
    pub(crate) tokens: Vec<TokenExplanation>,
}

/// A mesh whose tokens a route takes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TokenExplanation {
    pub(crate) mesh: String,
    pub(crate) provider: String,
    /// The kind of its tokens, in words.
    pub(crate) kind: String,
    /// The URLs of this gateway that a token may be for.
    pub(crate) for_urls: Vec<String>,
}

impl Asked<'_> {
    pub(super) fn admission(&self, route: &Route) -> AdmissionExplanation {
        AdmissionExplanation {
            token_required: route.admission.required,
            in_words: words::admission(&route.admission),
            tokens: route.admission.meshes.iter().map(|accepted| self.token(accepted)).collect(),
        }
    }

    fn token(&self, accepted: &Accepted) -> TokenExplanation {
        let name = &accepted.mesh.identity.name;
        let linked = self.snapshot.config.meshes.iter().find(|linked| linked.mesh.name == *name);
        let kind = match linked {
            Some(linked) if !linked.provider.is_local() => {
                format!("a token of the provider {}, verified with its published keys", linked.provider)
            }
            Some(linked) if linked.mesh.jwt_secret.is_some() => "HS256, by the shared secret".to_owned(),
            Some(_) => "RS256, by the public key of the mesh".to_owned(),
            None => "unknown".to_owned(),
        };
        let urls = accepted.urls.iter().filter(|url| !url.is_empty());
        TokenExplanation {
            mesh: name.clone(),
            provider: accepted.mesh.provider.to_string(),
            kind,
            for_urls: urls.map(|url| words::without_secrets(url)).collect(),
        }
    }
}
