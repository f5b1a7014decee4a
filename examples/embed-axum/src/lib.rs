//! An application that is no Harmony gateway and has one inside: it listens and routes itself, and asks the gateway
//! where references lead and who its callers are. Edits of the gateway's files are live here as they are there.

mod refusal;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, Uri};
use axum::routing::get;
use harmony_host::Host;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use provider_api::Reference;

use crate::refusal::Refusal;

/// The mesh that this application is a member of.
const MESH: &str = "clinic";

/// The routes of the application.
pub fn app(host: Arc<Host>) -> Router {
    Router::new()
        .route("/where/{reference}", get(find))
        .route("/records/{*path}", get(records))
        .route("/ask/{*url}", get(ask))
        .with_state(host)
}

/// Where a reference leads now, one URL a line.
async fn find(State(host): State<Arc<Host>>, Path(reference): Path<String>) -> Result<String, Refusal> {
    let reference: Reference = reference.parse().map_err(|_| Refusal::BadRequest)?;
    Ok(host.snapshot().resolve(&reference).await?.join("\n"))
}

/// For members of the mesh only.
async fn records(State(host): State<Arc<Host>>, uri: Uri, headers: HeaderMap) -> Result<String, Refusal> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let token = text(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ")).ok_or(Refusal::Denied)?;
    let authority = text(HOST).ok_or(Refusal::BadRequest)?;
    let asked = format!("http://{authority}{}", uri.path());
    let sender = host.snapshot().verify_mesh_token(MESH, &asked, token).await?;
    Ok(format!("records for {sender}"))
}

/// Asks a URL, as a member of the mesh where the URL is one's.
async fn ask(State(host): State<Arc<Host>>, Path(url): Path<String>) -> Result<String, Refusal> {
    let mut request = Request::get(&url).body(Body::empty()).map_err(|_| Refusal::BadRequest)?;
    if let Some(authorization) = host.snapshot().mesh_authorization(MESH, &url).await? {
        request.headers_mut().insert(AUTHORIZATION, authorization);
    }
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let answer = client.request(request).await.map_err(|_| Refusal::BadGateway)?;
    let body = answer.into_body().collect().await.map_err(|_| Refusal::BadGateway)?.to_bytes();
    String::from_utf8(body.into()).map_err(|_| Refusal::BadGateway)
}
