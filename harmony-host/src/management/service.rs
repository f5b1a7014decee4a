//! The service [`Management`], which dispatches requests of the management API.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;

use crate::audit::Actor;
#[cfg(feature = "gateway")]
use crate::host::Readiness;
use crate::host::{Control, Host};
use crate::http::authority::{KnownHost, authority, check_target};
use crate::http::respond::{json, not_allowed, problem};
use crate::management::enroll::EnrollmentCall;
use crate::management::guard::{self, GuardRequest};
use crate::management::metrics::Scrape;
#[cfg(feature = "gateway")]
use crate::management::paths::claims;
use crate::management::paths::{below_base, is_root_metrics, root_health};
use crate::management::route::{Operation, Route};
use crate::management::{
    explain, health, history, info, log, metrics, page, pause, pipelines, plan, provider, reload, rollback,
    routes, sync, update, who,
};
#[cfg(feature = "gateway")]
use crate::metrics::Traffic;
#[cfg(feature = "gateway")]
use crate::snapshot::Snapshot;

/// The management API of one host, as a service that an application mounts on a listener of its own.
///
/// The service serves the paths below `management.base_path` (default `/admin`) and `/api/reload`, in JSON, and the metrics in the
/// text format of Prometheus. It checks its callers itself: a peer on the loopback needs no token, every other peer must send
/// `management.token`; `health`, `health/live` and `health/ready` tell anybody that the gateway is live and ready. Mount it only
/// on a listener for operators. Without `[management] enabled = true` every response is 404.
#[derive(Clone, Debug)]
pub struct Management {
    control: Control,
    /// The traffic of the built-in gateway; `None` for an application that serves the requests.
    #[cfg(feature = "gateway")]
    traffic: Option<Arc<Traffic>>,
    /// The samples of the status page.
    samples: Arc<page::Samples>,
}

impl Management {
    /// Creates the management API of `host`. It does not keep the host running.
    pub fn new(host: &Host) -> Self {
        Self {
            control: host.control().clone(),
            #[cfg(feature = "gateway")]
            traffic: None,
            samples: Arc::default(),
        }
    }

    /// Adds the metrics of the built-in gateway.
    #[cfg(feature = "gateway")]
    pub(crate) fn with_traffic(self, traffic: Arc<Traffic>) -> Self {
        Self { traffic: Some(traffic), ..self }
    }

