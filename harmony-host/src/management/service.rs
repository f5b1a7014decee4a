//! The management API as one service.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;

use crate::host::{Control, Host};
use crate::http::path::{owned_segments, strip};
use crate::http::respond::{json, not_allowed, problem};
use crate::management::guard::{self, GuardRequest};
use crate::management::route::{Operation, Route};
use crate::management::{enroll, health, info, pipelines, provider, reload, routes, sync, update};
use crate::snapshot::Snapshot;

/// The management API of one host, as a service that an application mounts on a listener of its own.
///
/// It answers below `management.base_path` (`/admin` unless configured) and on `/api/reload`, in JSON, and guards itself:
/// a peer on the loopback is answered, everybody else must bring `management.token`. Mount it only where operators reach
/// it. Without `[management] enabled = true` every answer is 404.
#[derive(Clone, Debug)]
pub struct Management {
    control: Control,
}

/// The longest path that the base path takes: `/api/reload` is fixed, since the CLI uses it whatever the base path is.
const RELOAD: [&str; 2] = ["api", "reload"];

impl Management {
    /// The management API of `host`. It does not keep the host running.
    pub fn new(host: &Host) -> Self {
        Self { control: host.control().clone() }
    }

    /// Answers a request that came from `peer`, the address of the TCP connection.
    ///
    /// `path` of the request is the whole path, with the base path. The body is read up to 64 KiB, for at most 10 s.
    pub async fn handle<B>(&self, peer: SocketAddr, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let snapshot = self.control.snapshot();
        let missing = |message: &str| problem(StatusCode::NOT_FOUND, "not_found", message);
        let Some(config) = &snapshot.config.management else {
            return missing("the management API is not enabled");
        };
        if let Err((status, message)) = guard::check(config, &GuardRequest::of(peer.ip(), &request)) {
            return problem(status, "refused", message);
        }
        let Some(path) = below_base(&snapshot, request.uri().path()) else {
            return missing(&Route::listing());
        };
        let Some(route) = Route::find(path.trim_matches('/')) else { return missing(&Route::listing()) };
        if let Some(allowed) = route.refuses(request.method()) {
            return not_allowed(allowed);
        }
        let (control, ok) = (&self.control, StatusCode::OK);
        let status = || control.status.read();
        match route.operation {
            Operation::Info => json(ok, &info::info(&snapshot, control.started.elapsed())),
            Operation::Pipelines => json(ok, &pipelines::pipelines(&snapshot)),
            Operation::Routes => json(ok, &routes::routes(&snapshot)),
            Operation::ConfigStatus => json(ok, &provider::config_status(&snapshot, &status())),
            Operation::Provider => json(ok, &provider::provider(&snapshot, &status())),
            Operation::Health => health::health(&status()),
            Operation::Reload => reload::reload(control).await,
            Operation::Sync => sync::sync(&snapshot, control).await,
            Operation::Update => update::update(&snapshot, control).await,
            Operation::Authorize => enroll::authorize(&snapshot, control, request).await,
            Operation::Token => match enroll::may_bring(config, request.headers()) {
                Ok(()) => enroll::token(&snapshot, control, request).await,
                Err(refusal) => *refusal,
            },
        }
    }

    /// Returns whether a request on `network` is for the management API: it came in on the configured network, and its
    /// path is below the base path or `/api/reload`.
    #[cfg(feature = "gateway")]
    pub(crate) fn claims(snapshot: &Snapshot, network: &str, path: &str) -> bool {
        let config = snapshot.config.management.as_ref();
        config.is_some_and(|config| config.network.value == network) && below_base(snapshot, path).is_some()
    }
}

/// The path below the base path; `reload` for the fixed path.
fn below_base<'p>(snapshot: &Snapshot, path: &'p str) -> Option<&'p str> {
    let config = snapshot.config.management.as_ref()?;
    let base = owned_segments(&config.base_path).ok()?;
    match strip(path, &base) {
        Some(end) => path.get(end..),
        None => {
            let end = strip(path, &RELOAD.map(str::to_owned))?;
            (end == path.len()).then_some("reload")
        }
    }
}
