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
    Live,
    Ready,
    History,
    Diff,
    Reload,
    Rollback,
    Sync,
    AcceptFresh,
    Pause,
    Resume,
    Log,
    Update,
    Plan,
    Explain,
    PlanFiles,
    Authorize,
    Token,
}

/// A path below the base path, with its operation.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) operation: Operation,
    methods: Methods,
}

/// The methods of an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Methods {
    Read,
    /// The operation changes something.
    Write,
    /// The operation shows what it changes.
    Both,
}

/// Creates a route for GET and HEAD.
const fn read(path: &'static str, operation: Operation) -> Route {
    Route { path, operation, methods: Methods::Read }
}

/// Creates a route for POST.
const fn write(path: &'static str, operation: Operation) -> Route {
    Route { path, operation, methods: Methods::Write }
}

/// Creates a route for GET, HEAD and POST.
const fn both(path: &'static str, operation: Operation) -> Route {
    Route { path, operation, methods: Methods::Both }
}

/// The routes.
const ROUTES: [Route; 24] = [
    read("info", Operation::Info),
    read("pipelines", Operation::Pipelines),
    read("routes", Operation::Routes),
    read("config/status", Operation::ConfigStatus),
    read("provider", Operation::Provider),
    read("plan", Operation::Plan),
    read("explain", Operation::Explain),
    Route::HEALTH[0],
    Route::HEALTH[1],
    Route::HEALTH[2],
    Route::METRICS,
    read("history", Operation::History),
    read("history/diff", Operation::Diff),
    write("reload", Operation::Reload),
    write("rollback", Operation::Rollback),
    write("sync", Operation::Sync),
    write("sync/accept-fresh", Operation::AcceptFresh),
    write("sync/pause", Operation::Pause),
    write("sync/resume", Operation::Resume),
    both("log", Operation::Log),
    write("update", Operation::Update),
    write("plan/files", Operation::PlanFiles),
    write("authorize", Operation::Authorize),
    write("token", Operation::Token),
];

impl Route {
    /// The routes of the health and of its parts, which anybody may ask for.
    pub(super) const HEALTH: [Self; 3] = [
        read("health", Operation::Health),
        read("health/live", Operation::Live),
        read("health/ready", Operation::Ready),
    ];

    /// Returns whether anybody may ask for this, without a token.
    pub(super) fn is_public(&self) -> bool {
        Self::HEALTH.iter().any(|public| public.operation == self.operation)
    }

    /// The route of the metrics.
    pub(super) const METRICS: Self = read("metrics", Operation::Metrics);

    /// Returns the route of `path`, which has no slash at its ends.
    pub(super) fn find(path: &str) -> Option<&'static Self> {
        ROUTES.iter().find(|route| route.path == path)
    }

    /// Returns true for an operation that can change something.
    pub(super) fn is_write(&self) -> bool {
        self.methods != Methods::Read
    }

    /// Returns the allowed methods if `method` is not one of them.
    pub(super) fn allowed_instead_of(&self, method: &Method) -> Option<&'static str> {
        let (is_read, is_write) = (matches!(*method, Method::GET | Method::HEAD), *method == Method::POST);
        match self.methods {
            Methods::Read => (!is_read).then_some("GET, HEAD"),
            Methods::Write => (!is_write).then_some("POST"),
            Methods::Both => (!is_read && !is_write).then_some("GET, HEAD, POST"),
        }
    }

    /// Returns a message that lists all routes, for a response to an unknown path.
    pub(super) fn listing() -> String {
        let paths = |besides: Methods| {
            let paths: Vec<&str> = ROUTES.iter().filter(|r| r.methods != besides).map(|r| r.path).collect();
            paths.join(", ")
        };
        let (reads, writes) = (paths(Methods::Write), paths(Methods::Read));
        format!("unknown path; the management API has GET {reads} and POST {writes}")
    }
}
