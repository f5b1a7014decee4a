//! Sending requests to the control plane under test.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::control_plane::ControlPlane;

/// The status and JSON body of a response.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

pub(super) fn request(cloud: &ControlPlane, method: &str, path: &str, token: &str) -> RequestBuilder {
    let method: Method = method.parse().unwrap();
    let request = crate::client().request(method, format!("{}{path}", cloud.url()));
    if token.is_empty() { request } else { request.bearer_auth(token) }
}

pub(super) async fn send(request: RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    Reply { status: response.status(), body: response.json().await.unwrap_or_default() }
}

pub(super) async fn get(cloud: &ControlPlane, path: &str, token: &str) -> Reply {
    send(request(cloud, "GET", path, token)).await
}

pub(super) async fn post(cloud: &ControlPlane, path: &str, token: &str, body: &Value) -> Reply {
    send(request(cloud, "POST", path, token).json(body)).await
}
