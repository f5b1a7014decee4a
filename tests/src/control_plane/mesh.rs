//! The right to a mesh token, and its claims.

use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use super::gateway::Gateway;
use super::id::ulid;
use super::reference::Reference;
use super::resource::Resource;
use super::response::ApiError;
use super::state::State;

/// Returns the claims of a mesh token, or the error if the gateway has no right to one.
pub(super) fn claims(
    state: &State,
    issuer: &str,
    lifetime: i64,
    gateway: &Gateway,
    mesh_id: &str,
    destination: &str,
) -> Result<Value, ApiError> {
    let wanted = Url::parse(destination)
        .map_err(|error| ApiError::unprocessable(format!("`destination_url`: {error}")))?;
    // Each member describes the mesh in its own document, with its own ingresses and egresses.
    let all = state.resources();
    let members: Vec<_> = all.into_iter().filter(|each| each.kind == "mesh" && each.id == mesh_id).collect();
    if members.is_empty() {
        return Err(ApiError::not_found(format!("there is no mesh {mesh_id}")));
    }
    if let Some(disabled) = members.iter().find(|member| !member.enabled()) {
        return Err(ApiError::bad_request(format!("mesh `{}` is disabled", disabled.name)));
    }
    if let Some(foreign) = members.iter().find(|member| member.text("provider") != Some("runbeam")) {
        return Err(ApiError::bad_request(format!("mesh `{}` is not one of provider runbeam", foreign.name)));
    }
    let egress = listed(state, &members, "egress");
    if !egress.iter().any(|egress| egress.gateway_id == gateway.id) {
        return Err(ApiError::forbidden(format!("gateway `{}` has no egress in this mesh", gateway.code)));
    }
    let ingress = listed(state, &members, "ingress");
    let urls = ingress.iter().flat_map(|ingress| ingress.texts("urls"));
    if !urls.filter_map(|url| Url::parse(&url).ok()).any(|url| covers(&url, &wanted)) {
        return Err(ApiError::forbidden(format!("no ingress of this mesh is at {destination}")));
    }
    let now = Timestamp::now().as_second();
    Ok(json!({
        "iss": issuer, "sub": format!("gateway:{}", gateway.id), "aud": format!("mesh:{mesh_id}"), "jti": ulid(),
        "mesh_id": mesh_id, "dest_url": destination, "source_team": gateway.team_id,
        "iat": now, "exp": now + lifetime,
    }))
}

/// Returns the ingresses or egresses that the members list and that exist, are enabled and visible. A bare name is a
/// resource of the member itself.
fn listed(state: &State, members: &[Resource], kind: &str) -> Vec<Resource> {
    let resolve = |member: &Resource, entry: String| {
        let name = entry.strip_prefix("local.name.").unwrap_or(&entry);
        let found = match Reference::parse(&entry) {
            Ok(reference) => state.find(&reference, None)?,
            Err(_) => {
                let all = state.resources_of(&member.gateway_id);
                all.into_iter().find(|each| each.kind == kind && each.name == name)?
            }
        };
        (found.kind == kind && found.enabled() && state.may_see(&member.team_id, &found)).then_some(found)
    };
    members
        .iter()
        .flat_map(|member| member.texts(kind).into_iter().filter_map(move |entry| resolve(member, entry)))
        .collect()
}

/// Returns true if the URL has the ingress's origin and its path is below the ingress's path, by whole segments.
fn covers(ingress: &Url, wanted: &Url) -> bool {
    let origin =
        |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
    let prefix = ingress.path().trim_end_matches('/');
    origin(ingress) == origin(wanted)
        && wanted.path().strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn an_ingress_covers_whole_path_segments() {
        let covers =
            |ingress: &str, wanted: &str| covers(&ingress.parse().unwrap(), &wanted.parse().unwrap());
        assert!(covers("https://api.example.com/r4", "https://api.example.com:443/r4/Patient?x=1"));
        assert!(covers("https://api.example.com/r4/", "https://API.example.com/r4"));
        assert!(!covers("https://api.example.com/r4", "https://api.example.com/r4evil"));
        assert!(!covers("https://api.example.com/r4", "https://api.example.com/r4/../admin"));
        assert!(!covers("https://api.example.com/r4", "http://api.example.com/r4"));
        assert!(!covers("https://api.example.com/r4", "https://api.example.com:8443/r4"));
        assert!(!covers("https://api.example.com/r4", "https://api.example.com.evil.test/r4"));
    }
}
