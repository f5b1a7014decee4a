//! `POST authorize` and `POST token`.

use std::time::SystemTime;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use provider_api::{EnrollmentRequest, MachineCredential, Secret};
use serde::Deserialize;
use serde_json::json;

use crate::config::Management;
use crate::host::{Authorized, Control};
use crate::http::respond::{self, problem};
use crate::management::provider_error::{failed, lacking, remote};
use crate::management::read_json::read_json;
use crate::snapshot::Snapshot;
use crate::status::timestamp;

#[derive(Deserialize)]
struct Authorize {
    gateway_id: Option<String>,
    gateway_code: Option<String>,
    machine_public_key: Option<String>,
    #[serde(default)]
    metadata: Option<Vec<String>>,
    encryption_key: Option<Secret>,
}

#[derive(Deserialize)]
struct Token {
    machine_token: Secret,
    expires_at: jiff::Timestamp,
    gateway_id: String,
    gateway_code: Option<String>,
    #[serde(default)]
    abilities: Vec<String>,
    api_base_url: Option<String>,
    encryption_key: Option<Secret>,
}

/// The longest text in a request.
const MAX_TEXT: usize = 4 * 1024;

/// `POST authorize`: exchanges the token of a user, which is the bearer, for a machine token.
pub(super) async fn authorize<B>(
    snapshot: &Snapshot,
    control: &Control,
    request: Request<B>,
) -> Response<Full<Bytes>>
where
    B: Body + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if let Err(refusal) = enrollable(snapshot) {
        return *refusal;
    }
    let Some(user_token) = bearer(request.headers()) else {
        let message = "bring the token of a user, as `runbeam login` gets it, as a bearer token";
        return problem(StatusCode::UNAUTHORIZED, "unauthorized", message);
    };
    let asked: Authorize = match read_json(request).await {
        Ok(asked) => asked,
        Err(refusal) => return *refusal,
    };
    let code = asked.gateway_code.or(asked.gateway_id).filter(|code| !code.trim().is_empty());
    let code = code.unwrap_or_else(|| snapshot.config.proxy.id.clone());
    let metadata = asked.metadata.unwrap_or_default();
    let texts = metadata.iter().chain([&code]).chain(&asked.machine_public_key);
    if metadata.len() > 64 || texts.into_iter().any(|text| text.len() > MAX_TEXT) {
        let message = "expected at most 64 texts of at most 4 KiB";
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", message);
    }
    let request = EnrollmentRequest {
        user_token,
        gateway_code: code,
        machine_public_key: asked.machine_public_key,
        metadata,
        storage_key: asked.encryption_key,
    };
    match control.authorize(&request).await {
        Ok(authorized) => answer(snapshot, &authorized),
        Err(error) => failed(&error),
    }
}

/// `POST token`: stores a machine token that was issued elsewhere. [`may_bring`] has decided who may bring one.
pub(super) async fn token<B>(
    snapshot: &Snapshot,
    control: &Control,
    request: Request<B>,
) -> Response<Full<Bytes>>
where
    B: Body + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if let Err(refusal) = enrollable(snapshot) {
        return *refusal;
    }
    let given: Token = match read_json(request).await {
        Ok(given) => given,
        Err(refusal) => return *refusal,
    };
    let Ok(expires_at) = SystemTime::try_from(given.expires_at) else {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", "`expires_at` is no date");
    };
    let credential = MachineCredential {
        token: given.machine_token,
        expires_at,
        gateway_id: given.gateway_id,
        gateway_code: given.gateway_code,
        abilities: given.abilities,
        control_plane: given.api_base_url.filter(|url| !url.trim().is_empty()),
        storage_key: given.encryption_key,
    };
    match control.adopt(credential).await {
        Ok(authorized) => answer(snapshot, &authorized),
        Err(error) => failed(&error),
    }
}

/// The answer about an authorization that was stored.
fn answer(snapshot: &Snapshot, authorized: &Authorized) -> Response<Full<Bytes>> {
    let mut message = "the gateway is authorized and the machine token is stored".to_owned();
    if let Some(error) = &authorized.section_error {
        message.push_str(&format!("; its section could not be written into config.toml: {error}"));
    }
    let enrolled = &authorized.enrolled;
    let left = snapshot.providers.time_until(enrolled.expires_at);
    let answer = json!({
        "success": true,
        "message": message,
        "gateway": { "id": enrolled.gateway_id, "code": enrolled.gateway_code, "name": enrolled.gateway_name },
        "expires_at": timestamp(enrolled.expires_at),
        "expires_in": left.as_secs_f64(),
    });
    respond::json(StatusCode::OK, &answer)
}

/// Checks that the primary provider is one that gateways are authorized at.
///
/// # Errors
/// The answer 403.
fn enrollable(snapshot: &Snapshot) -> Result<(), Box<Response<Full<Bytes>>>> {
    let provider = remote(snapshot)?;
    match provider.enrollment() {
        Some(_) => Ok(()),
        None => Err(lacking(&format!("the provider `{}` needs no authorization", provider.name()))),
    }
}

/// Decides whether a peer may bring a machine token: where a management token is configured, only one that has it,
/// also on this machine.
///
/// # Errors
/// The answer 401.
pub(super) fn may_bring(config: &Management, headers: &HeaderMap) -> Result<(), Box<Response<Full<Bytes>>>> {
    let Some(expected) = &config.token else { return Ok(()) };
    match bearer(headers).is_some_and(|given| expected.matches(given.expose())) {
        true => Ok(()),
        false => {
            let message = "bring management.token as a bearer token: it decides which machine token is used";
            Err(Box::new(problem(StatusCode::UNAUTHORIZED, "unauthorized", message)))
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::new(token))
}
