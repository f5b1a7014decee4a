//! The paths of the management API on its network, and the pipelines that have the same ones.

use std::sync::Arc;

use crate::config::link::LinkedPipeline;
use crate::config::management::Management;
use crate::diagnostics::problem::Problems;
use crate::diagnostics::source::Place;
use crate::http::path::owned_segments;

/// The paths of the health and of its two parts, for load balancers and orchestrators that know nothing of the base path.
pub(crate) const HEALTH_PATHS: [&[&str]; 3] = [&["health"], &["health", "live"], &["health", "ready"]];

/// The path of the metrics, for collectors that know nothing of the base path.
pub(crate) const METRICS: &str = "metrics";

/// The path `/api/reload`. It does not depend on the base path, because the `runbeam` CLI always uses it.
pub(crate) const RELOAD: [&str; 2] = ["api", "reload"];

/// A pipeline on the network of the management API, with a path or an ingress URL there.
pub(crate) struct Neighbour<'a> {
    pub(crate) linked: &'a LinkedPipeline,
    segments: &'a [String],
    /// The place of the path or the URL.
    pub(crate) place: &'a Place,
}

impl Neighbour<'_> {
    /// Returns whether requests for `path` belong to this path.
    fn has(&self, path: &[&str]) -> bool {
        self.segments.len() <= path.len() && self.segments.iter().zip(path).all(|(own, asked)| own == asked)
    }

    /// Returns whether every request for this path belongs to the management API.
    fn is_below(&self, base: &[String]) -> bool {
        self.segments.starts_with(base) || self.segments == RELOAD
    }
}

/// Returns the paths and ingress URLs of pipelines on the network of the management API.
fn neighbours<'a>(
    management: &'a Management,
    pipelines: &'a [Arc<LinkedPipeline>],
) -> impl Iterator<Item = Neighbour<'a>> {
    let is_on = |linked: &&Arc<LinkedPipeline>| {
        linked.pipeline.networks.iter().any(|network| network.value == management.network.value)
    };
    pipelines.iter().filter(is_on).flat_map(|linked| {
        let paths = linked.endpoints.iter().filter_map(|endpoint| endpoint.path());
        let paths = paths.map(|(segments, at)| (segments, &at.place));
        let urls = linked.ingress.iter().flat_map(|ingress| &ingress.urls);
        let urls = urls.map(|url| (url.value.segments(), &url.place));
        paths.chain(urls).map(move |(segments, place)| Neighbour { linked, segments, place })
    })
}

/// Returns the pipeline that requests for `path`, one of [`HEALTH_PATHS`], on the network of the management API belong
/// to; `None` if the management API answers them.
pub(crate) fn owner_of_health<'a>(
    management: &'a Management,
    pipelines: &'a [Arc<LinkedPipeline>],
    path: &[&str],
) -> Option<Neighbour<'a>> {
    neighbours(management, pipelines).find(|neighbour| neighbour.has(path))
}

/// Returns whether no pipeline is on the network of the management API.
#[cfg(feature = "management")]
pub(crate) fn is_alone(management: &Management, pipelines: &[Arc<LinkedPipeline>]) -> bool {
    neighbours(management, pipelines).next().is_none()
}

/// Adds a warning for each path that the management API answers instead of its pipeline, and for the pipeline that
/// answers `/health`.
pub(crate) fn check(management: &Management, pipelines: &[Arc<LinkedPipeline>], problems: &mut Problems) {
    let (network, base) = (&management.network.value, &management.base_path);
    let segments = owned_segments(base).unwrap_or_default();
    for neighbour in neighbours(management, pipelines).filter(|neighbour| neighbour.is_below(&segments)) {
        let name = &neighbour.linked.pipeline.name;
        let message = format!(
            "the pipeline `{name}` gets no request for this path: the management API answers it on network `{network}`"
        );
        let problem = problems.warn(Some(neighbour.place), format!("pipelines.{name}"), message);
        problem.help(
            "change the path, the network of the pipeline, or `base_path` or `network` in [management]",
        );
    }
    let mut told: Vec<&Place> = Vec::new();
    for path in HEALTH_PATHS {
        let Some(owner) = owner_of_health(management, pipelines, path) else { continue };
        if told.iter().any(|place| std::ptr::eq(*place, owner.place)) {
            continue;
        }
        told.push(owner.place);
        let (name, path) = (&owner.linked.pipeline.name, path.join("/"));
        let message = format!(
            "the pipeline `{name}` answers `/{path}` on network `{network}`, the network of the management API"
        );
        problems.warn(Some(owner.place), format!("pipelines.{name}"), message).help(format!(
            "the health of the gateway is at /{base}/{path}; or give [management] a network of its own"
        ));
    }
}
