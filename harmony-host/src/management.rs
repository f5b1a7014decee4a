//! The management API: what operators, the CLI and a load balancer ask a gateway.

mod enroll;
mod guard;
mod health;
mod info;
mod pipelines;
mod provider;
mod read_json;
mod reload;
mod remote;
mod routes;
mod sync;
mod update;

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::config;
use crate::host::Command;
use crate::http::body::Body;
use crate::http::path::{owned_segments, strip};
use crate::proxy::error::{json, not_allowed, problem};
use crate::proxy::exchange::Arrival;
use crate::snapshot::Snapshot;
use crate::status::StatusBoard;
use crate::sync::SyncCommand;

/// What the management API needs beside the snapshot.
#[derive(Debug)]
pub(crate) struct Management {
    status: Arc<StatusBoard>,
    commands: mpsc::Sender<Command>,
    sync: mpsc::Sender<SyncCommand>,
    started: Instant,
}

/// A request that is for the management API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claimed {
    /// Where in the path the base ends; `None` for the fixed path /api/reload.
    end: Option<usize>,
}

impl Management {
    pub(crate) fn new(
        status: Arc<StatusBoard>,
        commands: mpsc::Sender<Command>,
        sync: mpsc::Sender<SyncCommand>,
    ) -> Self {
        Self { status, commands, sync, started: Instant::now() }
    }

    /// Whether a request is for the management API: it came in on the configured network, and its path is
    /// below the base path, or is /api/reload, which the CLI uses whatever the base path is.
    pub(crate) fn claims(&self, snapshot: &Snapshot, arrival: &Arrival, path: &str) -> Option<Claimed> {
        let config = snapshot.config.management.as_ref()?;
        if *config.network.value != **arrival.network(snapshot) {
            return None;
        }
        let base = owned_segments(&config.base_path).ok()?;
        let reload = ["api".to_owned(), "reload".to_owned()];
        match strip(path, &base) {
            Some(end) => Some(Claimed { end: Some(end) }),
            None => strip(path, &reload).filter(|end| *end == path.len()).map(|_| Claimed { end: None }),
        }
    }

    /// Answers a request that was claimed.
    pub(crate) async fn answer(
        &self,
        snapshot: &Arc<Snapshot>,
        arrival: &Arrival,
        claimed: Claimed,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let Some(config) = &snapshot.config.management else {
            return problem(StatusCode::NOT_FOUND, "not_found", "the management API is not enabled");
        };
        if let Err(refusal) = guard::admit(config, arrival, &request) {
            return *refusal;
        }
        let path = match claimed.end {
            Some(end) => request.uri().path().get(end..).unwrap_or_default().trim_matches('/'),
            None => "reload",
        };
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        match (path, is_read) {
            ("info", true) => json(StatusCode::OK, &info::info(snapshot, self.started.elapsed())),
            ("pipelines", true) => json(StatusCode::OK, &pipelines::pipelines(snapshot)),
            ("routes", true) => json(StatusCode::OK, &routes::routes(snapshot)),
            ("config/status", true) => {
                json(StatusCode::OK, &provider::config_status(snapshot, &self.status.read()))
            }
            ("provider", true) => json(StatusCode::OK, &provider::provider(snapshot, &self.status.read())),
            ("health", true) => health::health(&self.status.read()),
            ("reload" | "sync" | "update" | "authorize" | "token", _)
                if *request.method() == Method::POST =>
            {
                self.change(path.to_owned(), snapshot, config, request).await
            }
            ("reload" | "sync" | "update" | "authorize" | "token", _) => not_allowed("POST"),
            ("info" | "pipelines" | "routes" | "config/status" | "provider" | "health", _) => {
                not_allowed("GET, HEAD")
            }
            _ => problem(
                StatusCode::NOT_FOUND,
                "not_found",
                "the management API has info, pipelines, routes, config/status, provider and health to read, and \
                 reload, sync, update, authorize and token to post to",
            ),
        }
    }

    /// Answers what changes something.
    async fn change(
        &self,
        path: String,
        snapshot: &Arc<Snapshot>,
        config: &config::Management,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let enroller = enroll::Enroller { snapshot, commands: &self.commands, sync: &self.sync };
        match path.as_str() {
            "sync" => sync::sync(snapshot, &self.sync).await,
            "update" => update::update(snapshot, &self.sync).await,
            "authorize" => enroller.authorize(request).await,
            "token" => match enroll::may_bring(config, request.headers()) {
                Ok(()) => enroller.token(request).await,
                Err(refusal) => *refusal,
            },
            _ => reload::reload(&self.commands).await,
        }
    }
}
