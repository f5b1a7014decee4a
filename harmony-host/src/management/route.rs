//! The routes of the management API, in one table.

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
    Reload,
    Sync,
    Update,
    Authorize,
    Token,
}

/// A path below the base path.
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) operation: Operation,
    /// Set for what changes something: it is posted.
    changes: bool,
}

const fn read(path: &'static str, operation: Operation) -> Route {
    Route { path, operation, changes: false }
}

const fn change(path: &'static str, operation: Operation) -> Route {
    Route { path, operation, changes: true }
}

/// Every route.
const ROUTES: [Route; 11] = [
    read("info", Operation::Info),
    read("pipelines", Operation::Pipelines),
    read("routes", Operation::Routes),
    read("config/status", Operation::ConfigStatus),
    read("provider", Operation::Provider),
    read("health", Operation::Health),
    change("reload", Operation::Reload),
    change("sync", Operation::Sync),
    change("update", Operation::Update),
    change("authorize", Operation::Authorize),
    change("token", Operation::Token),
];

impl Route {
    /// The route of a path without slashes at its ends.
    pub(super) fn find(path: &str) -> Option<&'static Self> {
        ROUTES.iter().find(|route| route.path == path)
    }

    /// The methods it takes, when `method` is none of them.
    pub(super) fn refuses(&self, method: &Method) -> Option<&'static str> {
        match self.changes {
            true => (method != Method::POST).then_some("POST"),
            false => (!matches!(*method, Method::GET | Method::HEAD)).then_some("GET, HEAD"),
        }
    }

    /// All routes, for an answer to a path that is none.
    pub(super) fn listing() -> String {
        let paths = |changes: bool| {
            let some: Vec<&str> = ROUTES.iter().filter(|r| r.changes == changes).map(|r| r.path).collect();
            some.join(", ")
        };
        format!("the management API has {} to read, and {} to post to", paths(false), paths(true))
    }
}
