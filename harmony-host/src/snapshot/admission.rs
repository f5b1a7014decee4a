use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use provider_api::{Error, ErrorKind, Expected};

use crate::plan::{Admission, Base, MeshPlan};
use crate::providers::Providers;
use crate::providers::isolate::isolated;
use crate::proxy::error::ProxyError;

/// The mesh that a request came in from, with the gateway that sent it.
#[derive(Clone, Debug)]
pub(crate) struct MeshContext {
    pub(crate) mesh: Arc<MeshPlan>,
    pub(crate) sender: Arc<str>,
}

/// Looks for a valid mesh token where the route has meshes.
///
/// # Errors
/// When mesh context is needed and there is none, or that cannot be known now: authorization fails closed.
pub(crate) async fn admit(
    admission: &Admission,
    providers: &Providers,
    headers: &HeaderMap,
    base: &Base<'_>,
    path: &str,
) -> Result<Option<MeshContext>, ProxyError> {
    let token = bearer(headers);
    let mut why = match token {
        None => "it has no bearer token".to_owned(),
        Some(_) => "it belongs to no mesh".to_owned(),
    };
    let mut unavailable = None;
    if let Some(token) = token.filter(|_| !admission.meshes.is_empty()) {
        for mesh in &admission.meshes {
            if let Some(sender) = mesh.verified.sender(token, base) {
                return Ok(Some(MeshContext { mesh: Arc::clone(mesh), sender }));
            }
        }
        for mesh in &admission.meshes {
            match verify(mesh, providers, token, base, path).await {
                Ok(sender) => return Ok(Some(MeshContext { mesh: Arc::clone(mesh), sender })),
                Err(error) if error.kind() == ErrorKind::Unavailable => unavailable = Some(error),
                Err(error) => why = error.to_string(),
            }
        }
    }
    if !admission.required {
        return Ok(None);
    }
    match unavailable {
        Some(error) => Err(ProxyError::Provider(Arc::new(error))),
        None => {
            Err(ProxyError::NoMeshContext(format!("this needs a request from a member of the mesh: {why}")))
        }
    }
}

/// The sender of a good token. A token that is good for the URL the route stands for is good for everything
/// below it and is remembered; one that is only good for this very URL is looked at each time.
pub(crate) async fn verify(
    mesh: &MeshPlan,
    providers: &Providers,
    token: &str,
    base: &Base<'_>,
    path: &str,
) -> Result<Arc<str>, Error> {
    let provider = &mesh.provider;
    let auth = providers
        .mesh_auth(provider)
        .ok_or_else(|| Error::denied(format!("the provider `{provider}` verifies no mesh tokens")))?;
    let check =
        async |url: String| isolated(auth.verify(&Expected { mesh: &mesh.identity, url: &url }, token)).await;
    let claims = check(Base { prefix: path, ..*base }.to_string()).await?;
    let sender = Arc::from(claims.subject);
    let below = path.len() > base.prefix.len();
    if !below || check(base.to_string()).await.is_ok() {
        mesh.verified.remember(token, base, &sender, providers.time_until(claims.expires_at));
    }
    Ok(sender)
}

/// A bearer token that looks like a JWT; anything else is the application's own business.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    let is_jwt = token.bytes().filter(|b| *b == b'.').count() == 2;
    (scheme.eq_ignore_ascii_case("bearer") && is_jwt).then_some(token)
}
