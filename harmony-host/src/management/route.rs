//! The route table of the management API.

use http::Method;

/// An operation of the management API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Info,
    Pipelines,
    Routes,
    ConfigStatus,
    Provider,
    Health,
    Metrics,
    Reload,
    Sync,
    AcceptFresh,
    Update,
    Plan,
    Explain,
    PlanFiles,
    Authorize,
    Token,
}

/// A path below the base path, with its operation.
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) operation: Operation,
    /// Set for an operation that changes something. Its method is POST.
    is_write: bool,
}

/// Creates a route for GET and HEAD.
const fn read(path: &'static str, operation: Operation) -> Route {
    Route { path, operation, is_write: false }
}

/// Creates a route for POST.
const fn write(path: &'static str, operation: Operation) -> Route {
    Route { path, operation, is_write: true }
}

/// The routes.
const ROUTES: [Route; 16] = [
    read("info", Operation::Info),
    read("pipelines", Operation::Pipelines),
    read("routes", Operation::Routes),
    read("config/status", Operation::ConfigStatus),
    read("provider", Operation::Provider),
    read("plan", Operation::Plan),
    read("explain", Operation::Explain),
    Route::HEALTH,
    Route::METRICS,
    write("reload", Operation::Reload),
    write("sync", Operation::Sync),
    write("sync/accept-fresh", Operation::AcceptFresh),
    write("update", Operation::Update),
    write("plan/files", Operation::PlanFiles),
    write("authorize", Operation::Authorize),
    write("token", Operation::Token),
];

impl Route {
    /// The route of liveness and readiness.
    pub(super) const HEALTH: Self = read("health", Operation::Health);

    /// The route of the metrics.
    pub(super) const METRICS: Self = read("metrics", Operation::Metrics);

    /// Returns the route of `path`, which has no slash at its ends.
    pub(super) fn find(path: &str) -> Option<&'static Self> {
        ROUTES.iter().find(|route| route.path == path)
    }

    /// Returns the allowed methods if `method` is not one of them.
    pub(super) fn allowed_instead_of(&self, method: &Method) -> Option<&'static str> {
        match self.is_write {
            true => (method != Method::POST).then_some("POST"),
            false => (!matches!(*method, Method::GET | Method::HEAD)).then_some("GET, HEAD"),
        }
    }

    /// Returns a message that lists all routes, for a response to an unknown path.
    pub(super) fn listing() -> String {
        let paths = |is_write: bool| {
            let paths: Vec<&str> = ROUTES.iter().filter(|r| r.is_write == is_write).map(|r| r.path).collect();
            paths.join(", ")
        };
        format!("unknown path; the management API has GET {} and POST {}", paths(false), paths(true))
    }
}
