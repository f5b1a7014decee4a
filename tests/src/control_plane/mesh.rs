use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use super::answer::Rejection;
use super::gateway::Gateway;
use super::id::ulid;
use super::reference::Reference;
use super::resource::Resource;
use super::state::State;

/// What a mesh token says, when the gateway has a right to one.
pub(super) fn claims(
    state: &State,
    issuer: &str,
    lifetime: i64,
    gateway: &Gateway,
    mesh_id: &str,
    destination: &str,
) -> Result<Value, Rejection> {
    let wanted = Url::parse(destination)
        .map_err(|wrong| Rejection::unprocessable(format!("`destination_url`: {wrong}")))?;
    // Each member has the mesh in a document of its own, with what it brings to it.
    let all = state.resources();
    let members: Vec<_> = all.into_iter().filter(|each| each.kind == "mesh" && each.id == mesh_id).collect();
    if members.is_empty() {
        return Err(Rejection::not_found(format!("there is no mesh {mesh_id}")));
    }
    if let Some(disabled) = members.iter().find(|member| !member.enabled()) {
        return Err(Rejection::bad_request(format!("mesh `{}` is disabled", disabled.name)));
    }
    if let Some(foreign) = members.iter().find(|member| member.text("provider") != Some("runbeam")) {
        return Err(Rejection::bad_request(format!(
            "mesh `{}` is not one of provider runbeam",
            foreign.name
        )));
    }
    let egress = listed(state, &members, "egress");
    if !egress.iter().any(|egress| egress.gateway_id == gateway.id) {
        return Err(Rejection::forbidden(format!("gateway `{}` has no egress in this mesh", gateway.code)));
    }
    let ingress = listed(state, &members, "ingress");
    let urls = ingress.iter().flat_map(|ingress| ingress.texts("urls"));
    if !urls.filter_map(|url| Url::parse(&url).ok()).any(|url| covers(&url, &wanted)) {
        return Err(Rejection::forbidden(format!("no ingress of this mesh is at {destination}")));
    }
    let now = Timestamp::now().as_second();
    Ok(json!({
        "iss": issuer, "sub": format!("gateway:{}", gateway.id), "aud": format!("mesh:{mesh_id}"), "jti": ulid(),
        "mesh_id": mesh_id, "dest_url": destination, "source_team": gateway.team_id,
        "iat": now, "exp": now + lifetime,
    }))
}

/// What the members list, as far as it exists, is enabled and may be seen. A bare name is the member's own.
fn listed(state: &State, members: &[Resource], kind: &str) -> Vec<Resource> {
    let resolve = |member: &Resource, entry: String| {
        let own = entry.strip_prefix("local.name.").unwrap_or(&entry);
        let found = match Reference::parse(&entry) {
            Ok(reference) => state.find(&reference, None)?,
            Err(_) => {
                let all = state.resources_of(&member.gateway_id);
                all.into_iter().find(|each| each.kind == kind && each.name == own)?
            }
        };
        (found.kind == kind && found.enabled() && state.may_see(&member.team_id, &found)).then_some(found)
    };
    members
        .iter()
        .flat_map(|member| member.texts(kind).into_iter().filter_map(move |entry| resolve(member, entry)))
        .collect()
}

/// Whether a URL lies under an ingress's: same scheme, host and port, and its path begins with the same segments.
fn covers(ingress: &Url, wanted: &Url) -> bool {
    let place =
        |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
    let prefix = ingress.path().trim_end_matches('/');
    place(ingress) == place(wanted)
        && wanted.path().strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn an_ingress_covers_whole_segments_of_its_own_origin() {
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
