//! Parts of a configuration in words. Never with a secret.

use url::Url;

use crate::config::{Destination, LinkedPipeline};
use crate::diagnostics::secret_values::{is_secret_value, secret_parts};
use crate::plan::Admission;
use crate::snapshot::ListenerSpec;

/// Returns the destination of the requests of a pipeline.
pub(crate) fn destination(linked: &LinkedPipeline) -> String {
    let Some(backend) = &linked.backend else { return "no backend".to_owned() };
    let name = &backend.backend.name;
    match &backend.destination {
        Destination::Echo => "an echo of the request".to_owned(),
        Destination::Url(url) => shown_url(url),
        Destination::Resource(reference) => without_secrets(&reference.to_string()),
        Destination::Application => format!("the service of backend {name} in the application"),
        Destination::Unserved => format!("backend {name}, which this gateway does not serve"),
    }
}

/// Returns a URL without its user information and query.
pub(crate) fn shown_url(url: &Url) -> String {
    let origin = url.origin().ascii_serialization();
    without_secrets(&format!("{origin}{}", url.path()))
}

/// Returns a text with its secret parts as three asterisks.
pub(crate) fn without_secrets(text: &str) -> String {
    const MASK: &str = "***";
    if is_secret_value(text) {
        return MASK.to_owned();
    }
    let (mut shown, mut copied) = (String::new(), 0);
    for part in secret_parts(text) {
        shown.push_str(text.get(copied..part.start).unwrap_or_default());
        shown.push_str(MASK);
        copied = part.end;
    }
    shown.push_str(text.get(copied..).unwrap_or_default());
    shown
}

/// Returns the rule for the requests of a route.
pub(crate) fn admission(admission: &Admission) -> String {
    let mut meshes: Vec<&str> = admission.meshes.iter().map(|one| one.mesh.identity.name.as_str()).collect();
    meshes.sort_unstable();
    let names = meshes.join(" or ");
    match (admission.required, meshes.is_empty()) {
        (true, true) => {
            "refuses every request: a mesh token is required, and no mesh has the route".to_owned()
        }
        (true, false) => format!("requires a token of mesh {names}"),
        (false, true) => "admits every request".to_owned(),
        (false, false) => format!("admits every request, and reads the tokens of mesh {names}"),
    }
}

/// Returns the network of a listener, and how it serves.
pub(crate) fn listener(spec: &ListenerSpec) -> String {
    let tls = if spec.tls.is_some() { ", with TLS" } else { "" };
    let management = if spec.management { ", with the management API" } else { "" };
    format!("network {}{tls}{management}", spec.network)
}