    /// Serves a request that came from `peer`, the remote address of the TCP connection.
    ///
    /// Pass the request with its whole path, the base path included. The body may have 64 KiB and must arrive within
    /// 10 s.
    pub async fn handle<B>(&self, peer: SocketAddr, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let snapshot = self.control.snapshot();
        let not_found = |message: &str| problem(StatusCode::NOT_FOUND, "not_found", message);
        let Some(config) = &snapshot.config.management else {
            return not_found("the management API is not enabled; set `[management] enabled = true`");
        };
        if let Err(message) = check_form(&request) {
            return problem(StatusCode::BAD_REQUEST, "bad_request", &message);
        }
        let path = request.uri().path();
        let below = below_base(&snapshot, path);
        let root_metrics = || is_root_metrics(&snapshot, path).then_some(&Route::METRICS);
        let in_base = || Route::find(below.as_deref()?.trim_matches('/'));
        let root_health = root_health(&snapshot, path);
        let route = root_health.or_else(root_metrics).or_else(in_base);
        let guarded = guard::check(config, &GuardRequest::of(peer.ip(), &request));
        let refused = guarded.err().map(|(status, _)| status);
        if let Some(question) = page::Question::of(&request, below.as_deref(), &snapshot, refused) {
            let sources = page::Sources { control: &self.control, samples: &self.samples, api: self };
            return page::answer(question, &snapshot, sources).await;
        }
        if let Err((status, message)) = guarded
            && !route.is_some_and(|route| route.is_public())
        {
            return problem(status, "refused", message);
        }
        let to_operator = guarded.is_ok() && root_health.is_none();
        let Some(route) = route else { return not_found(&Route::listing()) };
        if let Some(allowed) = route.allowed_instead_of(request.method()) {
            return not_allowed(allowed);
        }
        let (control, ok) = (&self.control, StatusCode::OK);
        let by = &match route.is_write() {
            true => who::actor(peer).await,
            false => Actor::Gateway,
        };
        let status = || control.status.read();
        match route.operation {
            Operation::Info => json(ok, &info::info(&snapshot, &status(), control.started.elapsed())),
            Operation::Pipelines => json(ok, &pipelines::pipelines(&snapshot)),
            Operation::Routes => json(ok, &routes::routes(&snapshot)),
            Operation::ConfigStatus => json(ok, &provider::config_status(&snapshot, &status())),
            Operation::Provider => json(ok, &provider::provider(&snapshot, &status())),
            Operation::Health => health::health(control.readiness(), &status(), to_operator),
            Operation::Live => health::live(),
            Operation::Ready => health::ready(control.readiness()),
            Operation::Metrics => {
                let scrape = Scrape {
                    snapshot: Arc::clone(&snapshot),
                    status: status(),
                    control: control.clone(),
                    #[cfg(feature = "gateway")]
                    traffic: self.traffic.clone(),
                };
                metrics::metrics(scrape).await
            }
            Operation::History => history::history(control, request.uri().query()).await,
            Operation::Diff => history::diff(control, request.uri().query()).await,
            Operation::Rollback => rollback::rollback(control, request, by).await,
            Operation::Reload => reload::reload(control, by).await,
            Operation::Sync => sync::sync(&snapshot, control, by).await,
            Operation::AcceptFresh => sync::accept_fresh(&snapshot, control, by).await,
            Operation::Update => update::update(&snapshot, control, by).await,
            Operation::Pause => pause::pause(&snapshot, control, (peer.ip(), by), request).await,
            Operation::Resume => pause::resume(control, (peer.ip(), by), request).await,
            Operation::Log => log::log(control, request, by).await,
            Operation::Plan => plan::plan(&snapshot, control, request.uri().query()).await,
            Operation::Explain => explain::explain(&snapshot, control, request.uri().query()).await,
            Operation::PlanFiles => plan::plan_files(&snapshot, control, request).await,
            Operation::Authorize => {
                EnrollmentCall { snapshot: &snapshot, config, control, request, by }.authorize().await
            }
            Operation::Token => {
                EnrollmentCall { snapshot: &snapshot, config, control, request, by }.token().await
            }
        }
    }

    /// Returns the path of an operation; `None` while the API is not enabled.
    pub(super) fn path_of(&self, operation: &str) -> Option<String> {
        let snapshot = self.control.snapshot();
        let config = snapshot.config.management.as_ref()?;
        Some(format!("/{}/{operation}", config.base_path))
    }

    /// Returns whether a request for `path` on `network` belongs to the management API: `network` is the configured
    /// one, and `path` is `/api/reload`, below the base path, or `/`, `/metrics` or one of the health that no pipeline has.
    #[cfg(feature = "gateway")]
    pub(crate) fn claims(snapshot: &Snapshot, network: &str, path: &str) -> bool {
        claims(snapshot, network, path)
    }

    /// Returns the answer to a request for the health while the host starts; `None` for other paths, which wait until it has
    /// started.
    #[cfg(feature = "gateway")]
    pub(crate) fn starting(snapshot: &Snapshot, path: &str) -> Option<Response<Full<Bytes>>> {
        let below_base = || Route::find(below_base(snapshot, path)?.trim_matches('/'));
        let route = root_health(snapshot, path).or_else(below_base).filter(|route| route.is_public())?;
        Some(match route.operation {
            Operation::Live => health::live(),
            _ => health::ready(Readiness::Starting),
        })
    }
}

/// Checks that no header that decides is repeated, the target of a request, and its hosts if the target has one.
///
/// # Errors
/// The message for the sender.
fn check_form<B>(request: &Request<B>) -> Result<(), String> {
    if let Some(name) = guard::repeated_header(request.headers()) {
        return Err(format!("the request has more than one {name} header"));
    }
    check_target(request.uri())?;
    match request.uri().authority() {
        Some(_) => Ok(authority(request.version(), request.uri(), request.headers(), &KnownHost::default())
            .map(drop)?),
        None => Ok(()),
    }
}
