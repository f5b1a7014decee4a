use std::sync::Arc;
use std::time::SystemTime;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use provider_api::{Enrolled, EnrollmentRequest, MachineCredential, Provider, Secret};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use crate::config::Management;
use crate::host::provider_section;
use crate::host::{self, Command};
use crate::http::body::Body;
use crate::management::read_json::read_json;
use crate::management::remote::{failed, lacking, remote};
use crate::providers::isolate::isolated;
use crate::proxy::error::{json, problem};
use crate::snapshot::Snapshot;
use crate::status::timestamp;
use crate::sync::SyncCommand;

/// What becoming authorized tells the rest of the gateway.
pub(super) struct Enroller<'a> {
    pub(super) snapshot: &'a Arc<Snapshot>,
    pub(super) commands: &'a mpsc::Sender<Command>,
    pub(super) sync: &'a mpsc::Sender<SyncCommand>,
}

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

impl Enroller<'_> {
    /// POST authorize: trades a user's token, which is the bearer, for a machine token.
    pub(super) async fn authorize(&self, request: Request<Incoming>) -> Response<Body> {
        let provider = match remote(self.snapshot) {
            Ok(provider) => provider,
            Err(refusal) => return *refusal,
        };
        let Some(user_token) = bearer(request.headers()) else {
            let message = "bring the token of a user, as `runbeam login` gets it, as a bearer token";
            return problem(StatusCode::UNAUTHORIZED, "unauthorized", message);
        };
        let asked: Authorize = match read_json(request).await {
            Ok(asked) => asked,
            Err(refusal) => return *refusal,
        };
        let code = asked.gateway_code.or(asked.gateway_id).filter(|code| !code.trim().is_empty());
        let code = code.unwrap_or_else(|| self.snapshot.config.proxy.id.clone());
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
        let Some(enrollment) = provider.enrollment() else { return *needs_none(provider) };
        match isolated(enrollment.enroll(&request)).await {
            Ok(enrolled) => self.enrolled(provider, &enrolled).await,
            Err(error) => failed(&error),
        }
    }

    /// POST token: takes a machine token that somebody brings. Who may bring one has been decided before.
    pub(super) async fn token(&self, request: Request<Incoming>) -> Response<Body> {
        let provider = match remote(self.snapshot) {
            Ok(provider) => provider,
            Err(refusal) => return *refusal,
        };
        let given: Token = match read_json(request).await {
            Ok(given) => given,
            Err(refusal) => return *refusal,
        };
        let Some(enrollment) = provider.enrollment() else { return *needs_none(provider) };
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
        match isolated(enrollment.adopt(credential)).await {
            Ok(enrolled) => self.enrolled(provider, &enrolled).await,
            Err(error) => failed(&error),
        }
    }

    async fn enrolled(&self, provider: &Arc<dyn Provider>, enrolled: &Enrolled) -> Response<Body> {
        tracing::info!(gateway = enrolled.gateway_id, provider = %provider.name(), "this gateway is authorized");
        let mut message = "the gateway is authorized and the machine token is stored".to_owned();
        match provider_section::write_missing(self.snapshot).await {
            Ok(false) => {}
            Ok(true) => {
                host::reload(self.commands).await;
            }
            Err(error) => {
                tracing::warn!(%error, "the section of the provider could not be written into config.toml");
                message.push_str(&format!("; its section could not be written into config.toml: {error}"));
            }
        }
        let _ = self.sync.send(SyncCommand::Authorized).await;
        let left = self.snapshot.providers.time_until(enrolled.expires_at);
        let answer = json!({
            "success": true,
            "message": message,
            "gateway": { "id": enrolled.gateway_id, "code": enrolled.gateway_code, "name": enrolled.gateway_name },
            "expires_at": timestamp(enrolled.expires_at),
            "expires_in": left.as_secs_f64(),
        });
        json(StatusCode::OK, &answer)
    }
}

/// Whether somebody who wants to bring a machine token may: where a management token is configured, only who
/// has it, also on this machine.
pub(super) fn may_bring(config: &Management, headers: &HeaderMap) -> Result<(), Box<Response<Body>>> {
    let Some(expected) = &config.token else { return Ok(()) };
    match bearer(headers).is_some_and(|given| expected.matches(given.expose())) {
        true => Ok(()),
        false => {
            let message = "bring management.token as a bearer token: it decides which machine token is used";
            Err(Box::new(problem(StatusCode::UNAUTHORIZED, "unauthorized", message)))
        }
    }
}

fn needs_none(provider: &Arc<dyn Provider>) -> Box<Response<Body>> {
    lacking(&format!("the provider `{}` needs no authorization", provider.name()))
}

fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::new(token))
}
