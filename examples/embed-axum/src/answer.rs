//! Responses to requests, which the host admits and the application serves from memory or forwards.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::response::{IntoResponse, Response, Result};
use harmony_host::{AdmissionError, Destination, RequestHead, Scheme};

use crate::application::Application;
use crate::table::Table;

/// Responds to a request. The whole request uses one table.
pub(crate) async fn answer(State(app): State<Application>, request: Request) -> Response {
    let Some(table) = app.table.load_full() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let mut response = route(&table, &app.client, request).await.into_response();
    response.headers_mut().insert("x-generation", table.snapshot.generation().into());
    response
}

async fn route(table: &Table, client: &reqwest::Client, mut request: Request) -> Result<Response> {
    let refused = |error: AdmissionError| (error.status(), error.to_string());
    let (path, headers) = (request.uri().path(), request.headers());
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let authority = request.uri().authority().map_or(host, |authority| authority.as_str());
    let head = RequestHead::new("public", Scheme::Http, authority, path, headers);
    let admitted = table.snapshot.admit(&head).await.map_err(refused)?;
    let Some(destination) = table.snapshot.destination(&admitted).await.map_err(refused)? else {
        let fhir = table.fhir.contains(&(admitted.pipeline().to_owned(), admitted.endpoint().to_owned()));
        let found = crate::fhir::answer(request.method().as_str(), admitted.rest()).filter(|_| fhir);
        return Ok(found.map(axum::Json).ok_or((StatusCode::NOT_FOUND, "no such resource")).into_response());
    };
    if admitted.mesh().is_some() {
        // The token was issued for this gateway. A backend could replay it.
        request.headers_mut().remove(AUTHORIZATION);
    }
    forward(client, destination, request).await
}

/// Forwards a request to the preferred URL. Buffers its body, of at most 1 MiB.
async fn forward(client: &reqwest::Client, mut to: Destination, request: Request) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.map_err(|_| (StatusCode::PAYLOAD_TOO_LARGE, "over 1 MiB"))?;
    for name in ["connection", "content-length", "host", "te", "transfer-encoding", "upgrade"] {
        parts.headers.remove(name);
    }
    let preferred = to.urls.swap_remove(0);
    parts.headers.extend(preferred.authorization.map(|authorization| (AUTHORIZATION, authorization)));
    let url = preferred.url + &parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let sending = client.request(parts.method, url).headers(parts.headers).body(body).send();
    match tokio::time::timeout(to.timeout, sending).await {
        Ok(Ok(response)) => Ok(axum::http::Response::from(response).map(Body::new)),
        Ok(Err(_)) => Err((StatusCode::BAD_GATEWAY, "the backend cannot be reached").into()),
        Err(_) => Err((StatusCode::GATEWAY_TIMEOUT, "the backend did not respond in time").into()),
    }
}
