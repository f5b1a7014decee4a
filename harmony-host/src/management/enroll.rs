//! `POST authorize` and `POST token`: the enrollment of the gateway at its control plane.

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
use crate::management::provider_error::{disabled, provider_failed, remote_provider};
use crate::management::read_json::read_json;
use crate::snapshot::Snapshot;
use crate::status::timestamp;

/// The body of `POST authorize`.
#[derive(Deserialize)]
struct AuthorizeBody {
    gateway_id: Option<String>,
    gateway_code: Option<String>,
    machine_public_key: Option<String>,
    #[serde(default)]
    metadata: Option<Vec<String>>,
    encryption_key: Option<Secret>,
}

/// The body of `POST token`.
#[derive(Deserialize)]
struct TokenBody {
    machine_token: Secret,
    expires_at: jiff::Timestamp,
    gateway_id: String,
    gateway_code: Option<String>,
    #[serde(default)]
    abilities: Vec<String>,
    api_base_url: Option<String>,
    encryption_key: Option<Secret>,
}

/// The maximum length of a text in a request, in bytes.
const MAX_TEXT: usize = 4 * 1024;

/// The maximum number of `metadata` entries in a request.
const MAX_METADATA: usize = 64;

/// Serves `POST authorize`: exchanges the bearer token, which belongs to a user, for a machine token.
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
    if let Err(response) = require_enrollment(snapshot) {
        return *response;
    }
    let Some(user_token) = bearer(request.headers()) else {
        let message = "send the token of a user, from `runbeam login`, as a bearer token";
        return problem(StatusCode::UNAUTHORIZED, "unauthorized", message);
    };
    let body: AuthorizeBody = match read_json(request).await {
        Ok(body) => body,
        Err(response) => return *response,
    };
    let code = body.gateway_code.or(body.gateway_id).filter(|code| !code.trim().is_empty());
    let code = code.unwrap_or_else(|| snapshot.config.proxy.id.clone());
    let metadata = body.metadata.unwrap_or_default();
    let texts = metadata.iter().chain([&code]).chain(&body.machine_public_key);
    if metadata.len() > MAX_METADATA || texts.into_iter().any(|text| text.len() > MAX_TEXT) {
        let message = "expected at most 64 texts of at most 4 KiB";
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", message);
    }
    let request = EnrollmentRequest {
        user_token,
        gateway_code: code,
        machine_public_key: body.machine_public_key,
        metadata,
        storage_key: body.encryption_key,
    };
    match control.authorize(&request).await {
        Ok(authorized) => authorized_response(snapshot, &authorized),
        Err(error) => provider_failed(&error),
    }
}

/// Serves `POST token`: stores a machine token that was issued elsewhere. The caller runs [`check_token_sender`]
/// first.
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
    if let Err(response) = require_enrollment(snapshot) {
        return *response;
    }
    let body: TokenBody = match read_json(request).await {
        Ok(body) => body,
        Err(response) => return *response,
    };
    let Ok(expires_at) = SystemTime::try_from(body.expires_at) else {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", "`expires_at` is out of range");
    };
    let credential = MachineCredential {
        token: body.machine_token,
        expires_at,
        gateway_id: body.gateway_id,
        gateway_code: body.gateway_code,
        abilities: body.abilities,
        control_plane: body.api_base_url.filter(|url| !url.trim().is_empty()),
        storage_key: body.encryption_key,
    };
    match control.adopt(credential).await {
        Ok(authorized) => authorized_response(snapshot, &authorized),
        Err(error) => provider_failed(&error),
    }
}

/// Creates the response to an authorization that the host has stored.
fn authorized_response(snapshot: &Snapshot, authorized: &Authorized) -> Response<Full<Bytes>> {
    let mut message = "the gateway is authorized; the machine token is stored".to_owned();
    if let Some(error) = &authorized.section_error {
        message
            .push_str(&format!("; the host could not write the provider section into config.toml: {error}"));
    }
    let enrolled = &authorized.enrolled;
    let time_left = snapshot.providers.time_until(enrolled.expires_at);
    let body = json!({
        "success": true,
        "message": message,
        "gateway": { "id": enrolled.gateway_id, "code": enrolled.gateway_code, "name": enrolled.gateway_name },
        "expires_at": timestamp(enrolled.expires_at),
        "expires_in": time_left.as_secs_f64(),
    });
    respond::json(StatusCode::OK, &body)
}

/// Checks that the primary provider authorizes gateways.
///
/// # Errors
/// The response 403.
fn require_enrollment(snapshot: &Snapshot) -> Result<(), Box<Response<Full<Bytes>>>> {
    let provider = remote_provider(snapshot)?;
    match provider.enrollment() {
        Some(_) => Ok(()),
        None => Err(disabled(&format!("the provider `{}` needs no authorization", provider.name()))),
    }
}

/// Checks the sender of a machine token. With a configured management token every sender must have it, peers on the
/// loopback included: a machine token decides which control plane account configures this gateway.
///
/// # Errors
/// The response 401.
pub(super) fn check_token_sender(
    config: &Management,
    headers: &HeaderMap,
) -> Result<(), Box<Response<Full<Bytes>>>> {
    let Some(expected) = &config.token else { return Ok(()) };
    match bearer(headers).is_some_and(|given| expected.matches(given.expose())) {
        true => Ok(()),
        false => {
            let message =
                "send management.token as a bearer token: only its owner may replace the machine token";
            Err(Box::new(problem(StatusCode::UNAUTHORIZED, "unauthorized", message)))
        }
    }
}

/// Returns the token of an `Authorization: Bearer` header.
fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::new(token))
}
