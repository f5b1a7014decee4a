//! `POST authorize` and `POST token`: the enrollment of the gateway at its control plane.

use std::time::SystemTime;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Full;
use provider_api::{EnrollmentRequest, MachineCredential, Secret};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::audit::Actor;
use crate::config::Management;
use crate::host::{Authorized, Control};
use crate::http::respond::{self, problem};
use crate::management::guard::{MANAGEMENT_TOKEN, holds_token};
use crate::management::metadata::Metadata;
use crate::management::provider_error::{disabled, provider_failed, remote_provider};
use crate::management::read_json::{RequestBody, read_json};
use crate::snapshot::Snapshot;
use crate::status::timestamp;

/// The body of `POST authorize`.
#[derive(Deserialize)]
struct AuthorizeBody {
    gateway_id: Option<String>,
    gateway_code: Option<String>,
    machine_public_key: Option<String>,
    #[serde(default)]
    metadata: Option<Metadata>,
    encryption_key: Option<Secret>,
    #[serde(default)]
    replace: bool,
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
    #[serde(default)]
    replace: bool,
}

/// The maximum length of a text in a request, in bytes.
const MAX_TEXT: usize = 4 * 1024;

/// The maximum number of `metadata` entries in a request.
const MAX_METADATA: usize = 64;

/// A response that ends an enrollment.
type Refused = Box<Response<Full<Bytes>>>;

/// One request for an enrollment, with what it is checked against.
pub(super) struct EnrollmentCall<'a, B> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) config: &'a Management,
    pub(super) control: &'a Control,
    pub(super) request: Request<B>,
    pub(super) by: &'a Actor,
}

impl<B: RequestBody> EnrollmentCall<'_, B> {
    /// Serves `POST authorize`: exchanges the bearer token, which belongs to a user, for a machine token.
    pub(super) async fn authorize(self) -> Response<Full<Bytes>> {
        let (snapshot, control, by) = (self.snapshot, self.control, self.by);
        let authorized = async {
            require_enrollment(snapshot)?;
            let user_token = bearer(self.request.headers()).ok_or_else(|| {
                refused(
                    StatusCode::UNAUTHORIZED,
                    "send the token of a user, from `runbeam login`, as a bearer token",
                )
            })?;
            let body: AuthorizeBody = self.body(|body: &AuthorizeBody| body.replace).await?;
            let request = enrollment_request(body, user_token, &snapshot.config.proxy.id)?;
            control.authorize(&request, by).await.map_err(|error| Box::new(provider_failed(&error)))
        };
        respond_to(snapshot, authorized.await)
    }

    /// Serves `POST token`: stores a machine token that was issued elsewhere.
    pub(super) async fn token(self) -> Response<Full<Bytes>> {
        let (snapshot, control, by) = (self.snapshot, self.control, self.by);
        let authorized = async {
            self.check_token_sender()?;
            require_enrollment(snapshot)?;
            let body: TokenBody = self.body(|body: &TokenBody| body.replace).await?;
            let credential = machine_credential(body)?;
            control.adopt(credential, by).await.map_err(|error| Box::new(provider_failed(&error)))
        };
        respond_to(snapshot, authorized.await)
    }

    /// Reads the body, and checks that the sender may have `replace` if it is set there.
    async fn body<T: DeserializeOwned>(self, replaces: impl Fn(&T) -> bool) -> Result<T, Refused> {
        let confirmed = check_replace(self.config, self.request.headers());
        let body: T = read_json(self.request).await?;
        match replaces(&body) {
            true => confirmed.map(|()| body),
            false => Ok(body),
        }
    }

    /// Checks the sender of a machine token. With a configured management token every sender must have it, peers on the
    /// loopback included: a machine token decides which control plane account configures this gateway.
    fn check_token_sender(&self) -> Result<(), Refused> {
        let Some(expected) = &self.config.token else { return Ok(()) };
        let headers = self.request.headers();
        let has_bearer = bearer(headers).is_some_and(|given| expected.matches(given.expose()));
        match has_bearer || holds_token(self.config, headers) {
            true => Ok(()),
            false => Err(refused(
                StatusCode::UNAUTHORIZED,
                "send management.token as a bearer token: only its owner may replace the machine token",
            )),
        }
    }
}

/// Checks that the sender may turn this gateway into another one: with management.token, in a header of its own since
/// the bearer token of `POST authorize` is the user's. Without a configured token every such call is rejected.
fn check_replace(config: &Management, headers: &HeaderMap) -> Result<(), Refused> {
    if config.token.is_none() {
        return Err(refused(
            StatusCode::FORBIDDEN,
            "`replace` takes management.token; set `token` in [management] first",
        ));
    }
    match holds_token(config, headers) {
        true => Ok(()),
        false => Err(refused(
            StatusCode::UNAUTHORIZED,
            &format!("`replace` takes management.token in the header {MANAGEMENT_TOKEN}"),
        )),
    }
}

fn enrollment_request(
    body: AuthorizeBody,
    user_token: Secret,
    own_id: &str,
) -> Result<EnrollmentRequest, Refused> {
    let code = body.gateway_code.or(body.gateway_id).filter(|code| !code.trim().is_empty());
    let code = code.unwrap_or_else(|| own_id.to_owned());
    let metadata = body.metadata.map(Metadata::into_texts).unwrap_or_default();
    let texts = metadata.iter().chain([&code]).chain(&body.machine_public_key);
    if metadata.len() > MAX_METADATA || texts.into_iter().any(|text| text.len() > MAX_TEXT) {
        let message = "expected at most 64 texts of at most 4 KiB";
        return Err(refused(StatusCode::UNPROCESSABLE_ENTITY, message));
    }
    Ok(EnrollmentRequest {
        user_token,
        gateway_code: code,
        machine_public_key: body.machine_public_key,
        metadata,
        storage_key: body.encryption_key,
        replace: body.replace,
    })
}

fn machine_credential(body: TokenBody) -> Result<MachineCredential, Refused> {
    let expires_at = SystemTime::try_from(body.expires_at)
        .map_err(|_| refused(StatusCode::UNPROCESSABLE_ENTITY, "`expires_at` is out of range"))?;
    Ok(MachineCredential {
        token: body.machine_token,
        expires_at,
        gateway_id: body.gateway_id,
        gateway_code: body.gateway_code,
        abilities: body.abilities,
        control_plane: body.api_base_url.filter(|url| !url.trim().is_empty()),
        storage_key: body.encryption_key,
        replace: body.replace,
    })
}

/// Creates the response to an enrollment.
fn respond_to(snapshot: &Snapshot, authorized: Result<Authorized, Refused>) -> Response<Full<Bytes>> {
    let authorized = match authorized {
        Ok(authorized) => authorized,
        Err(response) => return *response,
    };
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
fn require_enrollment(snapshot: &Snapshot) -> Result<(), Refused> {
    let provider = remote_provider(snapshot)?;
    match provider.enrollment() {
        Some(_) => Ok(()),
        None => Err(disabled(&format!("the provider `{}` needs no authorization", provider.name()))),
    }
}

fn refused(status: StatusCode, message: &str) -> Refused {
    let code = match status {
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::FORBIDDEN => "refused",
        _ => "unprocessable",
    };
    Box::new(problem(status, code, message))
}

/// Returns the token of an `Authorization: Bearer` header.
fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::new(token))
}
