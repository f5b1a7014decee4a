//! The key `jwks_url`: the URL of the published keys of a remote mesh.

use provider_api::ProviderName;
use url::Url;

use crate::config::active_providers::ActiveProviders;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::Spanned;
use crate::http::base_url::base_url;

/// Parses the `jwks_url` of a mesh of the provider `name`. Adds an error for one at another origin than that of its control
/// plane: whoever owns the keys can forge the tokens of the mesh.
pub(crate) fn parse(
    providers: &ActiveProviders,
    name: &ProviderName,
    at: &Spanned<String>,
    key: &str,
    problems: &mut Problems,
) -> Option<Url> {
    let message = match (base_url(&at.value), providers.api(name)) {
        (_, None) => format!("the provider `{name}` has no control plane that publishes keys"),
        (Err(message), _) => message,
        (Ok(url), Some(api)) if url.origin() == api.origin() => return Some(url),
        (Ok(_), Some(api)) => {
            let origin = api.origin().ascii_serialization();
            format!("expected a URL at the configured origin of `{name}`, {origin}")
        }
    };
    problems
        .error(Some(&at.place), key, message)
        .help("without this key the keys of the control plane are used");
    None
}
