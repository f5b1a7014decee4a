//! `POST sync/pause` and `POST sync/resume`: an operator keeps changes of the control plane from being applied.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use provider_api::Error;
use serde::Deserialize;
use serde_json::json;

use crate::audit::Actor;
use crate::host::Control;
use crate::http::respond::{self, problem};
use crate::management::provider_error::remote_provider;
use crate::management::read_json::{RequestBody, read_json};
use crate::providers::isolate::error_chain;
use crate::snapshot::Snapshot;
use crate::status::{Pause, timestamp};

/// The maximum length of a reason, in bytes.
const MAX_REASON: usize = 1024;

/// The maximum length of an operator's name, in bytes.
const MAX_NAME: usize = 128;

/// The longest pause that ends by itself: a year.
const MAX_PAUSE_SECS: u64 = 366 * 24 * 3600;

/// The body of `POST sync/pause`.
#[derive(Deserialize)]
struct PauseBody {
    reason: String,
    /// The name of the operator. It is only a note: the address of the request is recorded with it.
    by: Option<String>,
    for_secs: Option<u64>,
}

/// The body of `POST sync/resume`.
#[derive(Deserialize)]
struct ResumeBody {
    by: Option<String>,
}

/// Pauses the sync, or replaces the present pause.
pub(super) async fn pause<B: RequestBody>(
    snapshot: &Snapshot,
    control: &Control,
    caller: (IpAddr, &Actor),
    request: Request<B>,
) -> Response<Full<Bytes>> {
    let (peer, actor) = caller;
    if let Err(response) = remote_provider(snapshot) {
        return *response;
    }
    let body: PauseBody = match read_json(request).await {
        Ok(body) => body,
        Err(response) => return *response,
    };
    if let Err(message) = check(&body) {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", &message);
    }
    let now = snapshot.providers.now();
    let until = body.for_secs.and_then(|seconds| now.checked_add(Duration::from_secs(seconds)));
    let pause = Pause::new(timestamp(now), by(body.by, peer), body.reason.trim());
    let pause = pause.until(until.map(timestamp));
    match control.pause(pause.clone(), actor).await {
        Err(error) => not_recorded(&error),
        Ok(is_quiet) => {
            let message = match is_quiet {
                true => "the sync is paused: changes of the control plane wait",
                false => "the sync is paused: changes of the control plane wait; one is still being applied",
            };
            let body = json!({ "success": true, "message": message, "paused": pause, "quiet": is_quiet });
            respond::json(StatusCode::OK, &body)
        }
    }
}

/// Ends the pause.
pub(super) async fn resume<B: RequestBody>(
    control: &Control,
    caller: (IpAddr, &Actor),
    request: Request<B>,
) -> Response<Full<Bytes>> {
    let (peer, actor) = caller;
    let body: ResumeBody = match read_json(request).await {
        Ok(body) => body,
        Err(response) => return *response,
    };
    if body.by.as_ref().is_some_and(|by| by.len() > MAX_NAME) {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", &too_long("by", MAX_NAME));
    }
    match control.resume(&by(body.by, peer), actor).await {
        Err(error) => not_recorded(&error),
        Ok(ended) => {
            let message = match ended {
                Some(_) => "the sync goes on",
                None => "the sync was not paused",
            };
            respond::json(StatusCode::OK, &json!({ "success": true, "message": message, "ended": ended }))
        }
    }
}

/// Creates the response to a pause, or the end of one, that the state directory did not take.
fn not_recorded(error: &Error) -> Response<Full<Bytes>> {
    problem(StatusCode::SERVICE_UNAVAILABLE, "not_recorded", &error_chain(error))
}

fn check(body: &PauseBody) -> Result<(), String> {
    let PauseBody { reason, by, for_secs } = body;
    if reason.trim().is_empty() {
        return Err("`reason` is empty; write why, for those who see the pause in `status`".to_owned());
    }
    if reason.len() > MAX_REASON {
        return Err(too_long("reason", MAX_REASON));
    }
    if by.as_ref().is_some_and(|by| by.len() > MAX_NAME) {
        return Err(too_long("by", MAX_NAME));
    }
    match for_secs {
        Some(0) => Err("`for_secs` is 0; leave it out for a pause without an end".to_owned()),
        Some(seconds) if *seconds > MAX_PAUSE_SECS => Err("`for_secs` is more than a year".to_owned()),
        _ => Ok(()),
    }
}

fn too_long(key: &str, limit: usize) -> String {
    format!("`{key}` is too long; expected at most {limit} bytes")
}

/// Returns who sent a request: the name in it, which proves nothing, and the address.
fn by(name: Option<String>, peer: IpAddr) -> String {
    let peer = peer.to_canonical();
    match name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
        Some(name) => format!("{name} ({peer})"),
        None => peer.to_string(),
    }
}
