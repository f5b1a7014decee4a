//! The paths of the management API.

use provider_api::UrlPath;

use crate::config::management_paths::{HEALTH_PATHS, METRICS, RELOAD, is_alone, owner_of_health};
use crate::http::path::{owned_segments, strip};
use crate::management::page;
use crate::management::route::Route;
use crate::snapshot::Snapshot;

/// Returns whether a request for `path` on `network` belongs to the management API.
pub(super) fn claims(snapshot: &Snapshot, network: &str, path: &str) -> bool {
    let config = snapshot.config.management.as_ref();
    config.is_some_and(|config| config.network.value == network)
        && (below_base(snapshot, path).is_some()
            || root_health(snapshot, path).is_some()
            || is_root_metrics(snapshot, path)
            || page::is_root(snapshot, path))
}

/// Returns the route of a path of the health at the root, which belongs to no pipeline on the network of the API.
pub(super) fn root_health(snapshot: &Snapshot, path: &str) -> Option<&'static Route> {
    let config = snapshot.config.management.as_ref()?;
    let path = UrlPath::parse(path).ok()?;
    let is = |health: &&&[&str]| {
        let segments: Vec<String> = health.iter().map(|segment| (*segment).to_owned()).collect();
        strip(&path, &segments) == Some(path.as_str().len())
    };
    let health = HEALTH_PATHS.iter().find(is)?;
    match owner_of_health(config, &snapshot.config.pipelines, health) {
        Some(_) => None,
        None => Route::find(&health.join("/")),
    }
}

/// Returns whether `path` is `/metrics`, on a network that the API has for itself.
pub(super) fn is_root_metrics(snapshot: &Snapshot, path: &str) -> bool {
    let Some(config) = &snapshot.config.management else { return false };
    let is_metrics = UrlPath::parse(path)
        .is_ok_and(|path| strip(&path, &[METRICS.to_owned()]) == Some(path.as_str().len()));
    is_metrics && is_alone(config, &snapshot.config.pipelines)
}

/// Returns the rest of `path` below the base path, or `reload` for the path `/api/reload`. A path that servers read in two
/// ways belongs to no operation.
pub(super) fn below_base(snapshot: &Snapshot, path: &str) -> Option<String> {
    let config = snapshot.config.management.as_ref()?;
    let base = owned_segments(&config.base_path).ok()?;
    let path = UrlPath::parse(path).ok()?;
    match strip(&path, &base) {
        Some(end) => path.as_str().get(end..).map(str::to_owned),
        None => {
            let end = strip(&path, &RELOAD.map(str::to_owned))?;
            (end == path.as_str().len()).then(|| "reload".to_owned())
        }
    }
}
